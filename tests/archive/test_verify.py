"""Damage to database, objects and copies is found by name, and repaired where something is left."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result

from engine.archive.comparing import Discrepancy
from engine.archive.copying import copy_step
from engine.archive.exporting import export_step
from engine.archive.repairing import repair
from engine.archive.session import ArchiveSession
from engine.archive.verifying import verify
from engine.cli.group import group
from tests.archive.copies import copy_all, session_on
from tests.archive.invariants import Found, check
from tests.conftest import DatabaseFactory

Connection = psycopg.Connection[tuple[Any, ...]]
KEYS = {
    "segment hdv": "select hdv_key from mnemo.archive",
    "segment rows": "select rows_key from mnemo.archive",
    "segment manifest": "select manifest_key from mnemo.archive",
    "copy hdv": "select hdv_key from mnemo.copy order by number",
    "copy rows": "select rows_key from mnemo.copy order by number",
    "copy manifest": "select manifest_key from mnemo.copy order by number",
}


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def fill(connection: Connection) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    for tier in ("hot", "cold"):
        connection.execute(
            "select mnemo.remember(%(t)s || ' tea ' || n, key => %(t)s || n, tier => %(t)s,"
            " attributes => jsonb_build_object('n', n)) from generate_series(1, 40) n",
            {"t": tier},
        )


def id_of(connection: Connection, key: str) -> UUID:
    row = connection.execute("select id from mnemo.memory_key where key = %s", (key,)).fetchone()
    assert row is not None
    return UUID(str(row[0]))


async def problems(session: ArchiveSession, *, quick: bool = False) -> list[Discrepancy]:
    return [found async for found in verify(session, quick=quick)]


async def wrong(session: ArchiveSession, *, quick: bool = False) -> list[Discrepancy]:
    return [found for found in await problems(session, quick=quick) if found.wrong]


async def archived(session: ArchiveSession, connection: Connection) -> dict[UUID, Found]:
    """Copy everything, archive the cold memories, and return all there are."""
    await copy_all(session)
    report = await export_step(session, 2)
    assert report is not None
    assert report.archived == 40
    return await check(connection, session.store)


def contents(found: dict[UUID, Found]) -> dict[UUID, tuple[Any, ...]]:
    return {memory_id: (f.content, f.hdv, f.attributes, f.key) for memory_id, f in found.items()}


async def test_what_is_whole_is_found_whole(dsn: str, connection: Connection, tmp_path: Path) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await archived(session, connection)
        connection.execute("select mnemo.set_attributes(%s, '{\"x\": 1.10}')", (id_of(connection, "cold1"),))
        connection.execute("select mnemo.forget(%s)", (id_of(connection, "cold2"),))
        connection.execute("select mnemo.forget(%s)", (id_of(connection, "hot2"),))
        connection.execute("select mnemo.remember('waits for its copy', key => 'hot3')")
        assert await problems(session) == []
        await copy_all(session)
        assert await problems(session) == []
        assert await problems(session, quick=True) == []


DAMAGES = [
    *((what, flip) for what in KEYS),
    ("segment hdv", Path.unlink),
    ("segment rows", truncate),
    ("copy rows", Path.unlink),
]


@pytest.mark.parametrize(("what", "damage"), DAMAGES, ids=[f"{w} {d.__name__}" for w, d in DAMAGES])
async def test_h14_a_damaged_object_is_named_and_recovered(
    dsn: str, connection: Connection, tmp_path: Path, what: str, damage: Callable[[Path], None]
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        before = await archived(session, connection)
        row = connection.execute(KEYS[what].encode()).fetchone()
        assert row is not None
        path = tmp_path / "objects" / row[0]
        digest = hashlib.sha256(path.read_bytes()).digest()
        damage(path)
        quickly = {found.subject for found in await wrong(session, quick=True)}
        assert quickly == (set() if damage is flip else {row[0]})
        found = await wrong(session)
        assert {each.subject for each in found} == {row[0]}
        assert await repair(session, found)
        while await copy_step(session):
            pass
        assert await wrong(session) == []
        assert contents(await check(connection, session.store)) == contents(before)
        if what == "segment hdv":
            assert hashlib.sha256(path.read_bytes()).digest() == digest


async def test_h14_without_the_same_bytes_memories_come_back_from_copies(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        before = await archived(session, connection)
        gone, changed = id_of(connection, "cold2"), id_of(connection, "cold3")
        # Its hypervector is nowhere any more, so that the file cannot be made again.
        connection.execute("select mnemo.forget(%s)", (gone,))
        connection.execute("select mnemo.set_attributes(%s, '{\"x\": 1.10}')", (changed,))
        await copy_all(session)
        row = connection.execute("select hdv_key from mnemo.archive").fetchone()
        assert row is not None
        flip(tmp_path / "objects" / row[0])
        found = await wrong(session)
        assert {each.subject for each in found} == {row[0]}
        done = await repair(session, found)
        assert any("39 memories came back" in line for line in done)
        assert await wrong(session) == []
        after = contents(await check(connection, session.store))
        assert after.keys() == before.keys() - {gone}
        assert after[changed][2] == {"x": 1.10}
        expected = contents(before)
        assert {i: m for i, m in after.items() if i != changed} == {
            i: m for i, m in expected.items() if i not in (gone, changed)
        }


async def test_without_copies_what_is_lost_stays_named(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await archived(session, connection)
        connection.execute("select mnemo.remove_copy_policy('copies')")
        row = connection.execute("select rows_key from mnemo.archive").fetchone()
        assert row is not None
        flip(tmp_path / "objects" / row[0])
        found = await wrong(session)
        done = await repair(session, found)
        assert any("of 40 memories there is no copy" in line for line in done)
        assert {each.subject for each in await wrong(session)} == {row[0]}


async def test_what_the_database_lacks_is_named(dsn: str, connection: Connection, tmp_path: Path) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await archived(session, connection)
        lost = id_of(connection, "hot1")
        connection.execute("delete from mnemo.memory where id = %s", (lost,))
        connection.execute("delete from mnemo.archived_memory where row_number = 0")
        connection.execute("update mnemo.object set bytes = bytes + 1 where key like '%.npy'")
        stray = tmp_path / "objects" / str(session.database) / "copies" / "stray.npy"
        stray.write_bytes(b"?")
        found = await problems(session)
        kinds = {each.subject.partition(" ")[0] for each in found if each.wrong}
        assert {"conservation", "segment", "memory"} <= kinds
        assert [each.subject for each in found if not each.wrong] == [f"{session.database}/copies/stray.npy"]
        assert {each.subject for each in found if each.lost} >= {f"memory {lost}"}
        await repair(session, found)
        again = await wrong(session)
        assert all(each.size is None and not each.lost for each in again)
        there = connection.execute("select content from mnemo.memory where id = %s", (lost,)).fetchone()
        assert there == ("hot tea 1",)


async def test_the_command_prints_each_discrepancy_and_exits_with_1(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    options = ["--dsn", dsn]
    environment = {"MNEMO_ARCHIVE__URL": str(tmp_path / "objects")}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(group, [*arguments, *options], env=environment)

    fill(connection)
    untouched = await asyncio.to_thread(run, "verify")
    assert untouched.exit_code == 0
    assert not (tmp_path / "objects").exists()
    async with session_on(dsn, tmp_path) as session:
        await archived(session, connection)
    assert (await asyncio.to_thread(run, "verify")).exit_code == 0
    row = connection.execute("select hdv_key from mnemo.archive").fetchone()
    assert row is not None
    flip(tmp_path / "objects" / row[0])
    assert (await asyncio.to_thread(run, "verify", "--quick")).exit_code == 0
    found = await asyncio.to_thread(run, "archive", "verify")
    assert found.exit_code == 1
    assert f"wrong: {row[0]}: is not what was written" in found.stdout
    repaired = await asyncio.to_thread(run, "verify", "--repair", "--json")
    assert repaired.exit_code == 0
    answer = json.loads(repaired.stdout)
    assert answer["discrepancies"] == []
    assert len(answer["repaired"]) == 1
