"""H4, X11: the composite encoder, in SQL and in Python against a plain model of its definition."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.encoders import Batch, Composite, CompositeEncoder, Encoding, Statistics, Words
from engine.encoders.text import spaced
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors, quantise
from tests.conftest import Connection
from tests.encoders import composite_model as model
from tests.encoders.test_lexical import ANY_TEXT, AWKWARD_TEXT, SCRIPTS
from tests.support.databases import Databases

SEED = "mnemo:projection"
DIMENSION = 8
LINES = [
    "Ann: I moved to Lisbon in the autumn and adopted a grey cat.",
    "Ben: Which cat is it? Is the grey cat from Lisbon?",
    "Ann: A British shorthair, from the shelter.",
]
DEFINITIONS: dict[str, dict[str, Any]] = {
    "usual": {},
    "heavy": {"words": 4096, "embedding": 4095, "word": 16, "prefix": 16, "gram": 16, "document_idf": 4,
              "query_idf": 5, "roles": {"speaker": 4096, "topic": 7}},
    "odd": {"words": 7, "embedding": 0, "prefix": 0, "document_idf": 3, "query_idf": 3, "saturation": 0,
            "context_sample": 2, "query": {"words": 11, "roles": 100}, "roles": {"topic": 3}},
    "bare": {"gram": 0, "prefix_length": 2, "document_idf": 0, "query_idf": 0, "saturation": 4096,
             "context_sample": 0, "roles": {}},
}  # fmt: skip
TEXTS = st.sampled_from([*LINES, *SCRIPTS, "a", "->", "x" * 150]) | ANY_TEXT | AWKWARD_TEXT
EMBEDDINGS = st.none() | st.lists(st.integers(-127, 127), min_size=DIMENSION, max_size=DIMENSION).filter(any)
SHARES = st.sampled_from([1, 80, 112, 255, 4096])
VALUES = st.lists(st.sampled_from(["ann", "ben smith", "日本", "ann smith", "👍", "2023 05"]), max_size=2)


def prepared(connection: Connection, dimension: int) -> dict[str, Mapping[str, Any]]:
    """Make a collection of each definition, with a few memories to count; return the full definitions."""
    full = {}
    for name, weights in DEFINITIONS.items():
        connection.execute(
            "select mnemo.create_collection(%s, dimension => %s, encoding => %s)",
            (name, dimension, json.dumps(weights)),
        )
        for line in LINES:
            connection.execute("select mnemo.remember(%s, context => 'c', collection => %s)", (line, name))
        row = connection.execute("select encoding from mnemo.collection where name = %s", [name]).fetchone()
        assert row is not None
        full[name] = row[0]
    return full


@pytest.fixture(scope="module")
def narrow(databases: Databases) -> Iterator[tuple[Connection, dict[str, Mapping[str, Any]]]]:
    """A database of 1,024 bits with a collection of each definition."""
    with databases.migrated(1_024, 256) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield connection, prepared(connection, DIMENSION)


def bits_of(row: tuple[Any, ...] | None) -> Hypervectors:
    """Pack the text form of a bit string."""
    assert row is not None
    return np.packbits(np.frombuffer(row[0].encode(), np.uint8) == ord("1"))


def known(connection: Connection, collection: str, texts: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Return the statistics of all words of some texts."""
    terms = sorted({term for text in texts for term in Words.of(text).terms})
    row = connection.execute(
        "select memories, counts from mnemo.term_counts(%s, %s)", (collection, terms)
    ).fetchone()
    assert row is not None
    return row[0], dict(zip(terms, row[1], strict=True))


def is_blank(text: str) -> bool:
    """Tell whether a text has no words."""
    return not Words.of(text).terms


Members = list[tuple[str, NDArray[np.int8] | None, int]]


