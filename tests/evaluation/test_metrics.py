"""Metrics and intervals against values computed by hand and by other formulas."""

import itertools
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.metrics import Scores, score

A, B, C, D, E = (UUID(int=n) for n in range(5))


@pytest.mark.parametrize(
    ("ranking", "answers", "k", "expected"),
    [
        # 1/log2(2) of 1/log2(2): all there is to gain.
        ([A, B, C], {A}, 3, Scores(1.0, 1.0, 1.0, 1.0)),
        # At ranks 2 and 4: (1/log2(3) + 1/log2(5)) / (1 + 1/log2(3)).
        ([C, A, D, B], {A, B}, 4, Scores(1.0, 0.6509209298071326, 0.5, 1.0)),
        # The second lies beyond k, which nDCG at 10 does not mind.
        ([C, A, D, B], {A, B}, 2, Scores(0.5, 0.6509209298071326, 0.5, 1.0)),
        # Beyond k: neither recall nor hit; at rank 3 of 5, 1/log2(4).
        ([C, D, A], {A}, 1, Scores(0.0, 0.5, 1 / 3, 0.0)),
        ([C, D], {A, B}, 2, Scores(0.0, 0.0, 0.0, 0.0)),
        ([], {A}, 10, Scores(0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_metrics_are_those_computed_by_hand(
    ranking: list[UUID], answers: set[UUID], k: int, expected: Scores
) -> None:
    assert score(ranking, answers, k) == pytest.approx(expected)


@given(
    st.permutations(range(25)),
    st.integers(0, 25),
    st.sets(st.integers(0, 30), min_size=1, max_size=15),
    st.integers(1, 25),
)
def test_metrics_equal_the_formulas_over_vectors_of_gains(
    order: list[int], shown: int, answers: set[int], k: int
) -> None:
    ranking = order[:shown]
    found = score([UUID(int=n) for n in ranking], {UUID(int=n) for n in answers}, k)
    gains = np.isin(np.pad(ranking, (0, 60 - shown), constant_values=-1), list(answers)).astype(float)
    ideal = np.sort(np.pad(np.ones(len(answers)), (0, 60 - len(answers))))[::-1]
    discount = np.log2(np.arange(2, 62))
    assert found.recall == pytest.approx(gains[:k].sum() / len(answers))
    assert found.ndcg == pytest.approx((gains / discount)[:10].sum() / (ideal / discount)[:10].sum())
    assert found.reciprocal_rank == pytest.approx(np.max(gains / np.arange(1, 61)))
    assert found.hit == gains[:k].max()


def test_an_interval_over_questions_is_that_of_every_possible_draw() -> None:
    values = np.array([0.0, 0.1, 0.4, 0.5, 1.0])
    draws = [np.mean(draw) for draw in itertools.product(values, repeat=5)]
    found = Bootstrap(["c"] * 5, seed=3, resamples=200_000).interval(values)
    assert found.mean == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=0.011)


def test_an_interval_over_contexts_is_that_of_every_possible_draw() -> None:
    sizes = {"a": 1, "b": 5, "c": 2, "d": 4, "e": 3}
    contexts = [name for name, size in sizes.items() for _ in range(size)]
    values = np.random.default_rng(1).random(len(contexts))
    drawn = [
        np.mean(np.concatenate([values[np.array(contexts) == name] for name in draw]))
        for draw in itertools.product(sizes, repeat=5)
    ]
    bootstrap = Bootstrap(contexts, seed=4, resamples=100_000)
    everything = np.ones(len(contexts), np.bool_)
    assert bootstrap.unit(everything) == "contexts"
    found = bootstrap.interval(values)
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.004)
    # Four contexts, or a question without any, are too little to draw contexts.
    assert bootstrap.unit(np.array(contexts) != "a") == "questions"
    assert Bootstrap([*contexts, None]).unit(np.ones(len(contexts) + 1, np.bool_)) == "questions"


def test_the_same_seed_draws_the_same_questions_for_every_method() -> None:
    rng = np.random.default_rng(2)
    worse = rng.random(300)
    bootstrap = Bootstrap([None] * 300, seed=5)
    # Paired, a constant difference has no spread at all, however much the methods spread.
    found = bootstrap.interval((worse + 0.25) - worse)
    assert found == pytest.approx((0.25, 0.25, 0.25))
    assert bootstrap.interval(worse) == Bootstrap([None] * 300, seed=5).interval(worse)
    assert bootstrap.interval(worse) != Bootstrap([None] * 300, seed=6).interval(worse)
