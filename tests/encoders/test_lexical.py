"""H4: the lexical encoder, in Python against its definition and in SQL against Python."""

import random
from collections.abc import Sequence

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.encoders import LexicalEncoder
from engine.encoders.lexical import symbols
from engine.encoders.text import fold
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors, similarity
from tests.conftest import Connection, DatabaseFactory
from tests.encoders import model

SCRIPTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Größe, naïve, café: ÀÉÎÕÜ",
    "Съешь ещё этих мягких французских булок",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "人人生而自由，在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由であり、カタカナ ﾊﾝｶｸ",
    "모든 인간은 태어날 때부터 자유로우며",
    "يولد جميع الناس أحرارًا متساوين في الكرامة",
    "כל בני אדם נולדו בני חורין",
    "सभी मनुष्यों को गौरव और अधिकारों",
    "มนุษย์ทั้งหลายเกิดมามีอิสระ",
    "👩‍👩‍👧 👍🏽 🇩🇪 ❤️ ☃",
    "x = f(a, b) -> None; http://example.org/?q=1&r=%20",
    "½ Ⅷ ㎞ ™ ﷺ ǅ ŉ",
    "-> !! ::",
    "\x01\x7f\x85 \ufeff\u200d",
    "\U0001faf7\U00032000\U0010ffff\uffff",
]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# Characters that fold, combine, expand or separate, close together.
AWKWARD_TEXT = st.text(
    st.sampled_from(
        "aAzé ÉßſİıǅΣςσᾳ\u0301\u0345\u093c\u094dक가\u1100\u1161が\u3099ｶﾞ日本ก\u0e38👍🏽½ﷺ'-_0٣\u200d\u2028"
    )
)
_ENCODERS = {bits: LexicalEncoder(bits) for bits in (1_024, 16_384, 32_768)}


def in_sql(connection: Connection, texts: Sequence[str]) -> Hypervectors:
    """Encode in the database; the text form of `bit` needs no decoder of ours."""
    rows = connection.execute(
        "select mnemo.encode_lexical(t)::text from unnest(%s::text[]) with ordinality as u (t, n) order by n",
        [list(texts)],
    ).fetchall()
    return np.packbits([[int(bit) for bit in row[0]] for row in rows], axis=1)


def is_blank(text: str) -> bool:
    """Tell whether a text has nothing to encode."""
    return not symbols(text)


@pytest.mark.parametrize("bits", [1_024, 16_384])
def test_h4_encoder_keeps_to_its_definition(bits: int) -> None:
    encoded = _ENCODERS[bits].encode(SCRIPTS)
    for text, hdv in zip(SCRIPTS, encoded, strict=True):
        assert np.array_equal(hdv, model.encode(symbols(text), bits)), text


def test_h4_symbols_and_their_weights() -> None:
    assert symbols("Of maps, of maps: maps of of") == {
        "w:of": 2 * 4,
        "w:maps": 3 * 3,
        **{f"g:{part}": 3 for part in (" ma", "map", "aps", "ps ")},
    }
    assert symbols("at") == {"w:at": 4, "t:at": 1}
    assert symbols("日本") == {"w:日本": 6, "g:日": 2, "g:本": 2, "t:日本": 1}


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(ANY_TEXT | AWKWARD_TEXT, min_size=1, max_size=8))
def test_h4_sql_equals_python_on_any_text(module_connection: Connection, texts: list[str]) -> None:
    rows = module_connection.execute(
        """select mnemo.fold(t),
            (select json_object_agg(s.symbol, s.weight) from mnemo.lexical_symbols(t) as s)
        from unnest(%s::text[]) with ordinality as u (t, n) order by n""",
        [texts],
    ).fetchall()
    assert [folded for folded, _ in rows] == [fold(text) for text in texts]
    assert [weighted or {} for _, weighted in rows] == [symbols(text) for text in texts]
    full = [text for text in texts if not is_blank(text)]
    if full:
        assert np.array_equal(in_sql(module_connection, full), _ENCODERS[16_384].encode(full))


@pytest.mark.parametrize("bits", [1_024, 16_384, 32_768])
def test_h4_sql_equals_python_in_all_scripts(database_factory: DatabaseFactory, bits: int) -> None:
    with psycopg.connect(database_factory(bits=bits), autocommit=True) as connection:
        assert np.array_equal(in_sql(connection, SCRIPTS), _ENCODERS[bits].encode(SCRIPTS))


def test_h4_long_texts_are_summed_in_tiles_to_the_same(module_connection: Connection) -> None:
    letters = random.Random(5)
    text = " ".join("".join(letters.choices("abcdefgh", k=5)) for _ in range(6_000))
    weighted = symbols(text)
    assert len(weighted) > 4_096
    encoded = _ENCODERS[16_384].encode([text])
    assert np.array_equal(encoded[0], model.encode(weighted, 16_384))
    assert np.array_equal(encoded, in_sql(module_connection, [text]))


@given(words=st.lists(st.from_regex("[a-zé日]{1,9}", fullmatch=True), min_size=1), seed=st.randoms())
@settings(max_examples=30, deadline=None)
def test_h4_order_of_words_is_irrelevant(words: list[str], seed: random.Random) -> None:
    encoder = _ENCODERS[1_024]
    before = encoder.encode([" ".join(words)])
    seed.shuffle(words)
    assert np.array_equal(before, encoder.encode([" ".join(words)]))


def test_h4_the_same_whatever_was_encoded_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.encoders.lexical._TABLE_BYTES", 0)
    monkeypatch.setattr("engine.encoders.lexical._MOST_SYMBOLS", 150)
    crowded = LexicalEncoder(1_024)
    assert np.array_equal(crowded.encode(SCRIPTS * 3), np.tile(_ENCODERS[1_024].encode(SCRIPTS), (3, 1)))


def test_h4_words_shared_make_texts_similar() -> None:
    query, inflected, mistyped, other = _ENCODERS[16_384].encode(
        ["connect to database", "database connections", "conect too datbase", "bake the bread slowly"]
    )
    assert similarity(query, inflected) > 0.65
    assert similarity(query, mistyped) > 0.55
    assert abs(similarity(query, other) - 0.5) < 0.03


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000\u2028"])
def test_h4_text_of_nothing_but_space_is_refused(module_connection: Connection, text: str) -> None:
    with pytest.raises(InvalidArgument, match="row 1: it is empty or nothing but space"):
        _ENCODERS[1_024].encode(["full", text])
    with pytest.raises(psycopg.Error, match="empty or nothing but space") as caught:
        module_connection.execute("select mnemo.encode_text(%s)", [text])
    assert caught.value.sqlstate == "MN002"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\0b", "row 1: character 1 is NUL"),
        ("ab\udc80", r"row 1: character 2 is the lone surrogate U\+DC80"),
    ],
)
def test_h4_text_that_no_database_holds_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        _ENCODERS[1_024].encode(["full", text])


def test_h4_null_and_unknown_collection(module_connection: Connection) -> None:
    assert module_connection.execute("select mnemo.encode_text(null)").fetchone() == (None,)
    with pytest.raises(psycopg.Error) as caught:
        module_connection.execute("select mnemo.encode_text('text', 'nowhere')")
    assert caught.value.sqlstate == "MN004"


def test_h4_no_texts_no_hypervectors() -> None:
    assert _ENCODERS[1_024].encode([]).shape == (0, 128)
