"""Garbage collection: what nothing needs goes, after its time; what anybody needs stays, whatever fails."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from engine.archive.collecting import garbage, gc_step
from engine.archive.identity import held_keys, hold_key, index_key
from engine.archive.session import ArchiveSession
from engine.errors import ArchiveConflict, ObjectCorrupted, StoreUnavailable
from tests.conftest import Connection, DatabaseFactory
from tests.support.archives import LONG_AGO, keys_in, opened
from tests.support.fault_proxy import Fault, FaultProxy
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


def add(db: Connection, session: ArchiveSession, state: str, age_days: int) -> list[str]:
    """Note three objects of a new attempt, in a state since so many days."""
    attempt = uuid4()
    keys = [f"{session.database}/segments/{attempt}/{e}" for e in ("a.manifest.json", "b.npy", "c.parquet")]
    for key in keys:
        db.execute(
            "insert into mnemo.object (key, owner, attempt, state, bytes, sha256, changed_at)"
            " values (%s, %s, %s, %s, 1, %s, now() - make_interval(days => %s))",
            (key, session.database, attempt, state, hashlib.sha256(b"x").digest(), age_days),
        )
    return keys


async def put(session: ArchiveSession, *keys: str) -> None:
    for key in keys:
        await session.store.put(key, b"x", hashlib.sha256(b"x").digest())


async def collect(session: ArchiveSession) -> None:
    while await gc_step(session):
        pass


async def test_x6_only_what_is_old_and_unneeded_goes(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        own, other = session.database, uuid4()
        dropped, fresh = add(db, session, "dropped", 31), add(db, session, "dropped", 29)
        left = add(db, session, "writing", 90)
        unknown = f"{own}/copies/{uuid4()}/d.npy"
        keep = [
            f"{own}/segments/{uuid4()}/young.npy",
            f"{other}/segments/{uuid4()}/e.npy",
            f"{own}/notes/mine.npy",
            f"{own}/readme.npy",
        ]
        await put(session, *dropped, *fresh, *left, unknown, *keep)
        for path in (unknown, *keep[1:]):
            os.utime(tmp_path / path, (LONG_AGO, LONG_AGO))
        before = keys_in(tmp_path)
        found = await garbage(session)
        assert {g.key for g in found} == {*dropped, unknown}
        assert {g.key: g.reason for g in found}[unknown] == "nobody knows of it"
        assert keys_in(tmp_path) == before
        await collect(session)
        assert keys_in(tmp_path) == before - {*dropped, unknown}
        # What an attempt left that is under way no more is on its way out, for a grace period of its own.
        states: dict[str, str] = dict(db.execute("select key, state from mnemo.object").fetchall())
        assert states == dict.fromkeys([*fresh, *left], "dropped")


async def test_what_a_copy_holds_stays(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        first, second = add(db, session, "dropped", 31), add(db, session, "dropped", 31)
        await put(session, *first, *second)
        copy = uuid4()
        held = tmp_path / hold_key(session.database, copy)
        held.parent.mkdir()
        held.write_text(json.dumps({"database": str(copy), "keys": first}))
        await collect(session)
        assert set(first) <= keys_in(tmp_path)
        assert not set(second) & keys_in(tmp_path)
        held.write_text("{")
        third = add(db, session, "dropped", 31)
        await put(session, *third)
        with pytest.raises(ObjectCorrupted, match=held.name):
            await gc_step(session)
        assert set(third) <= keys_in(tmp_path)
        held.unlink()
        await collect(session)
        assert not {*first, *third} & keys_in(tmp_path)


async def test_a_hold_that_comes_at_the_last_moment_counts(
    db: Connection, small_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        keys = add(db, session, "dropped", 31)
        await put(session, *keys)
        looked: list[None] = []

        async def late(store: object, database: UUID) -> set[str]:
            looked.append(None)
            return set(keys[:1]) if len(looked) > 1 else set()

        monkeypatch.setattr("engine.archive.collecting.held_keys", late)
        await gc_step(session)
        assert keys_in(tmp_path) & set(keys) == set(keys[:1])
        assert db.execute("select key, state from mnemo.object").fetchall() == [(keys[0], "dropped")]


async def test_x6_it_goes_on_after_each_failure(
    db: Connection, small_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        keys = add(db, session, "dropped", 31)
        await put(session, *keys)
        real, deleted = type(session.store).delete, []

        async def failing(store: object, wanted: list[str]) -> None:
            deleted.append(list(wanted))
            if len(deleted) == 2:
                raise StoreUnavailable
            await real(session.store, wanted)

        with monkeypatch.context() as patched:
            patched.setattr(type(session.store), "delete", failing)
            with pytest.raises(StoreUnavailable):
                await gc_step(session)
        # The manifest went first, and what is left is known.
        assert deleted[0] == keys[:1]
        assert {state for (state,) in db.execute("select state from mnemo.object")} == {"deleting"}
        assert keys_in(tmp_path) & set(keys) == set(keys[1:])
        await collect(session)
        assert not keys_in(tmp_path) & set(keys)
        assert db.execute("select count(*) from mnemo.object").fetchone() == (0,)


async def test_nothing_is_deleted_under_a_name_that_was_lost(
    db: Connection, small_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        keys = add(db, session, "dropped", 31)
        await put(session, *keys)
        real = held_keys

        async def meanwhile(store: object, database: UUID) -> set[str]:
            row = db.execute("select database, token, next_token from mnemo.identity where is_current")
            db.execute("select mnemo.fork_identity(%s, %s, %s)", row.fetchone())
            return await real(session.store, database)

        monkeypatch.setattr("engine.archive.collecting.held_keys", meanwhile)
        with pytest.raises(ArchiveConflict, match=str(session.database)):
            await gc_step(session)
        assert set(keys) <= keys_in(tmp_path)


@pytest.mark.s3
@pytest.mark.usefixtures("s3_credentials")
@pytest.mark.parametrize("fault", ["stale_list", "lost_reply", "slow_down", "duplicated", "truncated"])
async def test_x6_a_faulty_store_loses_nothing_that_is_held(
    db: Connection, small_dsn: str, moto_server: ObjectServer, fault: Fault
) -> None:
    with FaultProxy(moto_server.endpoint_url) as proxy:
        settings = moto_server.behind(proxy.url).settings(f"s3://{moto_server.new_bucket()}")
        async with opened(small_dsn, settings) as (_, session):
            kept, gone = add(db, session, "dropped", 31), add(db, session, "dropped", 31)
            await put(session, *kept, *gone)
            copy = uuid4()
            for key, value in (
                (hold_key(session.database, copy), {"database": str(copy), "keys": kept}),
                (index_key(session.database), {"databases": [str(copy)]}),
            ):
                assert await session.store.swap(key, json.dumps(value).encode(), None)
            # Lists and reads of holds, and deletions, one after the other.
            proxy.fail(fault, times=4)
            with suppress(StoreUnavailable):
                await collect(session)
            proxy.clear()
            await collect(session)
            there = {info.key async for info in session.store.list(f"{session.database}/segments/")}
            assert there == set(kept)
