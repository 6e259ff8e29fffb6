"""Weights chosen on all conversations of locomo6 but one, and tried on that one, each in its turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.weights import Encoding
from engine.evaluation.bootstrap import Bootstrap
from tests.benchmarks.ablation import WIDEST, recall
from tests.benchmarks.conversations import Conversations
from tests.benchmarks.cosines import Cosines
from tests.benchmarks.parts import Parts
from tests.benchmarks.report import Row
from tests.benchmarks.reranking import TERMS, Candidates, Reranking
from tests.benchmarks.stage import BITS

FIRST: Mapping[str, tuple[int, ...]] = {
    "words": (128, 256, 320, 384, 512),
    "query_words": (128, 256, 512, 640, 768, 1024),
    "before1": (0, 64, 112, 128, 160),
    "before2": (0, 40, 80, 112),
    "after1": (0, 24, 48, 64, 96),
    "after2": (0, 32, 64, 96),
    "speaker": (0, 64, 128, 192, 256),
    "query_roles": (128, 256, 352, 512),
    "prefix": (0, 2, 4, 8),
    "gram": (0, 1, 2),
    "document_idf": (0, 1, 2),
    "query_idf": (1, 2, 3, 4, 5),
    "context_sample": (0, 64, 128, 256),
}
"""What the first stage's weights are chosen from."""
SECOND: Mapping[str, tuple[float, ...]] = {
    "coverage": (0, 0.02, 0.04, 0.055, 0.08, 0.12),
    "question": (0, -0.0075, -0.015, -0.03),
    "length": (0, 0.005, 0.011, 0.02),
    "role": (0, 0.015, 0.03, 0.06),
    "density": (0, 0.15, 0.3, 0.6),
    "embedding": (0, 0.025, 0.05, 0.1),
}
"""The same of the second stage's."""
# Knows nothing of what the defaults came to be: every component weighs the same, and none is refined.
EQUAL = {
    "words": 256, "query_words": 256, "before1": 64, "before2": 0, "after1": 24, "after2": 0, "speaker": 64,
    "query_roles": 256, "prefix": 4, "gram": 1, "document_idf": 2, "query_idf": 2, "context_sample": 0,
}  # fmt: skip
_PASSES = 3

Choice = dict[str, Any]
Scores = NDArray[np.float64]


def crossvalidate(data: Conversations, how: Encoding, ranking: Mapping[str, float]) -> list[Row]:
    """Choose and try both stages; `ranking`: the default weights of the second, and how many it ranks."""
    chosen = _choose_first(data, how)
    folds = [encoding_of(how, choice) for choice in chosen]
    statistics = data.statistics()
    count = int(ranking["candidates"])
    sides = ("at write", "consolidated")
    first = np.zeros((2, 2, len(data.questions)))
    lists: list[list[list[Candidates]]] = []
    for at, name in enumerate(data.names):
        parts = Parts(data, name, statistics)
        wide = parts.measure([how, folds[at]], bits=WIDEST)
        first[:, :, wide.questions] = recall(data, wide, BITS)
        pieces = parts.measure([how, *folds], bits=BITS)
        terms = Reranking(data, name, statistics, how)
        distances = next(pieces.of(BITS))
        lists.append([[terms.candidates(side, count) for side in each] for each in distances])
    default = {term: float(ranking[term]) for term in TERMS}
    second = np.zeros((3, 2, len(data.questions)))
    picked: list[Choice] = []
    for at in range(len(data.names)):
        rest = [place for place in range(len(data.names)) if place != at]
        picked.append(_choose_second([lists[place][0] for place in rest]))
        both = _choose_second([lists[place][1 + at] for place in rest])
        for side in (0, 1):
            ours, theirs = lists[at][0][side], lists[at][1 + at][side]
            second[0, side, ours.questions] = ours.recall(default)
            second[1, side, ours.questions] = ours.recall(picked[at])
            second[2, side, ours.questions] = theirs.recall(both)
    bootstrap = Bootstrap([question.context for question in data.questions])
    rows = []
    for name, scores, targets in (
        ("first stage, defaults", first[0], (None, None)),
        ("first stage, weights of the other five", first[1], (0.72, 0.74)),
        ("second stage, defaults", second[0], (None, None)),
        ("second stage, its weights of the other five", second[1], (0.77, 0.77)),
        ("both stages, all weights of the other five", second[2], (0.77, 0.77)),
    ):
        for side in (0, 1):
            interval = bootstrap.interval(scores[side])
            each = ", ".join(f"{scores[side][data.asked_in[name_]].mean():.3f}" for name_ in data.names)
            rows.append(Row(
                f"{name}, {sides[side]}", round(interval.mean, 4), "",
                f"95 % [{interval.low:.3f}, {interval.high:.3f}]; {each}", targets[side],
            ))  # fmt: skip
    for name, choice, pick in zip(data.names, chosen, picked, strict=True):
        print(f"without {name}: {choice} {pick}")
    return rows


def encoding_of(how: Encoding, choice: Choice) -> Encoding:
    """Return an encoding with chosen weights."""
    plain = (
        "words",
        "query_words",
        "query_roles",
        "prefix",
        "gram",
        "document_idf",
        "query_idf",
        "context_sample",
    )
    return replace(
        how,
        **{name: choice[name] for name in plain},
        before=(choice["before1"], choice["before2"]),
        after=(choice["after1"], choice["after2"]),
        roles={"speaker": choice["speaker"]},
    )


def climb(start: Choice, grid: Mapping[str, Sequence[float]], worth: Callable[[Choice], float]) -> Choice:
    """Change one weight after the other to what is worth most, until nothing gets better."""
    best, most = dict(start), worth(start)
    for _ in range(_PASSES):
        before = dict(best)
        for name, values in grid.items():
            for value in values:
                tried = {**best, name: value}
                if value != best[name] and (gain := worth(tried)) > most + 1e-9:
                    best, most = tried, gain
        if best == before:
            break
    return best


def _choose_first(data: Conversations, how: Encoding) -> list[Choice]:
    """Return the weights chosen without each conversation."""
    statistics = data.statistics()
    each = [Cosines(data, name, statistics, seed) for seed, name in enumerate(data.names)]
    counts = np.array([cosines.count for cosines in each])
    known: dict[tuple[int, ...], Scores] = {}

    def sums(choice: Choice) -> Scores:
        key = tuple(choice.values())
        if key not in known:
            encoding = encoding_of(how, choice)
            known[key] = np.array([cosines.recall(encoding).mean() for cosines in each])
        return known[key]

    def without(at: int) -> Callable[[Choice], float]:
        rest = np.arange(len(each)) != at
        return lambda choice: float(sums(choice)[rest].sum() / counts[rest].sum())

    return [climb(EQUAL, FIRST, without(at)) for at in range(len(each))]


def _choose_second(lists: Sequence[Sequence[Candidates]]) -> Choice:
    def worth(choice: Choice) -> float:
        found = [side.recall(choice) for sides in lists for side in sides]
        return float(np.concatenate(found).mean())

    return climb(dict.fromkeys(TERMS, 0.0), SECOND, worth)
