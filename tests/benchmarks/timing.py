"""Sides measured in turns, so that what else the machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.hypervector import Hypervectors

# Queries asked of one side before the next has its turn: enough to fill the processor's caches again.
_TURN = 10


@dataclass
class Answers:
    """What one side answered: the places of the hits and the seconds of each query."""

    places: list[list[int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return statistics.median(self.seconds) * 1000

    @property
    def p95_ms(self) -> float:
        """The latency that 95 % of the queries keep."""
        return float(np.percentile(self.seconds, 95)) * 1000


def ask_in_turns(
    sides: Mapping[str, Callable[[bytes], list[int]]], queries: Sequence[bytes], warm_up: int = 10
) -> dict[str, Answers]:
    """Ask every query of every side."""
    answers = {name: Answers() for name in sides}
    for ask in sides.values():
        for query in queries[:warm_up]:
            ask(query)
    for start in range(0, len(queries), _TURN):
        for name, ask in sides.items():
            for query in queries[start : start + _TURN]:
                began = time.perf_counter()
                places = ask(query)
                answers[name].seconds.append(time.perf_counter() - began)
                answers[name].places.append(places)
    return answers


def run_in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every side `rounds` times in turns; each returns the seconds that count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            seconds[name].append(run())
    return seconds


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds the action took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def recall_at_10(
    answers: Answers, queries: Hypervectors, stored: Hypervectors, tenth: Sequence[int]
) -> float:
    """Return the share of true neighbours found; a hit as near as the tenth neighbour counts as one."""
    found = 0
    for places, query, bound in zip(answers.places, queries, tenth, strict=True):
        differing = np.bitwise_xor(stored[places], query) if places else np.empty((0, 8), np.uint8)
        distances = np.bitwise_count(differing.view(np.uint64)).sum(axis=1, dtype=np.int64)
        found += int((distances <= bound).sum())
    return found / (10 * len(queries))
