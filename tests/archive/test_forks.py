"""Copies of a database in one object store: each takes its own name, and none harms another."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from engine import Memory, Mnemo
from engine.archive.attaching import attach
from engine.archive.collecting import gc_step
from engine.archive.compacting import compact
from engine.archive.exporting import export_step
from engine.archive.identity import hold_key, owner_key
from engine.archive.restoring import restore_ids, restore_segment
from engine.archive.session import ArchiveSession
from engine.config import Settings
from engine.errors import ArchiveConflict, InstallationMismatch
from tests.archive.invariants import check
from tests.conftest import DatabaseFactory
from tests.support.archives import keys_in, opened
from tests.support.databases import Databases


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


@pytest.fixture
def cloned(databases: Databases) -> Iterator[Any]:
    """Makes a copy of a database on its server, and drops it at the end."""
    made: list[str] = []

    def clone(dsn: str) -> str:
        with psycopg.connect(dsn) as connection:
            name = connection.info.dbname
        with psycopg.connect(databases.server_dsn, autocommit=True) as server:
            copy = databases.name()
            server.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(copy), sql.Identifier(name))
            )
        made.append(copy)
        return databases.dsn(copy)

    yield clone
    for name in made:
        databases.drop(name)


def value(dsn: str, query: str, *parameters: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


async def told(dsn: str, session: ArchiveSession) -> dict[UUID, tuple[Any, ...]]:
    """Check everything; return memories without where they are."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = await check(connection, session.store)
    return {i: (f.content, f.hdv, f.attributes, f.key, f.created_at) for i, f in found.items()}


async def archived(mnemo: Mnemo, session: ArchiveSession, count: int = 30) -> list[UUID]:
    ids = await mnemo.remember_many(
        [Memory(f"number {i} of tea", key=f"k{i}", attributes={"n": i}, tier="cold") for i in range(count)]
    )
    report = await export_step(session, value(mnemo.dsn, "select mnemo.segment_of_tier('cold')"))
    assert report is not None
    return [UUID(str(i)) for i in ids]


async def collect(dsn: str, session: ArchiveSession) -> None:
    value(dsn, "select mnemo.configure('{\"archive_grace_days\": 0}')")
    while await gc_step(session):
        pass


async def test_x6_neither_of_two_copies_harms_the_other(small_dsn: str, cloned: Any, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session)
        first = await told(small_dsn, session)
        name = session.database
    copy_dsn = cloned(small_dsn)
    number = value(small_dsn, "select segment from mnemo.archive")
    async with opened(copy_dsn, tmp_path) as (copy, forked), opened(small_dsn, tmp_path) as (_, session):
        assert session.database == name
        assert forked.database != name
        hold = json.loads((tmp_path / hold_key(name, forked.database)).read_text())
        assert set(hold["keys"]) == {k for k in keys_in(tmp_path) if "/segments/" in k}
        # The first one is through with the segment, and collects what it can.
        value(small_dsn, "select mnemo.forget_many(%s)", ids[:10])
        assert await restore_segment(session, number) == 20
        await collect(small_dsn, session)
        assert set(hold["keys"]) <= keys_in(tmp_path)
        assert await told(copy_dsn, forked) == first
        assert len(await told(small_dsn, session)) == 20
        # The other one too, with its own hand.
        value(copy_dsn, "select mnemo.forget(%s)", ids[29])
        assert await compact(forked, [number]) is not None
        await collect(copy_dsn, forked)
        assert await told(copy_dsn, forked) == {i: t for i, t in first.items() if i != ids[29]}
        hits = await copy.recall("number 3 of tea", k=3, archive=True)
        assert hits[0].key == "k3"
        # Nothing is held any more: now the first one's objects go, and the copy reads its own.
        await collect(small_dsn, session)
        left = {k for k in keys_in(tmp_path) if "/segments/" in k}
        assert {k.split("/")[0] for k in left} == {str(forked.database)}
        assert len(await told(copy_dsn, forked)) == 29


