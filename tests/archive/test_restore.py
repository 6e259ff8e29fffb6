"""Memories brought back from the archive: each once, as it was, whatever happened to it or to the store."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from engine import Memory, Mnemo
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_ids, restore_segment, restore_step
from engine.archive.session import ArchiveSession
from engine.errors import Conflict, ObjectCorrupted, StoreUnavailable, UnknownMemory
from tests.archive.invariants import Found, check
from tests.conftest import Connection, DatabaseFactory
from tests.support.archives import opened
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.locks import sessions
from tests.support.object_servers import ObjectServer


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


@pytest.fixture
def db(small_dsn: str) -> Iterator[Connection]:
    """A connection to it."""
    with psycopg.connect(small_dsn, autocommit=True) as connection:
        yield connection


async def archived(mnemo: Mnemo, session: ArchiveSession, count: int = 40, prefix: str = "a") -> list[UUID]:
    """Write cold memories and archive them; return their ids."""
    rng = np.random.default_rng(len(prefix) + count)
    memories = [
        Memory(
            f"Ann: {prefix} number {i} über tea",
            key=f"{prefix}{i}",
            context=f"c{i % 3}" if i % 4 else None,
            attributes={"n": i, "tags": ["x", {"y": None}]},
            embedding=rng.normal(size=8).astype(np.float32),
            tier="cold",
        )
        for i in range(count)
    ]
    ids = await mnemo.remember_many(memories)
    report = await export_step(session, await cold_segment(mnemo))
    assert report is not None
    assert report.archived == count
    return [UUID(str(i)) for i in ids]


async def cold_segment(mnemo: Mnemo) -> int:
    async with mnemo.pool.connection() as connection:
        row = await (await connection.execute("select mnemo.segment_of_tier('cold')")).fetchone()
    assert row is not None
    return int(row[0])


def deep(db: Connection) -> dict[UUID, tuple[Any, ...]]:
    """Return what no journey may change, of every memory in the tiers."""
    rows = db.execute(
        "select m.id, mnemo.content_hash(m), m.hdv::text, m.embedding, m.encoded, m.created_at"
        " from mnemo.memory m"
    )
    return {row[0]: row[1:] for row in rows}


def without_place(found: dict[UUID, Found]) -> dict[UUID, tuple[Any, ...]]:
    """Return memories without where they are."""
    return {i: (f.content, f.hdv, f.attributes, f.key, f.created_at) for i, f in found.items()}


async def written(mnemo: Mnemo, session: ArchiveSession, db: Connection, count: int = 40) -> tuple[Any, ...]:
    """Archive memories; return their ids, what they were, and what the words were counted as."""
    before = deep(db)
    assert not before
    ids = await archived(mnemo, session, count)
    return ids, await check(db, session.store)


async def test_x6_memories_come_back_as_they_were(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        rng = np.random.default_rng(1)
        memories = [
            Memory(
                f"Ann: said {i} of tea", key=f"k{i}", attributes={"n": i}, tier="cold",
                embedding=rng.normal(size=8).astype(np.float32),
            )
            for i in range(40)
        ]  # fmt: skip
        ids = [UUID(str(i)) for i in await mnemo.remember_many(memories)]
        original = deep(db)
        words = "select t.* from mnemo.term_counts('memories', array['tea', 'said']) t"
        counted = db.execute(words).fetchone()
        assert await export_step(session, 2) is not None
        assert not deep(db)
        db.execute("select mnemo.set_attributes(%s, %s)", (ids[3], Jsonb({"n": "other"})))
        db.execute("select mnemo.forget(%s)", (ids[4],))
        assert await restore_ids(session, [ids[3], ids[7], ids[7], ids[39]], "hot") == 3
        assert await restore_ids(session, [ids[7]]) == 0
        with pytest.raises(UnknownMemory):
            await restore_ids(session, [ids[8], ids[4]])
        after = deep(db)
        assert after.keys() == {ids[3], ids[7], ids[8], ids[39]}
        for memory_id in (ids[7], ids[8], ids[39]):
            assert after[memory_id] == original[memory_id]
        # Of what was changed since, all but the attributes is as it was.
        assert after[ids[3]][1:] == original[ids[3]][1:]
        assert after[ids[3]][0] != original[ids[3]][0]
        found = await check(db, session.store)
        assert found[ids[3]].attributes == {"n": "other"}
        assert [found[i].place for i in (ids[3], ids[7], ids[8], ids[0])] == ["hot", "hot", "warm", "archive"]
        assert found.keys() == {*ids} - {ids[4]}
        moves = db.execute(
            "select from_tier, to_tier, reason from mnemo.move_log"
            " where memory_id = %s and to_tier <> 'archive'",
            (ids[7],),
        ).fetchall()
        assert moves == [("archive", "hot", "restored")]
        assert db.execute(words).fetchone() == counted


async def test_used_twice_they_come_back(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids, before = await written(mnemo, session, db)
        for used in (ids[:2], ids[:1]):
            db.execute(
                "insert into mnemo.access_log (at, memory_ids, tenant) values (now(), %s, 'default')", (used,)
            )
        strength = db.execute("select ltp from mnemo.archived_memory where id = %s", (ids[0],)).fetchone()
        db.execute("select mnemo.fold_accesses()")
        assert await restore_step(session)
        assert not await restore_step(session)
        found = await check(db, session.store)
        assert {i for i, f in found.items() if f.place == "warm"} == {ids[0]}
        assert without_place(found) == without_place(before)
        row = db.execute(
            "select access_count, ltp, last_access from mnemo.activity where id = %s", (ids[0],)
        ).fetchone()
        assert row is not None
        assert strength is not None
        assert row[0] == 2
        # Two accesses, each adding potentiation (0.1 by default) of what is missing; some decay.
        eta = db.execute("select mnemo.setting('potentiation')").fetchone()
        assert eta is not None
        assert row[1] == pytest.approx(1 - (1 - eta[0]) ** 2 * (1 - strength[0]), abs=1e-3)
        assert db.execute("select reason from mnemo.move_log where to_tier = 'warm'").fetchall() == [
            ("accesses",)
        ]


async def test_x6_a_whole_segment_comes_back(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids, before = await written(mnemo, session, db, 60)
        (number,) = db.execute("select segment from mnemo.archive").fetchone() or (0,)
        tea = "select (mnemo.term_counts('memories', array['tea'])).counts[1]"
        assert db.execute(tea).fetchone() == (60,)
        db.execute("select mnemo.forget(%s)", (ids[5],))
        db.execute("select mnemo.remember('Ann: coffee', key => 'a6')")
        assert await restore_ids(session, [ids[7]]) == 1
        # Forgotten and rewritten, their words are counted until the objects are read.
        assert db.execute(tea).fetchone() == (60,)
        db.execute(
            "insert into mnemo.access_log (at, memory_ids, tenant) values (now(), %s, 'default')", (ids[8:9],)
        )
        db.execute("select mnemo.fold_accesses()")
        steps: list[Any] = []
        assert await restore_segment(session, number, "cold", lambda *told: steps.append(told)) == 57
        assert steps[-1][1:] == (60, 60)
        assert db.execute(tea).fetchone() == (58,)
        found = await check(db, session.store)
        assert {f.place for i, f in found.items() if i not in ids[5:8]} == {"cold"}
        assert found.keys() == {*ids} - {ids[5]}
        expected = without_place(before)
        same = {*ids} - {ids[5], ids[6]}
        assert {i: w for i, w in without_place(found).items() if i in same} == {i: expected[i] for i in same}
        assert found[ids[6]].content == "Ann: coffee"
        assert db.execute("select access_count from mnemo.activity where id = %s", (ids[8],)).fetchone() == (
            1,
        )
        states: dict[str, int] = dict(
            db.execute("select state, count(*) from mnemo.object group by 1").fetchall()
        )
        assert states == {"dropped": 3}
        db.execute("select mnemo.drop_emptied()")
        assert db.execute("select count(*) from mnemo.segment where tier = 'archive'").fetchone() == (0,)
        assert (await check(db, session.store)).keys() == found.keys()


async def test_changes_while_a_segment_comes_back(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids, before = await written(mnemo, session, db)
        (number,) = db.execute("select segment from mnemo.archive").fetchone() or (0,)
        with sessions(small_dsn, 1) as (holder,):
            holder.run(
                "select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext('restore.indexed'))"
            )
            holder.commit()

            def meanwhile() -> None:
                waiting = "select from pg_stat_activity where wait_event = 'advisory'"
                while not db.execute(waiting).rowcount:
                    assert not task.done()
                db.execute("select mnemo.set_attributes(%s, '{\"new\": 1}')", (ids[1],))
                db.execute("select mnemo.forget(%s)", (ids[2],))
                db.execute("select mnemo.remember('Ann: anew', key => 'a3')")
                holder.run("select pg_advisory_unlock_all()")
                holder.commit()

            async with opened(
                make_conninfo(small_dsn, options="-c mnemo.injection_point=restore.indexed"), tmp_path
            ) as (_, other):
                task = asyncio.create_task(restore_segment(other, number))
                await asyncio.to_thread(meanwhile)
                assert await task == 38
        found = await check(db, session.store)
        assert found.keys() == {*ids} - {ids[2]}
        assert found[ids[1]].attributes == {"new": 1}
        assert (found[ids[1]].place, found[ids[3]].place) == ("warm", "hot")
        assert found[ids[3]].content == "Ann: anew"
        same = {*ids} - {*ids[1:4]}
        expected = without_place(before)
        assert {i: w for i, w in without_place(found).items() if i in same} == {i: expected[i] for i in same}


async def test_x6_a_damaged_object_is_named_and_harms_nothing_else(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids, before = await written(mnemo, session, db)
        number, hdv_key, start, block_rows = db.execute(
            "select segment, hdv_key, hdv_start, block_rows from mnemo.archive"
        ).fetchone() or (0, "", 0, 0)
        rows: dict[int, UUID] = dict(
            db.execute("select row_number, id from mnemo.archived_memory").fetchall()
        )
        path = tmp_path / hdv_key
        whole = path.read_bytes()
        damaged = bytearray(whole)
        # A bit of the second block.
        damaged[start + block_rows * 128 + 3] ^= 4
        path.write_bytes(bytes(damaged))
        bad = {rows[row] for row in range(block_rows, 40)}
        with pytest.raises(ObjectCorrupted, match=hdv_key):
            await restore_ids(session, ids)
        assert set(deep(db)) == {*ids} - bad
        with pytest.raises(ObjectCorrupted, match=hdv_key):
            await restore_segment(session, number)
        assert (
            db.execute("select state, error from mnemo.segment where segment = %s", (number,)).fetchone()
            != ()
        )
        path.write_bytes(whole)
        db.execute("update mnemo.segment set lease_until = now() where attempt is not null")
        assert not await restore_step(session)
        assert await restore_segment(session, number) == len(bad)
        found = await check(db, session.store)
        assert without_place(found) == without_place(before)


async def test_a_store_that_is_away_leaves_the_request(
    db: Connection, small_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids, before = await written(mnemo, session, db)
        db.execute(
            "insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)"
            " select mnemo.bucket_of(i), i, 'hot', 'called', now() from unnest(%s::uuid[]) i",
            ([*ids[:3]],),
        )

        async def away(*_: object) -> bytes:
            raise StoreUnavailable("the store is away")

        with monkeypatch.context() as patched:
            patched.setattr(type(session.store), "read", away)
            with pytest.raises(StoreUnavailable):
                await restore_step(session)
        noted = db.execute("select failures, error, retry_at > now() from mnemo.restore_request").fetchall()
        assert noted == [(1, "StoreUnavailable: the store is away", True)] * 3
        assert not await restore_step(session)
        db.execute("update mnemo.restore_request set retry_at = now()")
        assert await restore_step(session)
        found = await check(db, session.store)
        assert {i for i, f in found.items() if f.place == "hot"} == {*ids[:3]}
        assert without_place(found) == without_place(before)


async def test_one_restores_a_segment_at_a_time(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await archived(mnemo, session)
        (number,) = db.execute("select segment from mnemo.archive").fetchone() or (0,)
        db.execute("select mnemo.begin_restore('another', %s)", (number,))
        with pytest.raises(Conflict, match=str(number)):
            await restore_segment(session, number)
        db.execute("update mnemo.segment set lease_until = now() where attempt is not null")
        assert await restore_segment(session, number) == 40
        with pytest.raises(UnknownMemory):
            await restore_ids(session, [uuid4()])


@pytest.mark.s3
@pytest.mark.usefixtures("s3_credentials")
@pytest.mark.parametrize("fault", ["refused", "error", "slow_down", "reset", "truncated", "flipped"])
async def test_x6_a_faulty_store_restores_wrong_nowhere(
    db: Connection, small_dsn: str, moto_server: ObjectServer, fault: Fault
) -> None:
    with FaultProxy(moto_server.endpoint_url) as proxy:
        settings = moto_server.behind(proxy.url).settings(f"s3://{moto_server.new_bucket()}", retries=1)
        async with opened(small_dsn, settings) as (mnemo, session):
            ids, before = await written(mnemo, session, db)
            (number,) = db.execute("select segment from mnemo.archive").fetchone() or (0,)
            for skip, times in ((0, 1), (1, 1), (0, 20)):
                proxy.fail(fault, times=times, skip=skip)
                with suppress(StoreUnavailable, ObjectCorrupted):
                    await restore_ids(session, [ids[times + skip]])
                proxy.clear()
                assert without_place(await check(db, session.store)) == without_place(before)
            proxy.fail(fault, times=20)
            with pytest.raises((StoreUnavailable, ObjectCorrupted)):
                await restore_segment(session, number)
            proxy.clear()
            db.execute("update mnemo.segment set lease_until = now() where attempt is not null")
            assert await restore_segment(session, number) >= 38
            found = await check(db, session.store)
            assert without_place(found) == without_place(before)
            assert {f.place for f in found.values()} == {"warm"}
