"""Item memory: names, the hypervectors they stand for, and the way back from a noisy vector."""

import numpy as np

from engine.errors import InvalidArgument, InvalidHypervector
from engine.hypervector.algebra import (
    Hypervectors,
    check_bits,
    check_hypervectors,
    distances,
    random_hypervector,
)


class ItemMemory:
    """Named hypervectors of one length, kept in memory; the counterpart of the table `mnemo.item`."""

    def __init__(self, bits: int = 16_384) -> None:
        """Start empty, for hypervectors of `bits` components."""
        self.bits = check_bits(bits)
        self._rows: dict[str, int] = {}
        self._vectors = np.empty((0, bits // 8), np.uint8)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._rows)

    def __contains__(self, name: str) -> bool:
        """Tell whether a name is known."""
        return name in self._rows

    def item(self, name: str, hdv: Hypervectors | None = None) -> Hypervectors:
        """Return the vector of `name`; an unknown name gets `hdv`, or random_hypervector(name).

        Raises InvalidHypervector where `hdv` has another length, InvalidArgument where the name already has
        another vector.
        """
        if hdv is not None:
            self._check(hdv)
        row = self._rows.get(name)
        if row is None:
            row = len(self._rows)
            if row == len(self._vectors):
                grown = np.empty((max(16, 2 * row), self.bits // 8), np.uint8)
                grown[:row] = self._vectors
                self._vectors = grown
            self._vectors[row] = random_hypervector(name, self.bits) if hdv is None else hdv
            self._rows[name] = row
        elif hdv is not None and not np.array_equal(hdv, self._vectors[row]):
            raise InvalidArgument(f"invalid item: {name!r} is known with another hypervector")
        known: Hypervectors = self._vectors[row].copy()
        return known

    def cleanup(self, hdv: Hypervectors, k: int = 1) -> list[tuple[str, int]]:
        """Return the k nearest (name, Hamming distance), nearest first, equal distances by name; exact."""
        self._check(hdv)
        if k < 1:
            raise InvalidArgument(f"invalid k: {k} is not positive")
        found = distances(self._vectors[: len(self._rows)], hdv).tolist()
        ranked = sorted((found[row], name) for name, row in self._rows.items())
        return [(name, distance) for distance, name in ranked[:k]]

    def _check(self, hdv: Hypervectors) -> None:
        bits = check_hypervectors(hdv, dimensions=(1,))
        if bits != self.bits:
            raise InvalidHypervector(f"invalid hypervector: {bits} bits where {self.bits} are expected")