def agree(
    connection: Connection,
    collection: str,
    definition: Mapping[str, Any],
    bits: int,
    members: Members,
    roles: Mapping[str, Sequence[str]],
) -> None:
    """Check that SQL, Python and the model make the same bits of a memory."""
    texts, embeddings, shares = zip(*members, strict=True)
    counted = known(connection, collection, texts)
    named = [(role, value) for role, values in roles.items() for value in values]
    row = connection.execute(
        "select mnemo.encode_members(c, %s::text[], %s::bytea[], %s::integer[], %s::text[], %s::text[])::text"
        " from mnemo.collection(%s) as c",
        (
            list(texts),
            [None if one is None else one.tobytes() for one in embeddings],
            list(shares),
            [role for role, _ in named] or None,
            [value for _, value in named] or None,
            collection,
        ),
    ).fetchone()
    encoder = CompositeEncoder(Encoding.of(definition), SEED, bits)
    made = encoder.encode(
        Batch(
            [Words.of(text) for text in texts],
            embeddings,
            [Composite(list(enumerate(shares)), roles)],
            Statistics(*counted),
        )
    )
    expected = model.composite(definition, SEED, bits, members, roles, counted)
    assert np.array_equal(made[0], expected)
    assert np.array_equal(bits_of(row), expected)


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(sorted(DEFINITIONS)),
    text=TEXTS.filter(lambda text: not is_blank(text)),
    embedding=EMBEDDINGS,
    around=st.lists(st.tuples(TEXTS.filter(lambda text: not is_blank(text)), EMBEDDINGS, SHARES), max_size=3),
    speakers=VALUES,
    topics=VALUES,
)
def test_h4_sql_python_and_model_encode_a_memory_alike(
    narrow: tuple[Connection, dict[str, Mapping[str, Any]]],
    name: str,
    text: str,
    embedding: list[int] | None,
    around: list[tuple[str, list[int] | None, int]],
    speakers: list[str],
    topics: list[str],
) -> None:
    connection, definitions = narrow
    members: Members = [
        (each, None if values is None else np.array(values, np.int8), share)
        for each, values, share in [(text, embedding, 256), *around]
    ]
    given = {"speaker": speakers, "topic": topics}
    roles = {role: values for role, values in given.items() if role in definitions[name]["roles"] and values}
    agree(connection, name, definitions[name], 1_024, members, roles)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(DEFINITIONS)),
    text=TEXTS.filter(lambda text: not is_blank(text) and len(text) < 2_000),
    embedding=EMBEDDINGS,
    context=st.sampled_from([None, "c", "nothing there"]),
    topics=VALUES,
)
def test_h4_sql_python_and_model_encode_a_question_alike(
    narrow: tuple[Connection, dict[str, Mapping[str, Any]]],
    name: str,
    text: str,
    embedding: list[int] | None,
    context: str | None,
    topics: list[str],
) -> None:
    connection, definitions = narrow
    definition = definitions[name]
    given = json.dumps({"topic": topics} if topics and "topic" in definition["roles"] else {})
    vector = None if embedding is None else np.array(embedding, np.float32)
    row = connection.execute(
        "select mnemo.encode_query(%s, %s, %s, %s::real[], %s)::text",
        (text, name, context, None if vector is None else vector.tolist(), given),
    ).fetchone()
    roles: dict[str, list[str]] = {}
    for role, value in connection.execute(
        "select role, value from mnemo.query_roles(%s, mnemo.collection(%s), %s)", (text, name, given)
    ):
        roles.setdefault(role, []).append(value)
    words = Words.of(text)
    counted = known(connection, name, [text])
    local = None
    if context is not None and definition["context_sample"]:
        kinds = ["w"] * (len(words.terms) - words.pairs) + ["c"] * words.pairs
        found = connection.execute(
            'select memories, counts from mnemo.context_counts(%s, %s, %s, %s::text[]::"char"[], %s)',
            (name, context, list(words.terms), kinds, definition["context_sample"]),
        ).fetchone()
        assert found is not None
        local = (found[0], dict(zip(words.terms, found[1], strict=True)))
    quantised = None if vector is None else quantise(vector)
    made = CompositeEncoder(Encoding.of(definition), SEED, 1_024).encode_query(
        words,
        Statistics(*counted),
        local=None if local is None else Statistics(*local),
        embedding=quantised,
        roles=roles,
    )
    expected = model.question(definition, SEED, 1_024, text, quantised, roles, counted, local)
    assert np.array_equal(made, expected)
    assert np.array_equal(bits_of(row), expected)


def test_h4_alike_at_full_width(module_connection: Connection) -> None:
    definitions = prepared(module_connection, 384)
    rng = np.random.default_rng(3)
    around = [quantise(rng.normal(size=384)) for _ in range(2)]
    members: Members = [(LINES[1], around[0], 256), (SCRIPTS[4], None, 112), (LINES[0], around[1], 80)]
    agree(module_connection, "usual", definitions["usual"], 16_384, members, {"speaker": ["ben"]})
    for text in SCRIPTS[::3]:
        agree(module_connection, "usual", definitions["usual"], 16_384, [(text, None, 256)], {})


