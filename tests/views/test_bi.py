"""The star schema for BI tools: numbers as counted in Python, plain types, a role that may only read."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Connection, DatabaseFactory
from tests.views.conftest import DAY, START, Keeper, one, rows, tenant

PLAIN = {"text", "boolean", "integer", "bigint", "double precision", "date", "timestamp with time zone"}
COLUMNS: LiteralString = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'mnemo'::regnamespace and c.relkind = 'v' and c.relname like %s
order by c.relname, a.attnum
"""
# How a role is made, as people read it.
PAGE = Path(__file__).parents[2] / "docs" / "bi.md"
(GRANTS,) = re.findall(r"```sql\n(create role [^`]*)", PAGE.read_text(encoding="utf-8"))


def test_columns_are_plain_and_explained(small: Connection, golden: Callable[[str, str], None]) -> None:
    found = rows(small, COLUMNS, r"bi\_%")
    golden("bi_views.txt", "\n".join(f"{view}.{name}: {kind}" for view, name, kind, _ in found))
    assert {kind for _, _, kind, _ in found} <= PLAIN
    explained = [*found, *rows(small, COLUMNS, "tier_stats")]
    assert [(view, name) for view, name, _, comment in explained if not comment] == []
    for view in {view for view, *_ in explained}:
        assert one(small, "select obj_description(%s::regclass)", f"mnemo.{view}")


def test_one_row_a_memory(small: Connection, keeper: Keeper) -> None:
    life = keeper.life
    for whose in ("ada", "bo", "nobody"):
        tenant(small, whose)
        found = {row[0]: row for row in rows(small, "select * from mnemo.bi_memories")}
        mine = {str(memory): memory for memory, (owner, *_) in life.written.items() if owner == whose}
        assert set(found) == set(mine)
        for text, memory in mine.items():
            _, draft, born = life.written[memory]
            strength = life.strength_at(memory, life.now)
            used = life.accesses[memory]
            (_, owner, collection, context, session, key, tier, read, kind, pinned, count, last, occurred,
             created, day, size, age, idle, leaves, expires) = found[text]  # fmt: skip
            assert (owner, collection, context, session, key) == (
                whose, draft.collection, draft.context, draft.session, draft.key,
            )  # fmt: skip
            assert (tier, pinned, count, last) == (
                life.tier[memory], draft.pinned, len(used), max(used, default=None),
            )  # fmt: skip
            assert (occurred, created, day) == (draft.occurred_at or born, born, born.date())
            assert size == len(draft.content.encode())
            assert read == pytest.approx(strength, rel=1e-6)
            assert kind == ("strong" if strength >= 0.7 else "fading" if strength >= 0.3 else "weak")
            assert (age, idle) == (
                pytest.approx((life.now - born) / DAY),
                pytest.approx((life.now - max(used, default=born)) / DAY),
            )
            assert expires is None
            threshold = {"hot": 0.7, "warm": 0.3}[tier]
            if draft.pinned:
                assert leaves is None
            else:
                # Solved for the moment at which the closed form meets the threshold.
                assert strength * 0.5 ** (leaves / 30) == pytest.approx(threshold, rel=1e-4)


def test_accesses_and_moves_by_day(small: Connection, keeper: Keeper) -> None:
    life = keeper.life
    for whose in ("ada", "bo"):
        tenant(small, whose)
        accesses = Counter(
            (day, life.written[memory][1].collection, tier)
            for day, memory, tier in life.counted
            if life.written[memory][0] == whose
        )
        found = rows(
            small, "select day::text, collection, tier, accesses, tenant from mnemo.bi_accesses_daily"
        )
        assert sorted(found) == sorted((*key, count, whose) for key, count in accesses.items())
        moves = Counter(
            (f"{at:%Y-%m-%d}", before, after, policy, reason)
            for memory, at, before, after, policy, reason in life.moves
            if life.written[memory][0] == whose
        )
        found = rows(
            small,
            "select day::text, from_tier, to_tier, policy, reason, moves, tenant from mnemo.bi_moves_daily",
        )
        assert {row[:-2]: row[-2:] for row in found} == {key: (n, whose) for key, n in moves.items()}
        assert len(found) == len(moves) > 0


