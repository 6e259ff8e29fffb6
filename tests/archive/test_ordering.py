"""The order of rows in a segment: every row once, the same each time, neighbours together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.archive.format import order_rows
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(0, 400), kinds=st.integers(1, 400), seed=st.integers(0, 2**31))
def test_it_is_a_permutation_and_the_same_again(rows: int, kinds: int, seed: int) -> None:
    """Also of rows that are all alike, and of none."""
    hdvs = _planted(rows, kinds, 1_024, 0.0, seed)
    order = order_rows(hdvs, seed)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(rows))
    assert np.array_equal(order_rows(hdvs.copy(), seed), order)


def test_planted_clusters_lie_together() -> None:
    """Rows that differ from one of 100 centres in 30 % of their bits: 40 of each, in two blocks at best."""
    rows, kinds = 4_000, 100
    place = np.argsort(order_rows(_planted(rows, kinds, 1_024, 0.3, 5)))
    blocks = [len(np.unique(place[kind::kinds] // 32)) for kind in range(kinds)]
    assert np.mean(blocks) < 4


def test_what_is_no_batch_of_hypervectors_is_refused() -> None:
    """Sums would be of something else."""
    with pytest.raises(InvalidArgument, match=r"float64\[3, 8\]"):
        order_rows(np.zeros((3, 8)))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"uint8\[8\]"):
        order_rows(np.zeros(8, np.uint8))


def _planted(rows: int, kinds: int, bits: int, noise: float, seed: int) -> Hypervectors:
    """Row i is centre i % kinds with a share of its components flipped."""
    dice = np.random.default_rng(seed)
    centres = dice.random((kinds, bits)) < 0.5
    return np.packbits(centres[np.arange(rows) % kinds] ^ (dice.random((rows, bits)) < noise), axis=1)
