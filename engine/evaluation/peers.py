"""Peers over the same memories, by code of their own: cosine of the embeddings, BM25, and their fusion."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.words import Words, library

Places = NDArray[np.intp]

# Lin et al., "Toward Reproducible Baselines" (2016): the usual choice for passages.
K1, B = 0.9, 0.4
# Cormack, Clarke and Büttcher (2009).
RRF_K = 60


class Cosine:
    """Ranks memories by the cosine of embeddings, float32[n, d]; a row of zeros stands for none."""

    def __init__(self, embeddings: NDArray[np.float32]) -> None:
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        self._has = length[:, 0] > 0
        self._rows = embeddings / np.where(length > 0, length, 1)

    def rank(self, embedding: NDArray[np.float32], candidates: Places) -> Places:
        """Return the candidates, int[m], that have an embedding, nearest to float32[d] first."""
        there = candidates[self._has[candidates]]
        rows = self._rows if len(there) == len(self._rows) else self._rows[there]
        ranked: Places = there[np.argsort(-(rows @ embedding), kind="stable")]
        return ranked


class Bm25:
    """Ranks memories by BM25 (k1 0.9, b 0.4) with the statistics of all texts."""

    def __init__(self, texts: Sequence[str], words: Words) -> None:
        self._words = words
        self._index = library().BM25(k1=K1, b=B, method="lucene")
        tokens = [words(text) for text in texts]
        self._empty = not any(tokens)
        if not self._empty:
            self._known = {word for text in tokens for word in text}
            self._index.index(tokens, show_progress=False)

    def rank(self, text: str, candidates: Places) -> Places:
        """Return the candidates, int[m], that share a word with the text, best first."""
        asked = [] if self._empty else [word for word in self._words(text) if word in self._known]
        if not asked:
            return candidates[:0]
        scores: NDArray[np.float32] = self._index.get_scores(asked)[candidates]
        order = np.argsort(-scores, kind="stable")
        ranked: Places = candidates[order[scores[order] > 0]]
        return ranked


def fuse(rankings: Sequence[Places]) -> Places:
    """Return what any of the rankings holds by reciprocal rank fusion: the sum of 1 / (60 + rank)."""
    together = np.concatenate(rankings)
    shares = np.concatenate([1.0 / (RRF_K + np.arange(1, len(ranking) + 1)) for ranking in rankings])
    found, of = np.unique(together, return_inverse=True)
    ranked: Places = found[np.argsort(-np.bincount(of, shares, len(found)), kind="stable")]
    return ranked
