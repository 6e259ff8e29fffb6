"""Readers and writers in a loop against moves and merges: every read complete, no deadlock, nothing lost."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, LiteralString

import psycopg
import pytest

from tests.concurrency.consolidating import WAIT, at
from tests.conftest import DatabaseFactory
from tests.support.invariants import check_invariants

Connection = psycopg.Connection[tuple[Any, ...]]
ROWS = 40
# Each returns how many memories there are, were they counted once each.
READS: tuple[LiteralString, ...] = (
    "select case when count(*) = count(distinct id) then count(*) else -1 end from mnemo.memory",
    "select count(*) from mnemo.memories",
    "select count(distinct memory_id) from mnemo.search(mnemo.random_hypervector('1'), 1000, exact => true)",
    "select count(distinct memory_id) from mnemo.recall(mnemo.random_hypervector('2'), 1000, exact => true)",
    "select count(*) from unnest(array(select id from mnemo.activity)) as w (id)"
    " join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id",
)
# Reads before it, so that the snapshot is older than what moves meanwhile.
REPEATED: LiteralString = "select count(*) from mnemo.setting"


def fill(db: Connection) -> None:
    """Write memories due on the day 11, now and whenever they come back, and let few make a partition."""
    db.execute("select mnemo.alter_tier_policy('hot-decay', '{\"minimum_stay\": \"0\"}')")
    db.execute("select mnemo.recompute_step()")
    db.execute(
        "select mnemo.remember('m' || n, mnemo.random_hypervector(n::text), key => n::text, context => 'c',"
        " importance => 0.75) from generate_series(1, %s) n",
        [ROWS],
    )
    db.execute(
        'select mnemo.configure(\'{"bulk_move_rows": 4, "bulk_move_most": 8, "sealed_segments_most": 1}\')'
    )


def repeat(dsn: str, stop: Event, action: Callable[[Connection], None], **settings: str) -> None:
    with psycopg.connect(at(dsn, 11, **settings), autocommit=True) as db:
        while not stop.is_set():
            action(db)


def test_readers_count_each_memory_once_during_moves_and_merges(database_factory: DatabaseFactory) -> None:
    dsn = database_factory(1024, 64)
    with psycopg.connect(at(dsn, 1), autocommit=True) as db:
        fill(db)
    wrong: Counter[Any] = Counter()
    reads: Counter[str] = Counter()

    def read(db: Connection) -> None:
        for query in READS:
            count = db.execute(query).fetchone()
            reads[query] += 1
            if count != (ROWS,):
                wrong[query, count] += 1

    def read_repeatedly(db: Connection) -> None:
        with db.transaction():
            db.execute("set transaction isolation level repeatable read")
            db.execute(REPEATED)
            # Until something has moved since, which nothing need do any more at the end.
            for query in READS:
                count = db.execute(query).fetchone()
                if count != (ROWS,):
                    wrong["repeatable read", query, count] += 1

    stop = Event()
    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(repeat, dsn, stop, action) for action in (read, read, read_repeatedly)]
        try:
            with psycopg.connect(at(dsn, 11), autocommit=True) as db:
                moved = merged = 0
                while (moved < 12 or merged < 6) and not any(reader.done() for reader in readers):
                    done = db.execute("select mnemo.demote_in_bulk('hot')").fetchone()
                    moved += done != (0,)
                    if done == (0,):
                        # Back again: whatever is left in hot is too little for a partition.
                        db.execute(
                            "select mnemo.promote(array(select id from mnemo.activity where tier = 'warm'))"
                        )
                    merged += db.execute("select mnemo.merge_step()").fetchone() != (0,)
        finally:
            stop.set()
        for reader in readers:
            reader.result(WAIT)
    assert not wrong
    assert all(reads[query] for query in READS)
    with psycopg.connect(dsn) as db:
        check_invariants(db)


WRITES: tuple[LiteralString, ...] = (
    "select mnemo.set_attributes({id}, '{{}}')",
    "select mnemo.reinforce({id})",
    "select mnemo.pin({id}, {flag})",
    "select mnemo.promote({ids})",
    "select mnemo.demote({ids}, 'cold')",
    "select mnemo.forget({id})",
    "select mnemo.remember('again', mnemo.random_hypervector('a'), key => '{key}', tier => 'warm')",
    "select count(*) from mnemo.recall(mnemo.random_hypervector('{key}'), 5, context => 'c')",
    "select mnemo.fold_accesses()",
    "select mnemo.recompute_deadlines()",
    "select mnemo.expire_step()",
    "call mnemo.consolidate()",
    "select mnemo.merge_step()",
    "select mnemo.alter_tier_policy('warm-decay', '{{\"threshold\": 0.2}}')",
    "call mnemo.run_due_jobs()",
)


_ID = "(select k.id from mnemo.memory_key k where k.key = '{}')"
_IDS = "array(select k.id from mnemo.memory_key k where k.key = any ('{{{}}}'))"


@pytest.mark.parametrize("seed", [0])
def test_no_two_of_anything_deadlock(database_factory: DatabaseFactory, seed: int) -> None:
    dsn = database_factory(1024, 64)
    with psycopg.connect(at(dsn, 1), autocommit=True) as db:
        fill(db)
        db.execute("select mnemo.add_ttl_policy('end', '1 day', tier => 'cold')")
    failed: Counter[str] = Counter()
    done: Counter[str] = Counter()

    def work(number: int) -> None:
        rng = random.Random(seed * 100 + number)
        with psycopg.connect(at(dsn, 11 + number % 3, deadlock_timeout="5ms"), autocommit=True) as db:
            for _ in range(150):
                statement = rng.choice(WRITES)
                keys = [str(rng.randint(1, ROWS)) for _ in range(6)]
                query = statement.format(
                    id=_ID.format(keys[0]),
                    ids=_IDS.format(",".join(keys)),
                    flag=rng.random() < 0.3,
                    key=keys[0],
                )
                try:
                    db.execute(query.encode())
                    done[statement] += 1
                except psycopg.Error as error:
                    # A memory that somebody has forgotten is the only thing that may go wrong.
                    if error.sqlstate != "MN005":
                        failed[f"{error.sqlstate} {statement}: {error}"] += 1

    with ThreadPoolExecutor(6) as threads:
        for future in [threads.submit(work, number) for number in range(6)]:
            future.result(WAIT)
    assert not failed
    assert done.keys() == set(WRITES)
    assert done.total() > 600
    with psycopg.connect(dsn) as db:
        assert db.execute("select error from mnemo.job_run where error is not null").fetchall() == []
        assert db.execute("select count(*) > 50 from mnemo.move_log").fetchone() == (True,)
        check_invariants(db)
