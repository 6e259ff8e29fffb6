"""Evidence recall on locomo6, first stage alone: exact Hamming within a conversation, beside peers."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.encoders.weights import Encoding
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.peers import Bm25, Cosine, Places, fuse
from engine.evaluation.words import stemmed, words
from tests.benchmarks.conversations import Asked, Conversations, encode, ranks, recalls
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS

WRITTEN, CONSOLIDATED = 0.72, 0.74
"""What the two must reach."""
_BATCH = 1_000

Scores = NDArray[np.float64]


def evidence(data: Conversations, how: Encoding) -> list[Row]:
    """Ask all questions at write and consolidated, beside cosine, BM25 and their fusion."""
    bootstrap = Bootstrap([question.context for question in data.questions])
    made = encode(data, how, bits=BITS)
    early = encode(data, how, bits=BITS, batch=_BATCH)
    texts = replace(how, query_embedding=0, embedding=0)
    lexical = encode(data, texts, bits=BITS)

    def ours(
        name: str, turns: NDArray[np.uint8], asked: NDArray[np.uint8], target: float | None = None
    ) -> Row:
        return _row(data, bootstrap, name, recalls(data, ranks(data, turns, asked)), target)

    rows = [
        ours("evidence recall@10 at write", made.written, made.questions, WRITTEN),
        ours("evidence recall@10 consolidated", made.consolidated, made.questions, CONSOLIDATED),
        ours(f"at write, statistics of then, batches of {_BATCH:,}", early.written, early.questions),
        ours("at write, no embeddings", lexical.written, lexical.questions),
        ours("consolidated, no embeddings", lexical.consolidated, lexical.questions),
    ]
    best: tuple[str, Scores] | None = None
    for name, rank in _peers(data).items():
        scores = recalls(data, [rank(question) for question in data.questions])
        rows.append(_row(data, bootstrap, f"evidence recall@10 of {name}", scores))
        if best is None or scores.mean() > best[1].mean():
            best = name, scores
    assert best is not None
    for side, turns in (("at write", made.written), ("consolidated", made.consolidated)):
        gain = recalls(data, ranks(data, turns, made.questions)) - best[1]
        rows.append(_row(data, bootstrap, f"{side}, above {best[0]}", gain))
    return rows


def _peers(data: Conversations) -> dict[str, Callable[[Asked], Places]]:
    cosine, bm25 = Cosine(data.embeddings), Bm25(data.texts, words)
    stems = Bm25(data.texts, stemmed("english"))

    def by_meaning(question: Asked) -> Places:
        return cosine.rank(question.embedding, data.places[question.context])

    def by_words(index: Bm25) -> Callable[[Asked], Places]:
        return lambda question: index.rank(question.text, data.places[question.context])

    return {
        "cosine": by_meaning,
        "BM25": by_words(bm25),
        "BM25 of stems": by_words(stems),
        "RRF": lambda question: fuse([by_meaning(question), by_words(bm25)(question)]),
        "RRF of stems": lambda question: fuse([by_meaning(question), by_words(stems)(question)]),
    }


def _row(
    data: Conversations, bootstrap: Bootstrap, name: str, scores: Scores, target: float | None = None
) -> Row:
    interval = bootstrap.interval(scores)
    each = ", ".join(f"{mean:.3f}" for mean in by_conversation(data, scores))
    return Row(
        name,
        round(interval.mean, 4),
        "",
        f"95 % [{interval.low:.3f}, {interval.high:.3f}]; conversations {each}",
        target,
    )


def by_conversation(data: Conversations, scores: Scores) -> Sequence[float]:
    """Return the mean of each conversation's questions, in order."""
    return [float(scores[data.asked_in[name]].mean()) for name in data.names]
