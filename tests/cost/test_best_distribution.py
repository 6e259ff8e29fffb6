"""N6: the best distribution within a budget is the optimum over all assignments, one by one."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from tests.conftest import Connection

TERABYTE = 1024**4
DEFAULT = [(500.0, 1.0), (100.0, 20.0), (25.0, 100.0), (2.0, 1000.0)]
Prices = Sequence[tuple[float, float]]


@pytest.fixture
def priced(module_connection: Connection) -> Connection:
    """A database whose price list each test may change."""
    set_prices(module_connection, DEFAULT)
    return module_connection


def set_prices(connection: Connection, prices: Prices) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "update mnemo.tier_price set price_per_tb_month = %s, latency_target_ms = %s where place = %s",
            [(price, latency, place) for place, (price, latency) in enumerate(prices)],
        )


def ask(connection: Connection, rates: Sequence[float], budget: float, size: float = TERABYTE) -> list[Any]:
    return connection.execute(
        "select memories, accesses_per_hour, lowest_rate, monthly_cost, latency_ms"
        " from mnemo.best_distribution_of(%s::float8[], %s, %s)",
        [list(rates), size, budget],
    ).fetchall()


def every_assignment(rates: Sequence[float], prices: Prices) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return price and sum of rate * latency, float64[4 ** n] each, of all assignments to tiers."""
    chosen = np.array(list(product(range(4), repeat=len(rates))), np.int64).reshape(
        4 ** len(rates), len(rates)
    )
    price, latency = np.array(prices).T
    return price[chosen].sum(axis=1), latency[chosen] @ np.array(rates, float)


def check(rows: list[Any], rates: Sequence[float], prices: Prices, budget: float, best: float) -> None:
    """It keeps the budget, gives hot data the fast tiers, agrees with itself and is as good as `best`."""
    *tiers, total = rows
    counts = [row[0] for row in tiers]
    assert sum(counts) == total[0] == len(rates)
    cost = sum(Fraction(price) * count for (price, _), count in zip(prices, counts, strict=True))
    assert cost <= Fraction(budget)
    assert total[3] == pytest.approx(float(cost))
    left, value = sorted(rates, reverse=True), 0.0
    for (_, latency), (count, rate, lowest, _, _) in zip(prices, tiers, strict=True):
        held, left = left[:count], left[count:]
        assert rate == pytest.approx(sum(held))
        assert lowest == (held[-1] if held else None)
        value += latency * sum(held)
    assert value == pytest.approx(best, rel=1e-12, abs=1e-9)
    if sum(rates):
        assert total[4] == pytest.approx(best / sum(rates))


def small_case(random: Random) -> tuple[list[float], list[tuple[float, float]]]:
    """Draw up to six memories, often with equal or no rates, and a price list of any shape."""
    rates = [
        random.choice([0.0, 0.5, 1.0, 1.0, 3.0, random.randrange(64) / 4]) for _ in range(random.randrange(7))
    ]
    latencies = sorted(random.sample(range(1, 40), 4))
    kind = random.randrange(4)
    if kind == 0:
        prices = [random.randrange(20) for _ in range(4)]
    elif kind == 1:
        # Every step buys equally much: many optima, and the last unit of the budget decides.
        prices = [2 * (latencies[3] - latency) + 1 for latency in latencies]
    else:
        prices = sorted((random.randrange(1, 100) for _ in range(4)), reverse=True)
    return rates, [(price / 4, float(latency)) for price, latency in zip(prices, latencies, strict=True)]


def test_n6_is_the_best_of_all_assignments(priced: Connection) -> None:
    random = Random(6)
    for _ in range(400):
        rates, prices = small_case(random)
        set_prices(priced, prices)
        costs, values = every_assignment(rates, prices)
        budget = random.choice([*costs[:50], costs.max(), random.uniform(costs.min(), costs.max() + 1)])
        best = values[costs <= budget].min()
        check(ask(priced, rates, budget), rates, prices, budget, best)


def test_n6_is_the_best_of_all_boundaries(priced: Connection) -> None:
    """With many memories: every way to cut the sorted rates, the third cut where the budget ends."""
    rng = np.random.default_rng(7)
    for case in range(40):
        n = int(rng.integers(50, 200))
        rates = [
            np.round(rng.random(n) * 2**20) / 2**20,
            np.round(2**30 / np.arange(1, n + 1)) / 2**20,
            np.ones(n),
            rng.integers(0, 5, n).astype(float),
        ][case % 4]
        # The later lists hold tiers that only a mixture of two others beats: still best for the last dollars.
        prices = DEFAULT if case < 20 else [(400.0, 1.0), (390.0, 30.0), (30.0, 40.0), (2.0, 900.0)]
        set_prices(priced, prices)
        price, latency = np.array(prices).T
        budget = float(np.round(rng.uniform(n * price[3], n * price[0] * rng.choice([1.0, 0.3, 0.05]))))
        budget = max(budget, n * price[3])
        total = np.concatenate([[0], np.cumsum(np.sort(rates)[::-1])])
        room = budget - n * price[3]
        first, second = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        left = room - (price[0] - price[1]) * first - (price[1] - price[2]) * second
        third = np.minimum(n, left // (price[2] - price[3])).astype(int)
        possible = (first <= second) & (second <= third)
        gained = np.diff(latency)
        third = np.maximum(third, 0)
        value = latency[3] * total[n] - gained @ np.stack([total[c].ravel() for c in (first, second, third)])
        check(
            ask(priced, rates.tolist(), budget), rates.tolist(), prices, budget, value[possible.ravel()].min()
        )


def test_n6_names_the_least_budget(priced: Connection) -> None:
    for count, size in ((1, 3335.0), (7, 1e9), (100_000, 3335.25), (3, float(TERABYTE))):
        least = Fraction(2) * count * Fraction(size) / TERABYTE
        rates = [1.0] * count
        with pytest.raises(psycopg.Error, match="the least is") as refused:
            ask(priced, rates, float(least) * 0.99, size)
        assert refused.value.sqlstate == "MN002"
        named = float(str(refused.value.diag.message_primary).rpartition("$")[2])
        assert least <= named <= least * Fraction(1002, 1000)
        assert ask(priced, rates, named, size)[3][0] > 0


@pytest.mark.parametrize(
    ("rates", "size", "budget", "message"),
    [
        ([1.0], 1.0, -1.0, "budget .* not -1"),
        ([1.0], 1.0, float("nan"), "budget .* not NaN"),
        ([1.0], 0.0, 1.0, "bytes .* not 0"),
        ([1.0], float("inf"), 1.0, "bytes .* not Infinity"),
        ([1.0, -2.0], 1.0, 1.0, "rates .* not -2"),
        ([1.0, None], 1.0, 1.0, "rates .* not null"),
        ([float("nan")], 1.0, 1.0, "rates .* not NaN"),
        ([float("inf")], 1.0, 1.0, "rates .* not Infinity"),
    ],
)
def test_n6_refuses(priced: Connection, rates: Any, size: float, budget: float, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as refused:
        ask(priced, rates, budget, size)
    assert refused.value.sqlstate == "MN002"


def test_n6_extremes(priced: Connection) -> None:
    *tiers, total = ask(priced, [], 0.0)
    assert [row[0] for row in tiers] == [0] * 4
    assert total[2:] == (None, 0.0, None)
    # Nobody pays for memories that nobody uses.
    assert [row[0] for row in ask(priced, [0.0, 0.0, 1.0], float("inf"))] == [1, 0, 0, 2, 3]