def test_costs_are_those_of_the_mean_of_the_day(small: Connection) -> None:
    small.execute("select mnemo.set_tier_price('warm', 64)")
    samples = {
        START: (6, 2, 1, 2**30),
        START + timedelta(hours=3): (12, 4, 3, 2**31),
        START + DAY: (5, 0, 9, 0),
    }
    for at, (hot, warm, cold, size) in samples.items():
        small.execute(
            "insert into mnemo.telemetry (at, since, hot_accesses, warm_accesses, cold_accesses,"
            " hot_memories, warm_memories, cold_memories, hot_bytes, warm_bytes, cold_bytes)"
            " values (%s, now(), 0, 0, 0, %s, %s, %s, %s, %s, %s)",
            [at, hot, warm, cold, size, 2 * size, 4 * size],
        )
    found = rows(small, "select day, tier, memories, bytes, samples, monthly_cost from mnemo.bi_costs_daily")
    first, mean = START.date(), 3 * 2**29
    assert sorted(found) == [
        (first, "cold", 2, 4 * mean, 2, pytest.approx(4 * mean / 2**40 * 25)),
        (first, "hot", 9, mean, 2, pytest.approx(mean / 2**40 * 500)),
        (first, "warm", 3, 2 * mean, 2, pytest.approx(2 * mean / 2**40 * 64)),
        *((first + DAY, tier, count, 0, 1, 0) for tier, count in (("cold", 9), ("hot", 5), ("warm", 0))),
    ]


def test_days_cover_the_facts(small: Connection, keeper: Keeper) -> None:
    small.execute("update mnemo.collection set created_at = %s", [START])
    found = rows(small, "select * from mnemo.bi_days")
    days = [(START + n * DAY).date() for n in range((keeper.life.now - START) // DAY + 1)]
    expected = []
    for day in days:
        year, week, weekday = day.isocalendar()
        expected.append(
            (day, day.year, (day.month + 2) // 3, day.month, day.day, weekday, f"{year}-W{week:02}")
        )
    assert found == expected


def test_tiers_are_a_dimension(small: Connection, keeper: Keeper) -> None:
    facts = {row[0] for row in rows(small, "select tier from mnemo.bi_memories")}
    assert facts <= {row[0] for row in rows(small, "select tier from mnemo.bi_tiers")}
    found = rows(
        small, "select tier, place, strength_threshold, capacity_rows from mnemo.bi_tiers order by place"
    )
    assert found == [
        ("hot", 0, 0.7, 100_000),
        ("warm", 1, 0.3, None),
        ("cold", 2, None, None),
        ("archive", 3, None, None),
    ]


@pytest.fixture
def reader(database_factory: DatabaseFactory) -> Iterator[tuple[Connection, str]]:
    """A database, and the name of a role made as docs/bi.md says."""
    role = f"mnemo_reader_{os.getpid()}"
    with psycopg.connect(database_factory(1_024, 256), autocommit=True) as connection:
        named = sql.Identifier(role)
        connection.execute(GRANTS.replace("analyst", role).encode())
        try:
            yield connection, role
        finally:
            connection.execute("reset role")
            connection.execute(sql.SQL("drop owned by {}").format(named))
            connection.execute(sql.SQL("drop role {}").format(named))


def test_a_read_only_role_reads_these_and_writes_nothing(reader: tuple[Connection, str]) -> None:
    connection, role = reader
    one(connection, "select mnemo.remember('a fact of another')")
    connection.execute("set mnemo.tenant = 'ada'")
    memory = one(connection, "select mnemo.remember('a fact')")
    connection.execute("reset mnemo.tenant")
    relations = rows(
        connection,
        "select c.oid::regclass::text, has_table_privilege(%s, c.oid, 'select'),"
        " has_table_privilege(%s, c.oid, 'insert, update, delete, truncate, references, trigger')"
        " from pg_class c where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')",
        role,
        role,
    )
    every = {name for name, reads, _ in relations if reads}
    # What the views read, under row-level security; tests/golden/grants.txt has every grant.
    assert not {
        name for name in every if name.split(".")[1].split("_")[0] in ("vault", "data", "event", "term")
    }
    readable = {name for name in every if name.startswith("mnemo.bi_")}
    assert readable == {name for name, *_ in relations if name.startswith("mnemo.bi_")} - {
        "mnemo.bi_costs_daily"
    }
    assert [name for name, _, writes in relations if writes] == []
    _reads_only(connection, role, readable, memory)


def _reads_only(connection: Connection, role: str, views: set[str], memory: UUID) -> None:
    connection.execute(f"set role {role}".encode())
    for view in views:
        connection.execute(f"table {view}".encode()).fetchall()
    assert rows(connection, "select memory_id from mnemo.bi_memories") == [(str(memory),)]
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement, {"id": memory})
    connection.execute("reset role")


FORBIDDEN: tuple[LiteralString, ...] = (
    "select * from mnemo.bi_costs_daily",
    "select * from mnemo.tier_stats",
    "select * from mnemo.event",
    "select mnemo.remember('another')",
    "select mnemo.forget(%(id)s)",
    "select mnemo.pin(%(id)s)",
    "select mnemo.reinforce(%(id)s)",
    "select mnemo.prune_step()",
    "select mnemo.consolidate_step()",
    "insert into mnemo.bi_accesses_daily values ('2030-01-01', 'a', 'memories', 'hot', 1)",
    "update mnemo.bi_accesses_daily set accesses = 0",
    "delete from mnemo.bi_accesses_daily",
    "update mnemo.policy set enabled = false",
    "create table mnemo.mine (n integer)",
)
