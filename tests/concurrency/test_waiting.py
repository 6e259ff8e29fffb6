"""Who waits for rows that others change loses none of them, as joins of PostgreSQL 18.1 do."""

import psycopg
import pytest

from tests.conftest import DatabaseFactory
from tests.support.locks import sessions

COUNT = 20
USED = "insert into mnemo.access_log (at, memory_ids) select mnemo.now(), array_agg(id) from mnemo.memory"


@pytest.fixture
def stored(database_factory: DatabaseFactory) -> str:
    dsn = database_factory(1024, 64)
    with psycopg.connect(dsn) as db:
        db.execute(
            "select mnemo.remember('m' || n, mnemo.random_hypervector('m' || n), key => 'k' || n)"
            " from generate_series(1, %s) as n",
            [COUNT],
        )
    return dsn


def test_every_access_is_counted_when_two_count(stored: str) -> None:
    with psycopg.connect(stored, autocommit=True) as db, sessions(stored) as (a, b):
        db.execute(USED.encode())
        a.run("select mnemo.fold_accesses()")
        db.execute(USED.encode())
        folded = b.start("select mnemo.fold_accesses()")
        a.commit()
        assert folded.result(10) == 1
        b.commit()
        counts = db.execute("select access_count, count(*) from mnemo.activity group by 1").fetchall()
        assert counts == [(2, COUNT)]


def test_memories_used_meanwhile_are_moved_and_forgotten(stored: str) -> None:
    with psycopg.connect(stored, autocommit=True) as db, sessions(stored) as (a, b):
        a.run(
            "select count(mnemo.reinforce(id)) from (select id from mnemo.activity order by bucket, id) as x"
        )
        moved = b.start("select mnemo.demote(array(select id from mnemo.activity))")
        a.commit()
        assert moved.result(10) == COUNT
        b.commit()
        a.run(
            "select count(mnemo.reinforce(id)) from (select id from mnemo.activity order by bucket, id) as x"
        )
        forgotten = b.start("select mnemo.forget_many(array(select id from mnemo.activity))")
        a.commit()
        assert forgotten.result(10) == COUNT
        b.commit()
        assert db.execute("select count(*) from mnemo.memory").fetchone() == (0,)
