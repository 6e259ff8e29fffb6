"""O6, H2: pruning takes derived data only; cold segments that nobody uses are announced once."""

from datetime import datetime, timedelta
from typing import LiteralString

import pytest

from tests.conftest import Connection
from tests.views.conftest import DAY, START, Keeper, clock, one, rows, tenant

# Age in days, rows of it; 30 days are kept.
AGES = {0: 4, 29: 3, 31: 5, 400: 2}
OLD = sum(count for age, count in AGES.items() if age > 30)
NOW = START + 500 * DAY
DERIVED: dict[str, LiteralString] = {
    "move_log": (
        "insert into mnemo.move_log"
        " select %s, gen_random_uuid(), 'ada', 'hot', 'warm', 1, null, 'called', 0.5"
    ),
    "association": (
        "insert into mnemo.association select 'ada', 'c', gen_random_uuid(), gen_random_uuid(), 0.5, %s"
    ),
    "telemetry": (
        "insert into mnemo.telemetry (at, since, hot_accesses, warm_accesses, cold_accesses, hot_memories,"
        " warm_memories, cold_memories, hot_bytes, warm_bytes, cold_bytes)"
        " select %s::timestamptz - make_interval(secs => random()), now(), 0, 0, 0, 0, 0, 0, 0, 0, 0"
    ),
    "focus": "insert into mnemo.focus select 'ada', gen_random_uuid()::text, '{}', '{}', %s",
}
NEVER: LiteralString = """
select (select array_agg(a order by id) from mnemo.activity a)::text,
       (select array_agg(m.id order by id) from mnemo.memory m)::text,
       (select array_agg(d order by day, tenant, collection, tier) from mnemo.access_daily d)::text,
       (select array_agg(k order by key) from mnemo.memory_key k)::text,
       (select array_agg(c) from mnemo.policy_change c)::text
"""


def runs(connection: Connection, job: str, *ages: int, last_is_open: bool = False) -> list[int]:
    """Write ended runs of a job, oldest first, and return their numbers."""
    numbers = []
    for place, age in enumerate(ages, 1):
        opened = last_is_open and place == len(ages)
        numbers.append(
            one(
                connection,
                "insert into mnemo.job_run (job, started_at, ended_at, state, worker)"
                " select %s, %s, case when %s then null else %s::timestamptz end, %s, 'w' returning run",
                job,
                NOW - age * DAY,
                opened,
                NOW - age * DAY,
                "running" if opened else "succeeded",
            )
        )
    return numbers


def test_o6_pruning_takes_what_is_old_and_derived_only(small: Connection, keeper: Keeper) -> None:
    clock(small, NOW)
    small.execute("truncate mnemo.move_log, mnemo.association, mnemo.telemetry, mnemo.focus")
    before = rows(small, NEVER)
    for statement in DERIVED.values():
        for age, count in AGES.items():
            for _ in range(count):
                small.execute(statement, [NOW - age * DAY])
    first = runs(small, "prune", 90, 80, 70)
    second = runs(small, "archive", 90, 40, 3)
    third = runs(small, "expire", 60, 50, last_is_open=True)
    going = {*first[:2], *second[:2], third[0]}

    taken = []
    while done := one(small, "select mnemo.prune_step('{\"rows\": 4}')"):
        taken.append(done)
    assert sum(taken) == len(DERIVED) * OLD + len(going)
    assert max(taken) == 4
    for relation in DERIVED:
        left = small.execute(f"table mnemo.{relation}".encode()).fetchall()
        assert len(left) == sum(AGES.values()) - OLD
    assert {row[0] for row in rows(small, "select run from mnemo.job_run")} == {
        *first,
        *second,
        *third,
    } - going
    assert rows(small, NEVER) == before
    # Kept for a shorter time from now on; what the last runs said stays.
    small.execute("select mnemo.configure('{\"prune_after_days\": 7}')")
    assert one(small, "select mnemo.prune_step()") == AGES[29]
    assert one(small, "select count(*) from mnemo.move_log") == AGES[0]


