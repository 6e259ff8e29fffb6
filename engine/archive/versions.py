"""Which of several copies of a memory is its last: sets of copies and segments, in order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL, OVERLAY, FORGOTTEN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Winners:
    """What counts of one set: bool[n] of its rows each, by kind."""

    full: NDArray[np.bool_]
    overlay: NDArray[np.bool_]
    forgotten: NDArray[np.bool_]


class Versions:
    """Takes the ids of sets, oldest first, and says which of their rows count; 17 bytes a row are held.

    A memory forgotten anywhere stays forgotten: ids are never used again. Else its last whole row counts,
    and after that the last of those that bring other attributes alone (overlay).
    """

    def __init__(self) -> None:
        self._ids: list[NDArray[np.uint64]] = []
        self._kinds: list[NDArray[np.uint8]] = []

    def add(self, ids: NDArray[np.uint64], kinds: NDArray[np.uint8]) -> None:
        """Add the next set: uint64[n, 2] and uint8[n]."""
        self._ids.append(ids)
        self._kinds.append(kinds)

    def winners(self) -> list[Winners]:
        """Return what counts of each set, in the order in which they were added."""
        sizes = [len(kinds) for kinds in self._kinds]
        if not sum(sizes):
            none = np.zeros(0, np.bool_)
            return [Winners(none, none, none) for _ in sizes]
        ids, kinds = np.concatenate(self._ids), np.concatenate(self._kinds)
        # Stable: rows of one memory stay in the order of their sets.
        order = np.lexsort((ids[:, 1], ids[:, 0]))
        same = (ids[order][1:] == ids[order][:-1]).all(axis=1)
        group = np.concatenate([[0], np.cumsum(~same)])
        sorted_kinds, place = kinds[order], np.arange(len(order))
        last = {
            kind: _last(group, place, sorted_kinds == kind, int(group[-1]) + 1)
            for kind in (FULL, OVERLAY, FORGOTTEN)
        }
        gone = last[FORGOTTEN][group] >= 0
        full = ~gone & (last[FULL][group] == place)
        # Within a set the whole rows come first, so that attributes changed later win.
        overlay = ~gone & (last[OVERLAY][group] == place) & (place > last[FULL][group])
        forgotten = last[FORGOTTEN][group] == place
        back = np.empty_like(order)
        back[order] = place
        ends = np.cumsum(sizes)
        return [
            Winners(*(mask[back[end - size : end]] for mask in (full, overlay, forgotten)))
            for end, size in zip(ends, sizes, strict=True)
        ]


def _last(
    group: NDArray[np.int64], place: NDArray[np.int64], mask: NDArray[np.bool_], groups: int
) -> NDArray[np.int64]:
    last = np.full(groups, -1)
    # Of several assignments to one place the last stays.
    last[group[mask]] = place[mask]
    return last