async def test_what_is_under_way_is_given_up_by_a_copy(small_dsn: str, cloned: Any, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await archived(mnemo, session)
        number = value(small_dsn, "select segment from mnemo.archive")
        value(small_dsn, "select count(*) from mnemo.begin_restore('w', %s)", number)
        before = await told(small_dsn, session)
    copy_dsn = cloned(small_dsn)
    async with opened(copy_dsn, tmp_path) as (_, forked):
        assert value(copy_dsn, "select state from mnemo.segment where segment = %s", number) == "archived"
        assert await restore_segment(forked, number, "cold") == 30
        assert await told(copy_dsn, forked) == before


async def test_copies_of_a_whole_directory_are_told_apart(small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await archived(mnemo, session)
        # The other copy, which looks like this one, opened its archive: its token is there now.
        owner = tmp_path / owner_key(session.database)
        mine = owner.read_bytes()
        owner.write_bytes(mine.replace(mine[-20:-2], b"0" * 18))
        name = session.database
        await session.prove()
        assert session.database != name
        assert (tmp_path / hold_key(name, session.database)).exists()
        before = keys_in(tmp_path)
        await collect(small_dsn, session)
        assert keys_in(tmp_path) == before
        assert len(await told(small_dsn, session)) == 30


async def test_a_name_survives_being_killed_at_any_step(small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (_, session):
        name = session.database
        # Noted here, not written there; and written there, not noted here.
        value(small_dsn, "select database from mnemo.attach_store(%s)", session.store.url)
        await session.prove()
        following = value(small_dsn, "select next_token from mnemo.attach_store(%s)", session.store.url)
        owner = {"database": str(name), "token": str(following)}
        (tmp_path / owner_key(name)).write_text(json.dumps(owner, sort_keys=True, separators=(",", ":")))
        await asyncio.gather(*[session.prove() for _ in range(4)])
        assert session.database == name
        assert value(small_dsn, "select count(*) from mnemo.identity") == 1


async def test_another_store_is_refused_unless_all_is_there(small_dsn: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    async with opened(small_dsn, here) as (mnemo, session):
        ids = await archived(mnemo, session)
        before = await told(small_dsn, session)
        settings = session.settings
        with pytest.raises(ArchiveConflict, match=rf"{here}.*{there}"):
            await attach(mnemo.pool, settings, url=str(there), move=False, adopt=False)
        with pytest.raises(ArchiveConflict, match=value(small_dsn, "select min(key) from mnemo.object")):
            await attach(mnemo.pool, settings, url=str(there), move=True, adopt=False)
        assert value(small_dsn, "select store from mnemo.identity") == here.as_uri()
        shutil.copytree(here, there, dirs_exist_ok=True)
        moved = await attach(mnemo.pool, settings, url=str(there), move=True, adopt=False)
        assert (moved.database, moved.store) == (session.database, there.as_uri())
    shutil.rmtree(here)
    async with opened(small_dsn, there) as (_, session):
        assert await told(small_dsn, session) == before
        assert await restore_ids(session, ids[:1]) == 1


async def test_a_copy_makes_the_objects_its_own(small_dsn: str, cloned: Any, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await archived(mnemo, session)
        before = await told(small_dsn, session)
        name = session.database
    copy_dsn = cloned(small_dsn)
    settings = Settings(dsn=copy_dsn, archive={"url": str(tmp_path)})
    async with Mnemo.open(copy_dsn, settings=settings) as copy:
        done = await attach(copy.pool, settings, url=str(tmp_path), move=False, adopt=True)
        assert done.adopted == 1
    async with opened(copy_dsn, tmp_path) as (_, forked):
        await collect(copy_dsn, forked)
        assert not (tmp_path / hold_key(name, forked.database)).exists()
        shutil.rmtree(tmp_path / str(name))
        assert await told(copy_dsn, forked) == before


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"bits": 2048}, InstallationMismatch, "2048 bits, this database stores 1024"),
        ({"format_version": 9}, ArchiveConflict, "format version 9, this program reads 1"),
        ({"kind": "diary"}, ArchiveConflict, "describes a diary"),
    ],
)
async def test_a_segment_of_another_kind_is_refused(
    small_dsn: str, tmp_path: Path, change: dict[str, Any], error: type[Exception], reason: str
) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await archived(mnemo, session)
        key = value(small_dsn, "select manifest_key from mnemo.archive")
        manifest = json.loads((tmp_path / key).read_text()) | change
        (tmp_path / key).write_text(json.dumps(manifest))
        value(
            small_dsn,
            "update mnemo.object set sha256 = sha256(%s) where key = %s returning 1",
            (tmp_path / key).read_bytes(),
            key,
        )
        number = value(small_dsn, "select segment from mnemo.archive")
        for work in (restore_segment(session, number), compact(session, [number])):
            with pytest.raises(error, match=reason):
                await work
            value(
                small_dsn,
                "update mnemo.segment set state = 'archived', attempt = null, lease_until = null"
                " where segment = %s returning 1",
                number,
            )


async def test_memories_encoded_otherwise_do_not_come_back(small_dsn: str, tmp_path: Path) -> None:
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        ids = await archived(mnemo, session)
        value(
            small_dsn, "update mnemo.collection set encoder_version = 2 where name = 'memories' returning 1"
        )
        with pytest.raises(ArchiveConflict, match="'memories': encoder_version is 1 there, 2 here"):
            await restore_ids(session, ids[:1])
        number = value(small_dsn, "select segment from mnemo.archive")
        with pytest.raises(ArchiveConflict, match="encoder_version"):
            await restore_segment(session, number)
        assert value(small_dsn, "select count(*) from mnemo.archived_memory") == 30
