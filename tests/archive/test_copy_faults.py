"""Copies on a store that fails at every operation in turn: nothing is lost, and nothing is left for good."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from engine.archive.copying import copy_step, merge_step
from engine.archive.objects import Conditions, ObjectInfo, ObjectStore
from engine.archive.rebuilding import rebuild
from engine.archive.session import ArchiveSession, open_archive
from engine.archive.verifying import verify
from engine.database.pool import make_pool
from engine.errors import ArchiveConflict, ObjectCorrupted, StoreUnavailable
from tests.archive.copies import copy_all, memories, session_on
from tests.archive.invariants import check
from tests.archive.test_copies import expect_copied, remember
from tests.conftest import DatabaseFactory
from tests.support.databases import Databases
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.object_servers import ObjectServer

Connection = psycopg.Connection[tuple[Any, ...]]
_RELEASED = "update mnemo.copy_attempt set lease_until = clock_timestamp()"


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


class Failing:
    """An object store whose n-th operation fails, before or after it took effect; n counts from 0."""

    def __init__(self, store: ObjectStore, fails_at: int, after: bool) -> None:
        self._store, self._left, self._after = store, fails_at, after

    @property
    def failed(self) -> bool:
        """Whether it came to that operation."""
        return self._left < 0

    @property
    def requests(self) -> int:
        return self._store.requests

    @property
    def bytes_read(self) -> int:
        return self._store.bytes_read

    @property
    def url(self) -> str:
        return self._store.url

    def _fail(self, now: bool) -> None:
        if now == self._after:
            return
        self._left -= 1
        if self._left == -1:
            raise StoreUnavailable("the store fails")

    async def put(self, key: str, source: bytes | Path, sha256: bytes) -> None:
        self._fail(True)
        await self._store.put(key, source, sha256)
        self._fail(False)

    async def get(self, key: str) -> bytes:
        self._fail(True)
        return await self._store.get(key)

    async def read(self, key: str, start: int, length: int) -> bytes:
        return await self._store.read(key, start, length)

    async def download(self, key: str, target: Path) -> bytes:
        self._fail(True)
        return await self._store.download(key, target)

    async def digest(self, key: str) -> bytes:
        self._fail(True)
        return await self._store.digest(key)

    async def head(self, key: str) -> ObjectInfo | None:
        self._fail(True)
        return await self._store.head(key)

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        return self._store.list(prefix)

    async def delete(self, keys: Iterable[str]) -> None:
        await self._store.delete(keys)

    async def swap(self, key: str, data: bytes, expected: bytes | None) -> bool:
        return await self._store.swap(key, data, expected)

    async def probe(self) -> Conditions:
        return await self._store.probe()

    async def clean(self) -> int:
        return await self._store.clean()

    async def close(self) -> None:
        pass


def failing(session: ArchiveSession, at: int, after: bool) -> tuple[ArchiveSession, Failing]:
    """A session on the same store, which fails."""
    store = Failing(session.store, at, after)
    return ArchiveSession(session.pool, store, session.settings, "unlucky", session.database), store


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_x6_a_store_that_fails_at_any_operation_loses_no_copy(
    dsn: str, connection: Connection, tmp_path: Path, after: bool
) -> None:
    connection.execute("select mnemo.configure('{\"copy_sets_most\": 1000}')")
    connection.execute("select mnemo.add_copy_policy('copies')")
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        for at in range(30):
            remember(connection, [str(at), "again"], f"turn {at}")
            unlucky, store = failing(session, at, after)
            try:
                await copy_all(unlucky)
            except StoreUnavailable:
                connection.execute(_RELEASED)
                assert connection.execute("select pending from mnemo.copy_status").fetchone() == (2,)
                await copy_all(session)
            await expect_copied(connection, session.store)
            if not store.failed:
                break
        else:
            pytest.fail("it never got through")
        for at in range(60):
            unlucky, store = failing(session, at, after)
            try:
                await merge_step(unlucky, everything=True)
            except StoreUnavailable:
                connection.execute(_RELEASED)
                await expect_copied(connection, session.store)
            if not store.failed:
                break
        else:
            pytest.fail("it never got through")
        assert connection.execute("select count(*) from mnemo.copy").fetchone() == (1,)
        await expect_copied(connection, session.store)
        await check(connection, session.store)


async def test_what_arrives_otherwise_than_it_was_sent_is_written_anew(
    dsn: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    remember(connection, ["a", "b"])
    async with session_on(dsn, tmp_path) as session:
        put = type(session.store).put

        async def flipping(store: Any, key: str, source: bytes | Path, sha256: bytes) -> None:
            await put(store, key, source, sha256)
            if key.endswith(".parquet"):
                path = tmp_path / "objects" / key
                path.write_bytes(path.read_bytes()[:-1] + b"?")

        with monkeypatch.context() as patched:
            patched.setattr(type(session.store), "put", flipping)
            with pytest.raises((ObjectCorrupted, ArchiveConflict)):
                await copy_all(session)
        connection.execute(_RELEASED)
        await copy_all(session)
        await expect_copied(connection, session.store)
        await check(connection, session.store)
        assert len(memories(connection)) == 2


async def test_who_lost_an_attempt_without_knowing_changes_nothing(
    dsn: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    async with session_on(dsn, tmp_path) as session, session_on(dsn, tmp_path, "other") as other:
        await copy_all(session)
        remember(connection, ["a"])
        put = type(session.store).put
        overtaken = False

        async def slowly(store: Any, key: str, source: bytes | Path, sha256: bytes) -> None:
            nonlocal overtaken
            if store is session.store and not overtaken:
                overtaken = True
                connection.execute(_RELEASED)
                remember(connection, ["a"], "rewritten")
                await copy_all(other)
            await put(store, key, source, sha256)

        monkeypatch.setattr(type(session.store), "put", slowly)
        assert await copy_step(session)
        await copy_all(session)
        await expect_copied(connection, session.store)
        assert connection.execute("select pending from mnemo.copy_status").fetchone() == (0,)


@pytest.mark.s3
@pytest.mark.parametrize("name", ["moto", "rclone"])
async def test_copies_reach_s3_past_every_fault(
    dsn: str, connection: Connection, request: pytest.FixtureRequest, s3_credentials: None, name: str
) -> None:
    server: ObjectServer = request.getfixturevalue(f"{name}_server")
    faults: list[tuple[Fault, str]] = [
        ("flipped_upload", "PUT"),
        ("lost_reply", "PUT"),
        ("duplicated", "PUT"),
        ("slow_down", "GET"),
        ("truncated", "GET"),
        ("flipped", "GET"),
    ]
    with FaultProxy(server.endpoint_url) as proxy:
        settings = server.behind(proxy.url).settings(f"s3://{server.new_bucket()}/a")
        connection.execute("select mnemo.add_copy_policy('copies')")
        async with make_pool(dsn, settings) as pool, open_archive(pool, settings, worker="s3") as session:
            await copy_all(session)
            for fault, method in faults:
                remember(connection, [fault, "again"], fault)
                proxy.fail(fault, times=3, method=method, containing="/copies/")
                for _ in range(5):
                    try:
                        await copy_all(session)
                        break
                    except (StoreUnavailable, ObjectCorrupted, ArchiveConflict):
                        connection.execute(_RELEASED)
                await expect_copied(connection, session.store)
            before = memories(connection)
            connection.execute("truncate mnemo.memory_hot")
            assert (await rebuild(session)).memories == len(before) == len(faults) + 1
            assert memories(connection) == before
            assert [found async for found in verify(session) if found.wrong] == []
            await check(connection, session.store)


async def test_a_copy_of_the_database_makes_the_copies_its_own(
    databases: Databases, dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    remember(connection, range(5))
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        parent = session.database
    connection.close()
    clone = databases.create(str(conninfo_to_dict(dsn)["dbname"]))
    try:
        with psycopg.connect(databases.dsn(clone), autocommit=True) as other:
            async with session_on(databases.dsn(clone), tmp_path, "clone") as session:
                assert session.database != parent
                other.execute("truncate mnemo.memory_hot")
                # From what the parent wrote.
                assert (await rebuild(session)).memories == 5
                remember(other, ["3", "new"], "in the clone")
                await copy_all(session)
                assert await merge_step(session, everything=True)
                keys = other.execute("select hdv_key, rows_key, manifest_key from mnemo.copy").fetchall()
                assert len(keys) == 1
                assert all(key.startswith(f"{session.database}/") for key in keys[0])
                assert not await merge_step(session, everything=True)
                assert [found async for found in verify(session) if found.wrong] == []
        async with session_on(dsn, tmp_path) as session:
            assert session.database == parent
            assert [found async for found in verify(session) if found.wrong] == []
    finally:
        databases.drop(clone)
