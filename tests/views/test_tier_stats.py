"""N7, O7: mnemo.tier_stats says what a plain count says."""

from typing import Any

import pytest

from tests.conftest import Connection
from tests.views.conftest import DAY, Keeper, clock, one, rows

TIERS = ("hot", "warm", "cold", "archive")


def stats(connection: Connection) -> dict[str, dict[str, Any]]:
    """Rows of the view by tier, which come in order."""
    cursor = connection.execute("select * from mnemo.tier_stats")
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    found = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    assert tuple(found) == TIERS
    return found


def test_n7_counts_of_all_tenants(small: Connection, keeper: Keeper) -> None:
    life, found = keeper.life, stats(small)
    today = f"{life.now:%Y-%m-%d}"
    for tier in TIERS:
        held = [memory for memory, where in life.tier.items() if where == tier]
        strengths = [life.strength_at(memory, life.now) for memory in held]
        said = found[tier]
        assert (said["memories"], said["pinned"]) == (
            len(held),
            sum(life.written[memory][1].pinned for memory in held),
        )
        assert said["mean_strength"] == (
            pytest.approx(sum(strengths) / len(held), rel=1e-6) if held else None
        )
        assert said["accesses"] == sum(where == tier for _, _, where in life.counted)
        assert said["accesses_today"] == sum((day, where) == (today, tier) for day, _, where in life.counted)
        # A consolidation has just ended.
        assert said["due_now"] == 0
    assert sum(said["memories"] for said in found.values()) == len(life.written)

    clock(small, life.now + 1_000 * DAY)
    found = stats(small)
    assert {tier: found[tier]["due_now"] for tier in TIERS} == {
        "hot": found["hot"]["memories"] - found["hot"]["pinned"],
        "warm": found["warm"]["memories"],
        "cold": 0,
        "archive": 0,
    }
    assert [said["accesses_today"] for said in found.values()] == [0, 0, 0, 0]


def test_n7_cost_of_each_tier(small: Connection, keeper: Keeper) -> None:
    small.execute("select mnemo.set_tier_price('warm', 128, 15)")
    size = one(small, "select mnemo.memory_bytes()")
    found = stats(small)
    prices = {"hot": (500, 1), "warm": (128, 15), "cold": (25, 100), "archive": (2, 1000)}
    for tier, said in found.items():
        price, target = prices[tier]
        assert (said["price_per_tb_month"], said["latency_target_ms"]) == (price, target)
        # Too few memories to measure how large one is.
        assert said["monthly_cost"] == pytest.approx(said["memories"] * size / 2**40 * price)
        assert said["latency_ms"] is None


def test_o7_capacity_and_whether_the_target_is_reached(small: Connection) -> None:
    keeper = Keeper(small)
    small.execute("select mnemo.create_collection('facts')")
    keeper.write("ada", "m", 6)
    keeper.write("bo", "f", 3, collection="facts")
    size = one(small, "select mnemo.memory_bytes()")

    def hot() -> tuple[Any, ...]:
        said = stats(small)["hot"]
        return tuple(
            said[name] for name in ("capacity_rows", "capacity_bytes", "capacity_used", "target_reached")
        )

    def limit(settings: str) -> None:
        small.execute("select mnemo.alter_eviction_policy('hot-capacity', %s::jsonb)", [settings])

    assert hot() == (100_000, None, pytest.approx(9 / 100_000), True)
    limit('{"capacity_rows": 9}')
    assert hot() == (9, None, 1, True)
    limit('{"capacity_rows": 8}')
    assert hot() == (8, None, 9 / 8, False)
    # The tighter of two limits counts.
    limit(f'{{"capacity_rows": 90, "capacity_bytes": {6 * size}}}')
    assert hot() == (90, 6 * size, 1.5, False)
    # A collection with a policy of its own is none of the general one's business.
    small.execute("select mnemo.add_eviction_policy('facts-hot', 'hot', 'warm', 2, collection => 'facts')")
    assert hot() == (90, 6 * size, 1, True)
    limit('{"enabled": false}')
    assert hot() == (None, None, None, None)
    assert rows(
        small, "select tier, capacity_used, target_reached from mnemo.tier_stats where tier <> 'hot'"
    ) == [
        ("warm", None, None),
        ("cold", None, None),
        ("archive", None, None),
    ]