@pytest.mark.parametrize("name", ["usual", "heavy"])
def test_h4_a_text_of_100k_words(narrow: tuple[Connection, dict[str, Mapping[str, Any]]], name: str) -> None:
    connection, definitions = narrow
    letters = random.Random(5)
    words = ["".join(letters.choices("abcdefgh", k=letters.randint(1, 9))) for _ in range(3_000)]
    text = " ".join(letters.choices(words, k=100_000))
    members: Members = [(LINES[0], None, 256), (text, np.arange(1, 9, dtype=np.int8), 4096)]
    agree(connection, name, definitions[name], 1_024, members, {})
    agree(connection, name, definitions[name], 1_024, members[::-1], {})


def encoded(encoder: CompositeEncoder, texts: Sequence[str], wanted: Sequence[Composite]) -> Hypervectors:
    """Encode texts, the even ones with an embedding."""
    rng = np.random.default_rng(1)
    embeddings = [quantise(rng.normal(size=DIMENSION)) if i % 2 else None for i in range(len(texts))]
    return encoder.encode(Batch([Words.of(text) for text in texts], embeddings, wanted, Statistics(0, {})))


def in_a_row(texts: Sequence[str]) -> list[Composite]:
    """Each text with the two before it, and a speaker."""
    return [
        Composite(
            [(i - back, share) for back, share in enumerate((256, 112, 80)) if back <= i],
            {"speaker": [f"speaker {i % 3}"]},
        )
        for i in range(len(texts))
    ]


@pytest.fixture(scope="module")
def usual(narrow: tuple[Connection, dict[str, Mapping[str, Any]]]) -> Encoding:
    """The default definition."""
    return Encoding.of(narrow[1]["usual"])


def test_h4_a_batch_encodes_as_each_of_its_memories_alone(usual: Encoding) -> None:
    texts = [text for n in range(12) for text in (*LINES, f"{SCRIPTS[n]} number{n}")]
    wanted = in_a_row(texts)
    together = encoded(CompositeEncoder(usual, SEED, 1_024), texts, wanted)
    alone = CompositeEncoder(usual, SEED, 1_024)
    for i, each in enumerate(wanted):
        assert np.array_equal(encoded(alone, texts, [each])[0], together[i])
    order = random.Random(2).sample(range(len(texts)), len(texts))
    shuffled = encoded(alone, texts, [wanted[i] for i in order])
    assert np.array_equal(shuffled, together[order])


def test_h4_order_of_components_is_irrelevant(usual: Encoding) -> None:
    encoder = CompositeEncoder(usual, SEED, 1_024)
    some = Composite([(0, 256), (1, 112), (2, 80)], {"speaker": ["ann smith", "ben"]})
    turned = Composite([(2, 80), (0, 256), (1, 112)], {"speaker": ["ben", "smith ann"]})
    words = LINES[0].split()
    texts = [" ".join(words), *LINES[1:]]
    backwards = [" ".join(words[::-1]), *LINES[1:]]
    assert np.array_equal(encoded(encoder, texts, [some]), encoded(encoder, backwards, [turned]))


def test_h4_little_room_changes_nothing(usual: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*LINES, *SCRIPTS, " ".join(f"word{n}" for n in range(200))] * 2
    wanted = in_a_row(texts)
    expected = encoded(CompositeEncoder(usual, SEED, 1_024), texts, wanted)
    monkeypatch.setattr("engine.encoders.products._KEPT_BYTES", 0)
    monkeypatch.setattr("engine.encoders.products._DEPTH", 3)
    small = CompositeEncoder(usual, SEED, 1_024, word_bytes=300 * 1_024)
    assert np.array_equal(encoded(small, texts, wanted), expected)


def test_h4_nothing_but_space_is_refused(usual: Encoding) -> None:
    with pytest.raises(InvalidArgument, match="row 1: its text is empty or nothing but space"):
        encoded(
            CompositeEncoder(usual, SEED, 1_024),
            ["full", "", " \n\u3000"],
            [Composite([(0, 256)]), Composite([(2, 256)])],
        )


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(ANY_TEXT | AWKWARD_TEXT, min_size=1, max_size=8))
def test_h4_sql_spaces_text_as_python_does(
    narrow: tuple[Connection, dict[str, Mapping[str, Any]]], texts: list[str]
) -> None:
    rows = narrow[0].execute(
        "select mnemo.spaced_text(t) from unnest(%s::text[]) with ordinality as u (t, n) order by n", [texts]
    )
    assert [row[0] for row in rows] == [spaced(text) for text in texts]
