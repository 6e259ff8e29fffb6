"""Names to hypervectors by four windows over fixed random roots: `mnemo.encode_lexical` says how."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from engine.hypervector import Hypervectors, random_hypervector
from engine.hypervector.algebra import check_bits

_ROOTS = 4
_VERSION = 1


class SymbolTable:
    """Makes the hypervectors of symbols and keeps some of those it made. Not for several threads."""

    def __init__(self, bits: int, capacity: int) -> None:
        self._bytes = check_bits(bits) // 8
        roots = (random_hypervector(f"mnemo:lexical:{_VERSION}:{k}", bits) for k in range(_ROOTS))
        self._windows = [
            np.lib.stride_tricks.sliding_window_view(np.concatenate([root, root]), self._bytes)
            for root in roots
        ]
        self._known: dict[str, int] = {}
        self._table = np.empty((capacity, self._bytes), np.uint8)

    @property
    def capacity(self) -> int:
        """How many it keeps, and how many different ones `rows` takes at a time."""
        return len(self._table)

    def rows(self, names: Sequence[str]) -> Hypervectors:
        """Return `uint8[n, D / 8]`, a copy, of at most `capacity` names."""
        known = self._known
        if len(known) + len(names) > len(self._table):
            known.clear()
        new = [name for name in dict.fromkeys(names) if name not in known]
        if new:
            start, stop = len(known), len(known) + len(new)
            # The table first: an interrupt between the two must not leave a name without its vector.
            self._table[start:stop] = self.make(new)
            known.update(zip(new, range(start, stop), strict=True))
        return self._table.take([known[name] for name in names], axis=0)

    def make(self, names: Sequence[str]) -> Hypervectors:
        """Return `uint8[n, D / 8]` without keeping anything."""
        digests = np.frombuffer(b"".join(sha256(name.encode()).digest() for name in names), np.uint8)
        parts = digests.reshape(-1, 32)[:, : 3 * _ROOTS].reshape(-1, _ROOTS, 3).astype(np.intp)
        offsets = ((parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2]) % self._bytes
        made: Hypervectors = self._windows[0][offsets[:, 0]]
        for k in range(1, _ROOTS):
            made ^= self._windows[k][offsets[:, k]]
        return made
