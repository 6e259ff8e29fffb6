"""Peer (b): FAISS in this process, on one thread; its flat index also says what the true neighbours are."""

from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.hypervector import Hypervectors
from tests.benchmarks.timing import timed


class Faiss:
    """Both binary indexes over one set of hypervectors."""

    def __init__(self, hdvs: Hypervectors) -> None:
        bits = hdvs.shape[1] * 8
        self._hdvs = hdvs
        self._flat = faiss.IndexBinaryFlat(bits)
        self._flat.add(hdvs)
        self._graph = faiss.IndexBinaryHNSW(bits, 16)
        self._graph.hnsw.efConstruction = 64

    def build(self) -> float:
        """Build the graph; return the seconds it took, on all processors."""
        return timed(lambda: self._graph.add(self._hdvs))

    def tenth_distances(self, queries: Hypervectors) -> list[int]:
        """Return how far the tenth neighbour of each query is."""
        distances: NDArray[np.int32] = self._flat.search(queries, 10)[0]
        return [int(distance) for distance in distances[:, 9]]

    def exact(self, query: bytes) -> list[int]:
        """Return the places of the ten nearest, by a scan."""
        return self._places(self._flat, query)

    def asking(self, candidates: int) -> Callable[[bytes], list[int]]:
        """Return the query of the graph."""

        def ask(query: bytes) -> list[int]:
            self._graph.hnsw.efSearch = candidates
            return self._places(self._graph, query)

        return ask

    @staticmethod
    def _places(index: "faiss.IndexBinary", query: bytes) -> list[int]:
        found: NDArray[np.int64] = index.search(np.frombuffer(query, np.uint8)[None, :], 10)[1]
        return [int(place) for place in found[0] if place >= 0]


def nearest(stored: Hypervectors, asked: Hypervectors, k: int) -> NDArray[np.int64]:
    """Return the places of the k nearest of each query, int64[n, k], by a scan."""
    index = faiss.IndexBinaryFlat(stored.shape[1] * 8)
    index.add(stored)
    found: NDArray[np.int64] = index.search(asked, k)[1]
    return found


def one_thread() -> None:
    """Let FAISS answer on one thread, as a backend of PostgreSQL does."""
    faiss.omp_set_num_threads(1)
