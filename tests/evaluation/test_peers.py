"""The peers against plain Python, and words in several languages."""

import math
from collections import Counter

import numpy as np
import pytest

from engine.errors import InvalidArgument
from engine.evaluation.peers import K1, B, Bm25, Cosine, fuse
from engine.evaluation.words import language_of, stemmed, words
from tests.support.corpus import sentences

TEXTS = [*sentences(60, words=9, seed=1), "", "?!", *sentences(20, words=40, seed=2)]


def _okapi(query: str, text: str) -> float:
    """Return Lucene's BM25, term by term."""
    lists = [other.split() for other in TEXTS]
    average = sum(map(len, lists)) / len(lists) if lists else 0
    counted, length = Counter(text.split()), len(text.split())
    total = 0.0
    for word in query.split():
        holding = sum(word in other for other in lists)
        idf = math.log(1 + (len(lists) - holding + 0.5) / (holding + 0.5))
        total += idf * counted[word] / (counted[word] + K1 * (1 - B + B * length / average))
    return total


@pytest.mark.parametrize("query", [TEXTS[3], " ".join(TEXTS[70].split()[:4]), "nothing of this"])
def test_bm25_ranks_as_its_formula_does(query: str) -> None:
    texts = [text.replace("?!", "") for text in TEXTS]
    candidates = np.array([n for n in range(len(texts)) if n % 3])
    expected = [(-_okapi(query, texts[n]), n) for n in candidates.tolist()]
    found = Bm25(TEXTS, words).rank(query, candidates)
    assert found.tolist() == [n for value, n in sorted(expected) if value < 0]


def test_cosine_ranks_by_angle_and_leaves_out_memories_without_embedding() -> None:
    vectors = np.array([[3, 4], [0, 0], [-1, 0], [0.1, 0], [5, 0.1]], np.float32)
    question = np.array([2, 0], np.float32)
    assert Cosine(vectors).rank(question, np.arange(5)).tolist() == [3, 4, 0, 2]
    assert Cosine(vectors).rank(question, np.array([0, 1, 4])).tolist() == [4, 0]


def test_fusion_sums_reciprocal_ranks() -> None:
    # 7: 1/61 + 1/63; 8: 1/62 + 1/61; 9: 1/63; 5: 1/62.
    assert fuse([np.array([7, 8, 9]), np.array([8, 5, 7])]).tolist() == [8, 7, 5, 9]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Größe: 3,5 Äpfel!", ["größe", "3", "5", "äpfel"]),
        ("Я видел кошку", ["я", "видел", "кошку"]),
        ("東京へ行く", ["東京", "京へ", "へ行", "行く"]),
        ("iPhoneを買う 雨", ["iphone", "を買", "買う", "雨"]),
        ("🎉 …", []),
    ],
)
def test_words_follow_unicode(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_stems_meet_and_the_language_is_guessed() -> None:
    assert stemmed("english")("the cats were running") == stemmed("english")("a cat runs")
    assert stemmed("german")("die Häuser") == stemmed("german")("das Haus")
    with pytest.raises(InvalidArgument, match="unknown language 'klingon': there are danish"):
        stemmed("klingon")
    assert language_of(["What did she say to you about the house that we have seen?"]) == "english"
    assert language_of(["Was hat sie zu dir über das Haus gesagt, das wir gesehen haben?"]) == "german"
    assert language_of(["¿Qué te dijo ella sobre la casa que hemos visto en el pueblo?"]) == "spanish"
    assert language_of(["昨日は東京へ行った"]) is None
    assert language_of([]) is None
