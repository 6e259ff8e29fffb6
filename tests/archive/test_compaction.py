"""Compaction: the dead leave the objects, the living stay as they were, the words are counted right."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import make_conninfo

from engine import Memory, Mnemo
from engine.archive.collecting import gc_step
from engine.archive.compacting import compact, compact_step
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_ids
from engine.archive.session import ArchiveSession
from engine.errors import ObjectCorrupted, StoreUnavailable, UnknownName
from tests.archive.invariants import Found, check
from tests.conftest import Connection, DatabaseFactory
from tests.support.archives import keys_in, opened
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.locks import sessions
from tests.support.object_servers import ObjectServer

COUNTED = (
    "select t.role, t.term, t.memories from mnemo.term t union all"
    " select 'corpus', c.words::text, c.memories from mnemo.corpus c"
)


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


@pytest.fixture
def db(small_dsn: str) -> Iterator[Connection]:
    """A connection to it."""
    with psycopg.connect(small_dsn, autocommit=True) as connection:
        yield connection


async def archived(mnemo: Mnemo, session: ArchiveSession, prefix: str, count: int = 40) -> list[UUID]:
    """Write cold memories and archive them as a segment; return their ids."""
    rng = np.random.default_rng(count)
    ids = await mnemo.remember_many(
        [
            Memory(
                f"Ann: {prefix} secret{prefix}{i} of tea",
                key=f"{prefix}{i}",
                attributes={"n": i},
                embedding=rng.normal(size=8).astype(np.float32),
                tier="cold",
            )
            for i in range(count)
        ]
    )
    async with mnemo.pool.connection() as connection:
        row = await (await connection.execute("select mnemo.segment_of_tier('cold')")).fetchone()
    assert row is not None
    report = await export_step(session, row[0])
    assert report is not None
    assert report.archived == count
    return [UUID(str(i)) for i in ids]


def told(found: dict[UUID, Found]) -> dict[UUID, tuple[Any, ...]]:
    """Return memories without where they are."""
    return {i: (f.content, f.hdv, f.attributes, f.key, f.created_at) for i, f in found.items()}


def one(db: Connection, query: str, *parameters: Any) -> Any:
    row = db.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def counted(db: Connection) -> set[tuple[Any, ...]]:
    while one(db, "select mnemo.fold_terms_step()"):
        pass
    return set(db.execute(COUNTED).fetchall())


def texts_in(store: Path, db: Connection) -> str:
    """Return all contents in the objects that are referenced, read with Arrow."""
    keys = [key for (key,) in db.execute("select rows_key from mnemo.archive")]
    return " ".join(text for key in keys for text in pq.read_table(store / key)["content"].to_pylist())


async def test_x6_the_forgotten_leave_the_objects(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session, "a")
        before = await check(db, session.store)
        assert not await compact_step(session)
        for gone in ids[:8]:
            db.execute("select mnemo.forget(%s)", (gone,))
        db.execute("select mnemo.remember('Ann: coffee', key => 'a8')")
        assert await restore_ids(session, [ids[9]]) == 1
        db.execute("select mnemo.set_attributes(%s, '{\"new\": 1}')", (ids[10],))
        assert "secreta0 " in texts_in(tmp_path, db)
        old = keys_in(tmp_path)
        assert await compact_step(session)
        assert not await compact_step(session)
        texts = texts_in(tmp_path, db)
        assert not [i for i in range(10) if f"secreta{i} " in texts]
        found = await check(db, session.store)
        assert found.keys() == {*ids[8:]}
        same = {*ids[8:]} - {ids[8], ids[10]}
        assert {i: t for i, t in told(found).items() if i in same} == {i: told(before)[i] for i in same}
        assert found[ids[10]].attributes == {"new": 1}
        assert one(db, "select count(*) from mnemo.tombstone") == 0
        # In the store they are until the grace period is over.
        assert old <= keys_in(tmp_path)
        db.execute("select mnemo.configure('{\"archive_grace_days\": 0}')")
        while await gc_step(session):
            pass
        left = {key for (key,) in db.execute("select key from mnemo.object")}
        assert keys_in(tmp_path) == left | {f"{session.database}/owner.json"}
        assert len(left) == 3
        await check(db, session.store)
        # A database that never had them counts its words the same.
        row_of = {i: found[i] for i in ids[8:]}
        statistics = counted(db)
        for memory_id in sorted(i for i in row_of if row_of[i].place == "archive"):
            await restore_ids(session, [memory_id])
        assert statistics == counted(db)
        db.execute("select mnemo.recount_terms()")
        assert statistics == counted(db)


async def test_small_segments_become_one(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = [await archived(mnemo, session, name, 20) for name in "abc"]
        before = await check(db, session.store)
        db.execute("select mnemo.forget(%s)", (ids[1][3],))
        numbers = [number for (number,) in db.execute("select segment from mnemo.archive order by 1")]
        done = await compact(session, numbers)
        assert done is not None
        assert (done.segments, done.rows, done.memories) == (tuple(numbers), 60, 59)
        found = await check(db, session.store)
        del before[ids[1][3]]
        assert told(found) == told(before)
        assert one(db, "select count(*) from mnemo.archive") == 1
        db.execute("select mnemo.drop_emptied()")
        assert told(await check(db, session.store)) == told(before)
        with pytest.raises(UnknownName, match=str(numbers[0])):
            await compact(session, numbers[:1])


async def test_a_segment_of_the_dead_goes_as_a_whole(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session, "a", 10)
        db.execute("select mnemo.forget_many(%s)", (ids,))
        assert await compact_step(session)
        assert await check(db, session.store) == {}
        assert one(db, "select count(*) from mnemo.archive") == 0
        assert {memories for _, _, memories in counted(db)} <= {0}


async def test_changes_while_it_runs(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session, "a")
        before = await check(db, session.store)
        db.execute("select mnemo.forget(%s)", (ids[0],))
        (number,) = db.execute("select segment from mnemo.archive").fetchone() or (0,)
        stopping = make_conninfo(small_dsn, options="-c mnemo.injection_point=compact.indexed")
        with sessions(small_dsn, 1) as (holder,):
            holder.run(
                "select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext('compact.indexed'))"
            )
            holder.commit()

            def meanwhile() -> None:
                waiting = "select from pg_stat_activity where wait_event = 'advisory'"
                while not db.execute(waiting).rowcount:
                    assert not task.done()
                db.execute("select mnemo.set_attributes(%s, '{\"new\": 1}')", (ids[1],))
                db.execute("select mnemo.forget(%s)", (ids[2],))
                db.execute("select mnemo.remember('Ann: anew', key => 'a3')")
                db.execute(
                    "insert into mnemo.access_log (at, memory_ids, tenant) values (now(), %s, 'default')",
                    (ids[4:5],),
                )
                db.execute("select mnemo.fold_accesses()")
                holder.run("select pg_advisory_unlock_all()")
                holder.commit()

            async with opened(stopping, tmp_path) as (_, other):
                task = asyncio.create_task(compact(other, [number]))
                await asyncio.to_thread(meanwhile)
                done = await task
        assert done is not None
        assert done.memories == 37
        found = await check(db, session.store)
        assert found.keys() == {*ids} - {ids[0], ids[2]}
        assert found[ids[1]].attributes == {"new": 1}
        assert found[ids[3]].content == "Ann: anew"
        same = {*ids[4:]}
        assert {i: t for i, t in told(found).items() if i in same} == {i: told(before)[i] for i in same}
        assert one(db, "select accesses from mnemo.archived_access where id = %s", ids[4]) == 1
        # Their words go with the next one.
        assert await compact(session, [one(db, "select segment from mnemo.archive")]) is not None
        statistics = counted(db)
        await restore_ids(session, ids[4:] + ids[1:2])
        db.execute("select mnemo.recount_terms()")
        assert statistics == counted(db)


async def test_x6_a_damaged_object_leaves_all_as_it_was(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session, "a")
        db.execute("select mnemo.forget_many(%s)", (ids[:20],))
        key = one(db, "select rows_key from mnemo.archive")
        whole = (tmp_path / key).read_bytes()
        (tmp_path / key).write_bytes(whole[:100] + b"?" + whole[101:])
        with pytest.raises(ObjectCorrupted, match=key):
            await compact_step(session)
        assert key in one(db, "select error from mnemo.segment where attempt is not null")
        assert not await compact_step(session)
        (tmp_path / key).write_bytes(whole)
        db.execute("update mnemo.segment set lease_until = now() where attempt is not null")
        assert await compact_step(session)
        assert (await check(db, session.store)).keys() == {*ids[20:]}


@pytest.mark.s3
@pytest.mark.usefixtures("s3_credentials")
@pytest.mark.parametrize(
    "fault", ["refused", "lost_reply", "slow_down", "reset", "truncated", "flipped", "flipped_upload"]
)
async def test_x6_a_faulty_store(
    db: Connection, small_dsn: str, moto_server: ObjectServer, fault: Fault
) -> None:
    with FaultProxy(moto_server.endpoint_url) as proxy:
        settings = moto_server.behind(proxy.url).settings(f"s3://{moto_server.new_bucket()}", retries=1)
        async with opened(small_dsn, settings) as (mnemo, session):
            ids = await archived(mnemo, session, "a", 20)
            before = await check(db, session.store)
            db.execute("select mnemo.forget_many(%s)", (ids[:10],))
            for skip in (0, 3, 6):
                proxy.clear()
                proxy.fail(fault, times=6, skip=skip)
                try:
                    await compact_step(session)
                except (StoreUnavailable, ObjectCorrupted):
                    db.execute("update mnemo.segment set lease_until = now() where attempt is not null")
                proxy.clear()
                found = await check(db, session.store)
                assert told(found) == {i: t for i, t in told(before).items() if i in ids[10:]}
            await compact_step(session)
            assert one(db, "select count(*) from mnemo.tombstone") == 0
            found = await check(db, session.store)
            assert told(found) == {i: t for i, t in told(before).items() if i in ids[10:]}
