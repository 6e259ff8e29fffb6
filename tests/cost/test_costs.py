"""N2, N6: prices, what memories cost where they are, and the tier that fits their use."""

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from tests.adaptive.plant import clock, fill, one
from tests.cli.conftest import Run, environment, mnemo  # noqa: F401
from tests.conftest import Connection, DatabaseFactory

HOUR_S = 3_600
PRICES = {"hot": 500, "warm": 100, "cold": 25, "archive": 2}
ABOVE = {"hot": 1, "warm": 0.1, "cold": 0.01}


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of 1,024 bits."""
    return database_factory(1_024, 256)


@pytest.fixture
def used(small_dsn: str) -> Iterator[Connection]:
    """300 memories with every kind of use, seen 1,000 hours after they were written."""
    with psycopg.connect(small_dsn, autocommit=True) as connection:
        clock(connection, 0)
        fill(connection, 300)
        random = Random(4)
        ids = [row[0] for row in connection.execute("select id from mnemo.activity").fetchall()]
        with connection.cursor() as cursor:
            cursor.executemany(
                "update mnemo.activity set tier_accesses = %s, access_count = 5000, tier = %s, segment = %s,"
                " entered_tier_at = mnemo.now() + make_interval(hours => %s),"
                " last_access = mnemo.now() + make_interval(hours => %s) where id = %s",
                [
                    (random.choice([0, 1, 20, 300, 3_000]), *tier, entered, last, memory)
                    for memory in ids
                    for tier in [random.choice([("hot", 0), ("warm", 1), ("cold", 2)])]
                    for entered in [random.choice([0, 500, 990, 1_000])]
                    for last in [random.choice([None, 100, 700, 995, 1_000])]
                ],
            )
        clock(connection, 1_000 * HOUR_S)
        yield connection


def expected_rate(accesses: int, entered: float, last: float | None) -> float:
    """Return accesses an hour by the documented rule; times in hours before now."""
    rate = (accesses + 1) / (entered + 1)
    unused = min(entered, entered if last is None else last) - 24
    return min(rate, 1 / unused) if unused > 0 else rate


def fitting(rate: float) -> str:
    return next((tier for tier, above in ABOVE.items() if rate > above), "archive")


def rows_of(connection: Connection) -> list[tuple[Any, str, float]]:
    """Return id, tier and expected rate of every memory."""
    rows = connection.execute(
        "select id, tier, tier_accesses, extract(epoch from mnemo.now() - entered_tier_at)::float8 / 3600,"
        " extract(epoch from mnemo.now() - last_access)::float8 / 3600 from mnemo.activity"
    ).fetchall()
    return [(memory, tier, expected_rate(*rest)) for memory, tier, *rest in rows]


def refused(
    connection: Connection, sqlstate: str, message: str, query: LiteralString, *arguments: Any
) -> None:
    with pytest.raises(psycopg.Error, match=message) as error:
        connection.execute(query, arguments)
    assert error.value.sqlstate == sqlstate


def test_n6_rate_and_tier_of_a_memory(used: Connection) -> None:
    rows = rows_of(used)
    for memory, _, rate in rows[:40]:
        assert one(used, "select mnemo.access_rate(%s)", memory) == pytest.approx(rate)
    for rate in (0, 0.005, 0.01, 0.0100001, 0.1, 0.11, 1, 1.01, 1e9, float("inf")):
        assert one(used, "select mnemo.recommended_tier(%s)", rate) == fitting(rate)
    moves = Counter((tier, fitting(rate)) for _, tier, rate in rows)
    found = used.execute(
        "select tier, recommended, memories, monthly_saving from mnemo.recommended_tiers"
    ).fetchall()
    size = one(used, "select mnemo.memory_bytes()")
    assert {(tier, best): count for tier, best, count, _ in found} == moves
    for tier, best, count, saving in found:
        assert saving == pytest.approx(count * size * (PRICES[tier] - PRICES[best]) / 1024**4)
    refused(used, "MN005", "unknown memory", "select mnemo.access_rate(%s)", uuid4())
    for wrong in (-1, float("nan"), None):
        refused(used, "MN002", "rate must be", "select mnemo.recommended_tier(%s)", wrong)


def test_n6_monthly_cost(used: Connection) -> None:
    held = Counter(tier for _, tier, _ in rows_of(used))
    found = used.execute("select * from mnemo.monthly_cost(%s)", [1024.0**3]).fetchall()
    for tier, memories, size, price, cost in found[:-1]:
        assert (memories, price) == (held[tier], PRICES[tier])
        assert size == held[tier] * 1024**3
        assert cost == pytest.approx(held[tier] * PRICES[tier] / 1024)
    assert [row[0] for row in found] == [*PRICES, "total"]
    assert found[-1][1:4] == (300, 300 * 1024**3, None)
    assert found[-1][4] == pytest.approx(sum(row[4] for row in found[:-1]))
    refused(used, "MN002", "bytes of a memory .* not 0", "select mnemo.monthly_cost(0)")
    assert one(used, "select sum(monthly_cost) from mnemo.tier_cost") == pytest.approx(
        sum(PRICES[tier] * count for tier, count in held.items())
        * one(used, "select mnemo.memory_bytes()")
        / 1024**4
    )


def test_n6_best_distribution_takes_the_rates_of_all(used: Connection) -> None:
    rates = [rate for _, _, rate in rows_of(used)]
    ours = used.execute("select * from mnemo.best_distribution(20, %s)", [1024.0**3]).fetchall()
    given = used.execute(
        "select * from mnemo.best_distribution_of(%s::float8[], %s, 20)", [rates, 1024.0**3]
    ).fetchall()
    for one_row, other in zip(ours, given, strict=True):
        assert one_row[:2] == other[:2]
        assert one_row[2:] == pytest.approx(other[2:])


def test_n2_prices(used: Connection) -> None:
    change = "select mnemo.set_tier_price(%s, %s, %s, %s)"
    used.execute(change, ["warm", 80.1234, None, None])
    used.execute(change, ["archive", None, 5_000, None])
    used.execute(change, ["cold", None, None, 0.05])
    assert used.execute(
        "select tier, place, price_per_tb_month::float8, latency_target_ms, accesses_per_hour"
        " from mnemo.tier_price order by place"
    ).fetchall() == [
        ("hot", 0, 500, 1, 1),
        ("warm", 1, 80.1234, 20, 0.1),
        ("cold", 2, 25, 100, 0.05),
        ("archive", 3, 2, 5_000, 0),
    ]
    refused(used, "MN007", "unknown tier 'tepid'", change, "tepid", 1, 1, 1)
    refused(used, "MN007", "unknown tier null", change, None, 1, 1, 1)
    for wrong in (-1, float("nan"), float("inf")):
        refused(used, "MN002", "price_per_tb_month must be", change, "hot", wrong, None, None)
        refused(used, "MN002", "latency_target_ms must be", change, "hot", None, wrong, None)
        refused(used, "MN002", "accesses_per_hour must be", change, "hot", None, None, wrong)
    refused(
        used, "MN002", "latency_target_ms of hot must be below that of warm", change, "warm", None, 1, None
    )
    refused(used, "MN002", "accesses_per_hour of warm must be above", change, "cold", None, None, 0.1)
    refused(used, "MN002", "accesses_per_hour of archive must be 0", change, "archive", None, None, 0.001)


def test_n6_cost_for_people(mnemo: Run, used: Connection, small_dsn: str) -> None:  # noqa: F811
    done = mnemo("cost", "--dsn", small_dsn, "--budget", "0.0001")
    assert done.code == 0, done.err
    assert "Fastest for $0.0001 a month" in done.out
    assert "By their use, in another tier" in done.out
    found = json.loads(mnemo("cost", "--dsn", small_dsn, "--budget", "0.0001", "--json").out)
    assert [row["tier"] for row in found["tiers"]] == [*PRICES, "total"]
    assert sum(row["memories"] for row in found["best"][:-1]) == found["best"][-1]["memories"] == 300
    assert found["best"][-1]["monthly_cost"] <= 0.0001
    refusal = mnemo("cost", "--dsn", small_dsn, "--budget", "0")
    assert (refusal.code, refusal.out) == (1, "")
    assert "the least is" in refusal.err
    assert mnemo("cost", "--dsn", small_dsn, "--budget", "nan").code == 1
