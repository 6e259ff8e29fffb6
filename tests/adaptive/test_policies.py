"""O5: telemetry counts each access once; changes are explained and undone; bad input is refused."""

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, LiteralString

import numpy as np
import psycopg
import pytest

from tests.adaptive.plant import capacity, clock, count, fill, look, one, report
from tests.conftest import Connection, DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.locks import sessions
from tests.support.memories import Draft, remember_all

DAY_S = 86_400


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of 1,024 bits."""
    return database_factory(1_024, 256)


@pytest.fixture
def small(small_dsn: str) -> Iterator[Connection]:
    """A connection to it, its clock set."""
    with psycopg.connect(small_dsn, autocommit=True) as connection:
        clock(connection, 0)
        yield connection


def refused(
    connection: Connection, sqlstate: str, message: str, query: LiteralString, *arguments: Any
) -> None:
    with pytest.raises(psycopg.Error, match=message) as error:
        connection.execute(query, arguments)
    assert error.value.sqlstate == sqlstate


def test_o5_each_access_is_in_one_sample(small: Connection) -> None:
    """Over midnights and days without samples; what an earlier day still gets after midnight counts too."""
    chance = random.Random(1)
    count(small, hot=1_000, warm=5)
    at, expected = 0.0, {"hot": 0, "warm": 0, "cold": 0}
    assert one(small, "select mnemo.telemetry_step()") == 1
    for step in range(60):
        at += chance.choice([5, 10, 600, DAY_S / 3, 2.5 * DAY_S])
        late = chance.random() < 0.2
        clock(small, at)
        for tier in expected:
            if chance.random() < 0.6:
                added = chance.randrange(1, 100)
                count(small, **{tier: added})
                expected[tier] += added
        assert one(small, "select mnemo.telemetry_step()") == 1
        assert one(small, "select mnemo.telemetry_step()") == 0
        if late:
            # A count of just before, that became visible only now.
            count(small, cold=1)
            expected["cold"] += 1
        if step % 20 == 19:
            small.execute("delete from mnemo.telemetry where at < mnemo.now()")
            clock(small, at + 5)
            at += 5
            small.execute("select mnemo.telemetry_step()")
            row = small.execute(
                "select hot_accesses, warm_accesses, cold_accesses from mnemo.telemetry order by at desc"
            )
            latest = row.fetchone()
            assert latest is not None
            assert latest[:2] == (0, 0)
    totals: dict[str, int] = dict(small.execute("select tier, total from mnemo.telemetry_mark").fetchall())
    assert totals == {
        "hot": 1_000 + expected["hot"],
        "warm": 5 + expected["warm"],
        "cold": expected["cold"],
        "archive": 0,
    }


def test_o5_a_sample_says_what_there_is(small: Connection) -> None:
    fill(small, 300)
    report(small, 120, 0, 0)
    small.execute("select mnemo.telemetry_step()")
    clock(small, 10)
    count(small, hot=30, warm=9, cold=1)
    small.execute("select mnemo.telemetry_step()")
    row = one(
        small,
        "select hot_accesses, warm_accesses, cold_accesses, hot_memories, warm_memories, cold_memories,"
        " hot_hit_rate, at - since = interval '10 s' from mnemo.telemetry order by at desc limit 1",
    )
    assert row == (30, 9, 1, 120, 180, 0, 0.75, True)
    assert one(
        small,
        "select s.hot_bytes = t.total_bytes from mnemo.tier_stats t,"
        " (select hot_bytes from mnemo.telemetry limit 1) s where t.tier = 'hot'",
    )


def tuned(connection: Connection) -> int:
    """Let one change happen; return its number."""
    fill(connection, 1_000)
    connection.execute("select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 400}')")
    connection.execute("select mnemo.add_adaptive_policy('hot-capacity', 0.8, 10, 900)")
    look(connection)
    for period in (1, 2):
        clock(connection, 300 * period)
        report(connection, 400, 5_000, 10_000)
        look(connection)
    change: int = one(connection, "select max(change) from mnemo.policy_change")
    return change


def test_o5_a_change_is_explained_and_undone(small: Connection) -> None:
    change = tuned(small)
    # 400 * (0.8 / 0.5) ** 0.5
    assert capacity(small) == 506
    assert small.execute(
        "select parameter, old, new, reason, reverted, hot_memories, hot_hit_rate"
        " from mnemo.policy_history where change = %s",
        [change],
    ).fetchall() == [
        (
            "capacity_rows",
            "400",
            "506",
            "hot hit rate 0.500 over the last 5 min, target 0.8: capacity_rows 400 -> 506",
            False,
            400,
            0.5,
        )
    ]
    undone = one(small, "select mnemo.revert_policy_change(%s)", change)
    assert capacity(small) == 400
    assert one(small, "select enabled, status from mnemo.adaptive") == (
        False,
        f"disabled: its change {change} was undone",
    )
    assert one(small, "select reverted, reverted_by from mnemo.policy_history where change = %s", change) == (
        True,
        undone,
    )
    clock(small, 900)
    report(small, 400, 5_000, 10_000)
    assert one(small, "select mnemo.adapt_step()") == 0
    assert capacity(small) == 400
    refused(
        small, "MN002", f"undone already, by change {undone}", "select mnemo.revert_policy_change(%s)", change
    )
    refused(small, "MN010", "unknown policy change 999", "select mnemo.revert_policy_change(999)")
    refused(small, "MN010", "unknown policy change null", "select mnemo.revert_policy_change(null)")
    assert one(small, "select mnemo.revert_policy_change(%s)", undone) > undone
    assert capacity(small) == 506


def test_o5_added_and_removed_policies_are_undone(small: Connection) -> None:
    before = small.execute("select p.*::text from mnemo.policy p order by name").fetchall()
    removed = one(small, "select mnemo.remove_promotion_policy('cold-promotion')")
    added = one(small, "select mnemo.add_ttl_policy('old', '1 year')")
    altered = one(small, "select mnemo.alter_ttl_policy('old', '{\"after\": \"2 years\"}')")
    refused(small, "MN002", "superseded: policy 'old'", "select mnemo.revert_policy_change(%s)", added)
    for change in (altered, added, removed):
        small.execute("select mnemo.revert_policy_change(%s)", [change])
    kept = "select (to_jsonb(p) - 'created_at')::text from mnemo.policy p order by name"
    assert len(small.execute(kept).fetchall()) == len(before)
    assert one(small, "select count(*) from mnemo.policy_history where reverted") == 3


@pytest.mark.parametrize(
    ("sqlstate", "message", "arguments"),
    [
        ("MN010", "unknown policy 'none'", ("none", 0.5, 1, 2)),
        ("MN002", "has no number that decides what is hot", ("warm-decay", 0.5, 0.1, 0.2)),
        ("MN002", "target .* not 0", ("hot-capacity", 0, 1, 2)),
        ("MN002", "target .* not NaN", ("hot-capacity", float("nan"), 1, 2)),
        ("MN002", "target .* not null", ("hot-capacity", None, 1, 2)),
        ("MN002", "highest .* from 20 .* not 10", ("hot-capacity", 0.5, 20, 10)),
        ("MN002", "lowest .* not 0", ("hot-capacity", 0.5, 0, 10)),
        ("MN002", "highest .* not Infinity", ("hot-capacity", 0.5, 1, float("inf"))),
        ("MN002", "are both 5", ("hot-capacity", 0.5, 5, 5)),
        ("MN002", "highest .* to 1, not 2", ("hot-decay", 0.5, 0.1, 2)),
        ("MN002", "learning_rate .* not 1.5", ("hot-capacity", 0.5, 1, 2, 1.5)),
        ("MN002", "learning_rate .* not 0", ("hot-capacity", 0.5, 1, 2, 0)),
        ("MN002", "deadband .* not 0", ("hot-capacity", 0.5, 1, 2, 1, 0)),
    ],
)
def test_o5_refuses(
    module_connection: Connection, sqlstate: str, message: str, arguments: tuple[Any, ...]
) -> None:
    rest = [*arguments, *(0.5, 0.02)[len(arguments) - 4 :]]
    refused(
        module_connection,
        sqlstate,
        message,
        "select mnemo.add_adaptive_policy(%s::text, %s, %s, %s, %s, %s)",
        *rest,
    )


def test_o5_one_policy_tunes_itself_at_a_time(small: Connection) -> None:
    small.execute("select mnemo.add_adaptive_policy('hot-capacity', 0.8, 10, 900)")
    add = "select mnemo.add_adaptive_policy('hot-decay', 0.8, 0.4, 0.7, enabled => %s)"
    refused(small, "MN002", "'hot-capacity' tunes itself already", add, True)
    refused(small, "MN002", "adaptive already", "select mnemo.add_adaptive_policy('hot-capacity', 0.5, 1, 2)")
    small.execute(add, [False])
    alter = "select mnemo.alter_adaptive_policy(%s::text, %s)"
    refused(small, "MN002", "'hot-capacity' tunes itself already", alter, "hot-decay", '{"enabled": true}')
    refused(small, "MN010", "'none' is not adaptive", alter, "none", "{}")
    refused(small, "MN002", "no setting 'parameter'", alter, "hot-decay", '{"parameter": "x"}')
    refused(small, "MN002", "must be a JSON object", alter, "hot-decay", "[]")
    refused(small, "MN002", "invalid input", alter, "hot-decay", '{"target": "much"}')
    refused(small, "MN002", "not null", alter, "hot-decay", '{"enabled": null}')
    small.execute("select mnemo.remove_adaptive_policy('hot-capacity')")
    refused(small, "MN010", "not adaptive", "select mnemo.remove_adaptive_policy('hot-capacity')")
    small.execute(alter, ["hot-decay", '{"enabled": true}'])
    # A policy that is removed tunes itself no more.
    small.execute("select mnemo.remove_tier_policy('hot-decay')")
    assert one(small, "select count(*) from mnemo.adaptive") == 0


def test_o5_is_off_until_enabled(small: Connection) -> None:
    assert one(small, "select enabled, every = interval '5 min' from mnemo.job where name = 'adapt'") == (
        False,
        True,
    )
    assert one(small, "select count(*) from mnemo.adaptive") == 0


def test_o5_no_two_look_at_a_policy_at_once(small: Connection, small_dsn: str) -> None:
    tuned(small)
    with sessions(small_dsn) as (first, second):
        for session in (first, second):
            clock(session.connection, 900)
        assert first.run("select mnemo.adapt_step()") == 1
        assert second.run("select mnemo.adapt_step()") == 0
        second.rollback()
        # Nor does a revert slip in between.
        waiting = second.start("select mnemo.revert_policy_change(max(change)) from mnemo.policy_change")
        assert not waiting.done()
        first.commit()
        assert waiting.result() > 0


def test_o5_works_on_real_memories(small: Connection) -> None:
    """Remembered, used, folded and consolidated: capacity shrinks to what the hit rate needs."""
    rng = np.random.default_rng(5)
    ids = remember_all(
        small, [Draft(str(n), rng.integers(0, 256, 128, np.uint8), importance=1.0) for n in range(120)]
    )
    small.execute("select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 120}')")
    # Promotion would bring back whatever is used; here only eviction acts.
    small.execute("select mnemo.alter_promotion_policy('warm-promotion', '{\"enabled\": false}')")
    small.execute("select mnemo.add_adaptive_policy('hot-capacity', 0.6, 5, 120, deadband => 0.05)")
    look(small)
    sizes = [capacity(small)]
    weights = 1 / np.arange(1, 121)
    for period in range(1, 36):
        clock(small, period * 300)
        chosen = rng.choice(120, 1_000, p=weights / weights.sum())
        with small.cursor() as cursor:
            cursor.executemany(
                "insert into mnemo.access_log (at, memory_ids)"
                " values (mnemo.now() - make_interval(secs => %s), %s)",
                [(200 - n, [ids[m] for m in chosen[5 * n : 5 * n + 5]]) for n in range(200)],
            )
        small.execute("call mnemo.consolidate()")
        look(small)
        sizes.append(capacity(small))
    assert sizes == sorted(sizes, reverse=True)
    assert 5 < sizes[-1] < 60
    assert sizes[-5] <= 1.15 * sizes[-1]
    # Those used most are those that stayed: the rate of the last samples is what it was tuned for.
    rate = one(
        small,
        "select sum(hot_accesses) / sum(hot_accesses + warm_accesses + cold_accesses)"
        " from (select * from mnemo.telemetry order by at desc limit 4) as t",
    )
    assert float(rate) == pytest.approx(0.6, abs=0.07)
    assert all(after / before >= 0.5 for before, after in pairwise(sizes))
    small.execute("call mnemo.consolidate()")
    assert one(small, "select count(*) from mnemo.activity where tier = 'hot'") == sizes[-1]
    check_invariants(small)
