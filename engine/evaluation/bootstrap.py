"""Confidence intervals by the percentile bootstrap (Efron 1979), over questions or over their contexts."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
# Percentiles over fewer contexts than this say little: there are too few ways to draw them.
FEWEST_CONTEXTS = 5
_CELLS_AT_ONCE = 4_000_000

Unit = Literal["contexts", "questions"]


class Interval(NamedTuple):
    """A mean and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float


class Bootstrap:
    """Intervals for means over questions.

    Questions of one conversation are not independent of each other: where they come from 5 contexts or more,
    whole contexts are drawn, each with all its questions. `contexts` names that of each question, None for a
    question asked in none, and then single questions are drawn. The same seed draws the same again, so that
    the values of two methods are drawn in pairs.
    """

    def __init__(self, contexts: Sequence[str | None], *, seed: int = 0, resamples: int = 2000) -> None:
        self.seed = seed
        self.resamples = resamples
        self._contexts = None if None in contexts else np.unique(np.array(contexts), return_inverse=True)[1]

    def unit(self, chosen: NDArray[np.bool_]) -> Unit:
        """Return what is drawn for these questions, bool[n]."""
        if self._contexts is None or len(np.unique(self._contexts[chosen])) < FEWEST_CONTEXTS:
            return "questions"
        return "contexts"

    def interval(self, values: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None) -> Interval:
        """Return the interval of the mean of float64[n], of the chosen questions, bool[n], where given."""
        chosen = np.ones(len(values), np.bool_) if chosen is None else chosen
        sums: NDArray[np.float64] = values[chosen]
        counts: NDArray[np.float64] = np.ones(len(sums))
        if self.unit(chosen) == "contexts":
            assert self._contexts is not None
            of = np.unique(self._contexts[chosen], return_inverse=True)[1]
            sums, counts = np.asarray(np.bincount(of, sums), np.float64), np.bincount(of).astype(np.float64)
        means = self._means(sums, counts)
        low, high = np.percentile(means, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
        return Interval(float(values[chosen].mean()), float(low), float(high))

    def _means(self, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        rng = np.random.default_rng(self.seed)
        units = len(sums)
        at_once = max(1, _CELLS_AT_ONCE // units)
        means = []
        for start in range(0, self.resamples, at_once):
            drawn = rng.multinomial(
                units, np.full(units, 1 / units), size=min(at_once, self.resamples - start)
            )
            means.append((drawn @ sums) / (drawn @ counts))
        return np.concatenate(means)
