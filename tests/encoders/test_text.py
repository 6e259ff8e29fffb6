"""H4: texts that differ only in how they are written have the same words."""

import pytest

from engine.encoders.text import tokens


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("café", "cafe\u0301"),
        ("Ｐｙｔｈｏｎ ３", "python 3"),
        ("STRASSE", "straße"),
        ("ΟΔΟΣ", "οδος"),
        ("İzmir", "izmir"),
        ("ﬁle", "FILE"),
        ("שָׁלוֹם", "שלום"),
        ("مَرْحَبًا", "مرحبا"),
        ("が", "か\u3099"),
        ("ｶﾞ", "ガ"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("co\u00adoperate", "cooperate"),
        ("👍🏽", "👍"),
        ("snake_case, (kebab-case)", "snake case kebab case"),
    ],
)
def test_h4_same_words_however_written(text: str, other: str) -> None:
    assert tokens(text) == tokens(other)


@pytest.mark.parametrize(
    ("text", "words", "pairs"),
    [
        ("a lion and a tiger", {"a": 2, "lion": 1, "and": 1, "tiger": 1}, {}),
        ("日本語", {}, {"日本": 1, "本語": 1}),
        ("Python言語 3", {"python": 1, "3": 1}, {"言語": 1}),
        ("猫", {}, {"猫": 1}),
        ("ok👍👍", {"ok": 1, "👍": 2}, {}),
        ("हिन्दी में", {"हिन्दी": 1, "में": 1}, {}),
        ("->", {}, {"->": 1}),
        ("?", {}, {"?": 1}),
        ("\U0010ffff \ue000", {}, {"\U0010ffff": 1, "\ue000": 1}),
        ("x" * 130, {"x" * 64: 2, "xx": 1}, {}),
        ("", {}, {}),
        (" \t\r\n\u3000\u2003", {}, {}),
    ],
)
def test_h4_words_and_pairs(text: str, words: dict[str, int], pairs: dict[str, int]) -> None:
    assert tokens(text) == (words, pairs)


def test_h4_many_combining_marks_take_no_square_of_time() -> None:
    assert tokens("क" + "\u093c\u094d" * 500_000)[0] == {"क": 1}
