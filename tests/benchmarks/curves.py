"""Recall against latency: one point for each effort, and the latency at a recall between two points."""

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Curve:
    """The points of one side in the order of growing effort."""

    side: str
    effort: list[int] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)

    def latency_at(self, recall: float) -> float | None:
        """Return the median latency at this recall, interpolated; None where the side does not reach it.

        A side that is better with its least effort already counts with the latency of that.
        """
        points = list(zip(self.recall, self.p50_ms, strict=True))
        if points and points[0][0] >= recall:
            return points[0][1]
        for (low, fast), (high, slow) in pairwise(points):
            if low < recall <= high:
                return fast + (slow - fast) * (recall - low) / (high - low)
        return None