def announced(connection: Connection) -> list[tuple[int, int]]:
    """Segment and rows of each announcement so far."""
    return rows(
        connection,
        """
        select (payload ->> 'segment')::int, (payload ->> 'rows')::int from mnemo.event
        where topic = 'consolidation.trigger'
          and payload @> '{"from": "cold", "to": "archive", "reason": "idle"}'
        order by seq
        """,
    )


def step(connection: Connection, at: datetime) -> int:
    """Run the archive job at a moment until it has nothing to do; return what it announced."""
    clock(connection, at)
    done = one(connection, "select mnemo.archive_step()")
    assert one(connection, "select mnemo.archive_step()") == 0
    return int(done)


def test_h2_idle_cold_segments_are_announced_once_until_used(small: Connection) -> None:
    keeper = Keeper(small)
    keeper.at(START)
    old = keeper.write("ada", "old", 3, tier="cold")
    assert one(small, "select mnemo.seal_segment()") == 2
    new = keeper.write("bo", "new", 2, tier="cold")
    assert one(small, "select mnemo.seal_segment()") == 3
    assert one(small, "select mnemo.seal_segment()") is None, "nothing is in the open one"
    assert step(small, START + 100 * DAY) == 0
    small.execute("select mnemo.add_archive_policy('archive', '30 days')")
    assert step(small, START + 30 * DAY - timedelta(seconds=1)) == 0

    # A recall that is not counted yet counts: the first segment is in use again.
    tenant(small, "ada")
    clock(small, START + 29 * DAY)
    small.execute("insert into mnemo.access_log (at, memory_ids) values (mnemo.now(), %s)", [old[:1]])
    assert step(small, START + 31 * DAY) == 1
    assert announced(small) == [(3, len(new))]
    assert step(small, START + 31 * DAY) == 0
    assert step(small, START + 59 * DAY) == 1
    assert announced(small) == [(3, len(new)), (2, len(old))]

    # Used again, and again for long not.
    tenant(small, "bo")
    clock(small, START + 60 * DAY)
    small.execute("select mnemo.reinforce(%s)", [new[0]])
    assert step(small, START + 89 * DAY) == 0
    assert step(small, START + 90 * DAY) == 1
    # The open segment is sealed a week after its first memory came, and announced like the others.
    keeper.at(START + 95 * DAY)
    keeper.move(keeper.write("bo", "more", 1), "cold")
    assert step(small, START + 102 * DAY - timedelta(seconds=1)) == 0
    assert one(small, "select state from mnemo.segment where segment = 4") == "open"
    assert step(small, START + 102 * DAY) == 1
    assert small.execute(
        "select segment, state from mnemo.segment where segment > 3 order by 1"
    ).fetchall() == [
        (4, "sealed"),
        (5, "open"),
    ]
    assert step(small, START + 125 * DAY - timedelta(seconds=1)) == 0
    assert step(small, START + 125 * DAY) == 1
    assert announced(small)[2:] == [(3, len(new)), (4, 1)]
    small.execute("select mnemo.configure('{\"archive_segment_rows\": 3}')")
    keeper.move(keeper.write("bo", "full", 3), "cold")
    assert step(small, START + 125 * DAY) == 1
    assert one(small, "select state from mnemo.segment where segment = 5") == "sealed"

    small.execute("select mnemo.reinforce(%s)", [new[0]])
    small.execute("select mnemo.alter_archive_policy('archive', '{\"enabled\": false}')")
    assert step(small, START + 300 * DAY) == 0


@pytest.mark.parametrize("empty", [True, False])
def test_h2_by_default_nothing_is_announced(small: Connection, empty: bool) -> None:
    keeper = Keeper(small)
    keeper.at(START)
    if not empty:
        keeper.write("ada", "old", 3, tier="cold")
    assert step(small, START + 1000 * DAY) == 0
    if empty:
        small.execute("select mnemo.add_archive_policy('archive', '30 days')")
        assert step(small, START + 2000 * DAY) == 0
