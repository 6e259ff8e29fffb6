"""Many writers at a limit, and writers that meet the beginning of a quota."""

import random
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.support.invariants import check_invariants
from tests.support.locks import sessions

WRITE = "select mnemo.remember('a word', mnemo.random_hypervector(%s))"
USED = "select memories_used from mnemo.quota where tenant = 'default'"


def check_counters(db: Connection) -> None:
    for (tenant,) in db.execute("select tenant from mnemo.quota").fetchall():
        assert db.execute("select * from mnemo.recount_usage(%s)", [tenant]).fetchone() == (0, 0)


def test_many_writers_reach_a_limit_and_none_passes_it(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', memories => 50)")

    def write(writer: int) -> int:
        done = 0
        with psycopg.connect(narrow, autocommit=True) as connection:
            for number in range(20):
                try:
                    connection.execute(WRITE, [f"{writer} {number}"])
                except psycopg.Error as error:
                    assert error.sqlstate == "MN016"  # noqa: PT017
                else:
                    done += 1
        return done

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(write, range(6))) == 50
    assert value(db, USED) == value(db, "select count(*) from mnemo.memory") == 50
    check_counters(db)


def test_a_quota_waits_for_writers_that_did_not_see_it(narrow: str, db: Connection) -> None:
    with sessions(narrow) as (writer, operator):
        writer.run(WRITE, "1")
        setting = operator.start("select mnemo.set_quota('default', memories => 5)")
        assert not setting.done()
        writer.commit()
        setting.result()
        operator.commit()
    assert value(db, USED) == 1
    check_counters(db)


def test_a_writer_that_comes_while_a_quota_begins_is_counted(narrow: str, db: Connection) -> None:
    with sessions(narrow) as (writer, operator):
        operator.run("select mnemo.set_quota('default', memories => 5)")
        writing = writer.start(WRITE, "1")
        assert not writing.done()
        operator.commit()
        writing.result()
        writer.commit()
    assert value(db, USED) == 1
    check_counters(db)


def test_a_snapshot_older_than_a_quota_cannot_write_past_it(narrow: str, db: Connection) -> None:
    with sessions(narrow) as (writer, operator):
        writer.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        writer.run("select count(*) from mnemo.setting")
        operator.run("select mnemo.set_quota('default', memories => 0)")
        operator.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            writer.run(WRITE, "1")
    assert value(db, "select count(*) from mnemo.memory") == 0


def test_a_quota_is_not_set_from_an_old_snapshot(narrow: str) -> None:
    with sessions(narrow) as (operator, _):
        operator.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.Error) as refused:
            operator.run("select mnemo.set_quota('default', memories => 0)")
    assert refused.value.sqlstate == "MN002"


def test_what_is_rolled_back_was_never_charged(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', memories => 1, writes_per_minute => 1)")
    with sessions(narrow) as (first, second):
        first.run(WRITE, "1")
        waiting = second.start(WRITE, "2")
        assert not waiting.done()
        first.rollback()
        waiting.result()
        second.commit()
    assert value(db, USED) == 1
    check_counters(db)


def test_a_tenant_without_a_quota_waits_for_nobody(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('a', memories => 5)")
    with sessions(narrow, 3) as (limited, free, other):
        limited.run("select set_config('mnemo.tenant', 'a', false)")
        limited.run(WRITE, "1")
        free.run(WRITE, "2")
        other.run(WRITE, "3")
        limited.commit()
    check_counters(db)


def test_a_recount_beside_a_writer_is_right(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', memories => 5)")
    db.execute("update mnemo.quota set memories_used = 3, bytes_used = 7")
    with sessions(narrow) as (writer, operator):
        writer.run(WRITE, "1")
        counting = operator.start("select memories from mnemo.recount_usage('default')")
        assert not counting.done()
        writer.commit()
        # By what both counters and count had been off before, not by what was written meanwhile.
        assert counting.result() == -3
        operator.commit()
    assert value(db, USED) == 1
    check_counters(db)


@pytest.mark.slow
def test_a_storm_of_tenants_ends_with_true_counters(narrow: str, db: Connection) -> None:
    tenants = ["a", "b", "c"]
    for tenant in tenants:
        db.execute("select mnemo.set_quota(%s, memories => 40, bytes => 20000)", [tenant])

    def write(seed: int) -> None:
        choose = random.Random(seed)
        with psycopg.connect(narrow, autocommit=True) as connection:
            for _ in range(60):
                connection.execute("select set_config('mnemo.tenant', %s, false)", [choose.choice(tenants)])
                ids = [row[0] for row in connection.execute("select id from mnemo.memories").fetchall()]
                some = choose.sample(ids, min(len(ids), 3))
                try:
                    match choose.randrange(6):
                        case 0 | 1:
                            key = choose.choice(["x", "y", "z", None])
                            connection.execute(
                                "select mnemo.remember('word ' || %s, key => %s)",
                                [choose.randrange(10**6), key],
                            )
                        case 2:
                            connection.execute("select mnemo.forget_many(%s)", [some])
                        case 3:
                            connection.execute(
                                "select mnemo.set_attributes(id, jsonb_build_object('n', %s::int))"
                                " from mnemo.memories limit 1",
                                [choose.randrange(10**6)],
                            )
                        case 4:
                            # Of all tenants at once.
                            connection.execute(
                                "update mnemo.activity set expires_at = mnemo.now() where id = any (%s)",
                                [some],
                            )
                            connection.execute("select mnemo.expire_step()")
                        case _:
                            connection.execute(
                                "select mnemo.set_quota(%s, memories => %s)", ["d", choose.randrange(9)]
                            )
                            connection.execute("select mnemo.remove_quota('d')")
                except psycopg.Error as error:
                    # Gone meanwhile; over the limit.
                    assert error.sqlstate in {"MN005", "MN016"}, error  # noqa: PT017

    with ThreadPoolExecutor(6) as threads:
        for _ in threads.map(write, range(6)):
            pass
    check_invariants(db)
    check_counters(db)
    assert value(db, "select sum(memories_used) from mnemo.quota") == value(
        db, "select count(*) from mnemo.memory"
    )
