"""A segment that is sealed while somebody writes: memory and activity name the same one all the same."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.archive.exports import waiting
from tests.conftest import Connection
from tests.support.invariants import check_invariants

_WRITE = "select mnemo.remember('again', key => %s, tier => 'cold')"
_MERGED = "select mnemo.merge_step()"


@contextmanager
def between(db: Connection, dsn: str, table: str, work: Callable[[Connection], object]) -> Iterator[None]:
    """Have `work` wait, in a session of its own, after it has written to a table while the context lasts."""
    db.execute(
        "create function public.wait() returns trigger language plpgsql as"
        " 'begin perform pg_advisory_xact_lock_shared(7); return null; end'"
    )
    db.execute(
        f"create trigger wait after insert or update on {table} execute function public.wait()".encode()
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                work(connection)
        except psycopg.Error as error:
            failures.append(error)

    db.execute("select pg_advisory_lock(7)")
    other = threading.Thread(target=run)
    other.start()
    try:
        while not waiting(db):
            assert other.is_alive(), failures
        yield
    finally:
        db.execute("select pg_advisory_unlock(7)")
        other.join()
    assert not failures


@pytest.mark.parametrize(
    ("key", "table"),
    [("new", "mnemo.activity"), ("known", "mnemo.memory")],
    ids=["a new memory", "a key used again"],
)
def test_x6_a_segment_sealed_between_memory_and_activity(
    db: Connection, small_dsn: str, key: str, table: str
) -> None:
    db.execute(_WRITE, ("known",))
    with between(db, small_dsn, table, lambda other: other.execute(_WRITE, (key,))):
        assert db.execute("select mnemo.seal_segment()").fetchone() == (2,)
    check_invariants(db)
    assert db.execute("select count(*) from mnemo.memory where content = 'again'").fetchone() == (
        2 if key == "new" else 1,
    )
    # Changed once more it is one memory yet.
    db.execute(_WRITE.replace("again", "once more").encode(), (key,))
    assert db.execute(
        "select m.content from mnemo.memory m join mnemo.memory_key k using (id) where k.key = %s", (key,)
    ).fetchall() == [("once more",)]


def test_x6_a_memory_that_came_late_into_a_sealed_segment_is_not_lost_by_a_merge(
    db: Connection, small_dsn: str
) -> None:
    db.execute("update mnemo.setting set value = 1 where name = 'sealed_segments_most'")
    for number in range(2):
        db.execute("select mnemo.remember('there', key => 'there ' || %s, tier => 'cold')", (number,))
        if number == 0:
            db.execute("select mnemo.seal_segment()")
    db.execute("vacuum analyze mnemo.memory")
    with between(db, small_dsn, "mnemo.memory", lambda other: other.execute(_WRITE, ("late",))):
        db.execute("select mnemo.seal_segment()")
        merge = threading.Thread(target=_merge, args=(small_dsn,))
        merge.start()
        while not _merging(db):
            assert merge.is_alive()
    merge.join()
    check_invariants(db)
    for _ in range(3):
        db.execute(_MERGED)
    check_invariants(db)
    assert db.execute("select count(distinct segment), count(*) from mnemo.memory").fetchone() == (1, 3)


def _merge(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_MERGED)


def _merging(db: Connection) -> bool:
    """Whether a merge that has copied waits for the writers."""
    query = (
        "select from pg_locks where relation = 'mnemo.memory'::regclass and mode = 'ShareRowExclusiveLock'"
        " and not granted"
    )
    return db.execute(query.encode()).rowcount > 0
