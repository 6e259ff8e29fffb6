"""What operators do by mistake, or what comes at the wrong moment, harms nothing and keeps nobody waiting."""

import asyncio
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from engine import Mnemo
from engine.archive.attaching import attach
from engine.archive.attempts import _stop
from engine.archive.compacting import compact, compact_step
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_ids
from engine.config import Settings
from engine.errors import ArchiveConflict, ObjectMissing
from engine.memory import MemoryId
from tests.archive.exports import at, expire, hold, key_id, plant, waiting
from tests.archive.invariants import check
from tests.conftest import Connection
from tests.support.archives import keys_in, opened

_FORGETTING: LiteralString = (
    "select from pg_locks where relation = 'mnemo.archived_memory'::regclass and mode = 'RowShareLock'"
    " and not granted"
)


async def test_x6_a_store_that_is_away_is_not_begun_anew(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    store, away = tmp_path / "store", tmp_path / "away"
    plant(db, 5)
    async with opened(small_dsn, store) as (mnemo, session):
        await export_step(session, 2)
        name = session.database
        # As a volume that is not mounted: an empty folder is in its place.
        store.rename(away)
        with pytest.raises(ArchiveConflict, match=r"owner\.json is not in .*the same place"):
            async with opened(small_dsn, store):
                pass
        assert keys_in(store) == set()
        store.rename(tmp_path / "empty")
        away.rename(store)
        await session.prove()
        assert session.database == name
        # Where that file alone is lost, somebody has to say that it is the place.
        (store / str(name) / "owner.json").unlink()
        with pytest.raises(ArchiveConflict):
            await session.prove()
        settings = Settings(dsn=small_dsn)
        attached = await attach(mnemo.pool, settings, url=store.as_uri(), move=True, adopt=False)
        assert attached.database == name
        await session.prove()
        assert session.database == name
        await check(db, session.store)


async def test_x1_a_share_of_no_dead_rows_does_not_compact_for_ever(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    db.execute("update mnemo.setting set value = 0 where name = 'archive_compact_share'")
    plant(db, 5)
    async with opened(small_dsn, tmp_path) as (_, session):
        await export_step(session, 2)
        assert not await compact_step(session)
        db.execute("select mnemo.forget(k.id) from mnemo.memory_key k where k.key = 'k3'")
        assert await compact_step(session)
        assert not await compact_step(session)
        await check(db, session.store)


async def test_x6_a_cancellation_that_was_lost_is_repeated() -> None:
    # As asyncio.wait_for loses one, before Python 3.12, when what it waits for ends at that moment.
    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await _stop(task)
    assert task.cancelled()


@pytest.mark.parametrize("setting", ["datestyle = German, DMY", "standard_conforming_strings = off"])
async def test_x6_the_forms_of_a_database_do_not_matter(
    db: Connection, small_dsn: str, tmp_path: Path, setting: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(small_dsn)["dbname"]
    db.execute(f"alter database {name} set {setting}".encode())
    plant(db, 5)
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await export_step(session, 2)
        found = await check(db, session.store)
        assert len(await mnemo.get([MemoryId(memory_id) for memory_id in found])) == len(found) == 5
    async with Mnemo.open(small_dsn) as mnemo:
        await mnemo.remember("and on", attributes={"path": "C:\\temp", "note": "it's"})
        (hit,) = await mnemo.recall("and on", k=1)
        assert hit.attributes == {"path": "C:\\temp", "note": "it's"}


async def test_h3_a_ttl_policy_removed_during_a_compaction_forgets_nothing(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    db.execute("select mnemo.add_ttl_policy('ttl', after => '1 day')")
    plant(db, 5)
    point = "compact.indexed"
    async with opened(at(small_dsn, mnemo_injection_point=point), tmp_path) as (_, session):
        await export_step(session, 2)
        archived = db.execute("select id from mnemo.archived_memory where expires_at is not null").rowcount
        assert archived == 4
        with hold(db, point):
            compacting = asyncio.create_task(compact(session, [1000001]))
            while not waiting(db):
                assert not compacting.done(), compacting
                await asyncio.sleep(0)
            db.execute("select mnemo.remove_ttl_policy('ttl')")
            # As if it had been removed before the compaction began: nobody waits for that.
            db.execute("update mnemo.stale_deadline set since = null")
            while db.execute("select mnemo.recompute_step()").fetchone() != (0,):
                pass
        assert await compacting is not None
        assert not db.execute("select from mnemo.archived_memory where expires_at is not null").rowcount
        assert len(await check(db, session.store)) == 5


async def test_x6_memories_archived_before_the_first_embedding_come_back(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    db.execute("select mnemo.create_collection('c', encoder => 'lexical')")
    db.execute(
        "select mnemo.remember('before ' || n, collection => 'c', key => 'k' || n, tier => 'cold')"
        " from generate_series(1, 2) n"
    )
    async with opened(small_dsn, tmp_path) as (_, session):
        await export_step(session, 2)
        db.execute(
            "select mnemo.remember('after', embedding => array_fill(0.5::real, array[16]), collection => 'c',"
            " tier => 'cold')"
        )
        await export_step(session, 3)
        assert await restore_ids(session, [key_id(db, "k1")]) == 1
        # The older one has the greater number now, and is read last.
        for segments in ([1000001], [1000002, 1000003]):
            assert await compact(session, segments) is not None
        described = db.execute("select collections #> '{c,dimension}' from mnemo.archive").fetchall()
        assert described == [(16,)]
        assert await restore_ids(session, [key_id(db, "k2")]) == 1
        assert len(await check(db, session.store)) == 3


async def test_n4_a_damaged_segment_does_not_keep_the_others_in_the_archive(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        for segment in (2, 3):
            db.execute("select mnemo.remember('text', key => 'k' || %s, tier => 'cold')", (segment,))
            await export_step(session, segment)
        row = db.execute("select rows_key from mnemo.archive where segment = 1000001").fetchone()
        assert row is not None
        content = (tmp_path / row[0]).read_bytes()
        (tmp_path / row[0]).unlink()
        with pytest.raises(ObjectMissing, match=row[0]):
            await mnemo.restore(segments=None)
        assert db.execute("select key from mnemo.archived_memory").fetchall() == [("k2",)]
        (tmp_path / row[0]).write_bytes(content)
        expire(db)
        assert await mnemo.restore(segments=None) == 1
        assert len(await check(db, session.store)) == 2


async def test_x1_who_forgets_at_the_last_step_of_a_compaction_does_not_end_it(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    plant(db, 5)
    point = "compact.rows_deleted"
    async with opened(at(small_dsn, mnemo_injection_point=point), tmp_path) as (mnemo, session):
        await export_step(session, 2)
        with hold(db, point):
            compacting = asyncio.create_task(compact(session, [1000001]))
            while not waiting(db):
                assert not compacting.done(), compacting
                await asyncio.sleep(0)
            # It reads the archive, and then waits for the compaction, which will want it for itself.
            forgetting = asyncio.create_task(mnemo.forget(MemoryId(key_id(db, "k3"))))
            while not db.execute(_FORGETTING).rowcount:
                assert not forgetting.done(), forgetting
                await asyncio.sleep(0)
        done = await compacting
        assert await forgetting
        assert done is not None
        assert done.memories == 3
        assert len(await check(db, session.store)) == 4
