"""Memories back from copies: a damaged tier, a lost database, and what must not come back."""

import asyncio
import contextlib
import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
import pytest

from engine.archive.copying import merge_step
from engine.archive.exporting import export_step
from engine.archive.rebuilding import rebuild
from engine.cli.copies import restore_from_copies
from engine.errors import ArchiveConflict, InstallationMismatch, InvalidArgument
from tests.archive.copies import copy_all, memories, session_on
from tests.archive.invariants import check, everything
from tests.conftest import DatabaseFactory

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


def fill(connection: Connection) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    for tier in ("hot", "warm", "cold"):
        connection.execute(
            "select mnemo.remember(%(t)s || ' tea ' || n, key => %(t)s || n, context => 'c' || n %% 2,"
            " attributes => jsonb_build_object('n', n), tier => %(t)s, pinned => n = 3,"
            " occurred_at => timestamptz '1990-01-01 00:00:00.000001Z' + n * interval '1 day')"
            " from generate_series(1, 12) n",
            {"t": tier},
        )
    connection.execute("select set_config('mnemo.tenant', 'other', false)")
    connection.execute("select mnemo.create_collection('words', encoder => 'lexical')")
    connection.execute(
        "select mnemo.remember('öther ' || n, collection => 'words', tier => 'warm')"
        " from generate_series(1, 5) n"
    )
    connection.execute("select mnemo.remember('Bo: to ' || n, context => 'c') from generate_series(1, 3) n")
    connection.execute("select set_config('mnemo.tenant', 'default', false)")


def ids(connection: Connection, pattern: str) -> list[UUID]:
    rows = connection.execute("select id from mnemo.memory_key where key ~ %s", (pattern,))
    return [row[0] for row in rows]


def words(connection: Connection) -> list[tuple[Any, ...]]:
    """What is counted of the other tenant, whom no conflict of keys touches."""
    connection.execute("select set_config('mnemo.tenant', 'other', false)")
    while connection.execute("select mnemo.fold_terms_step('{}')").fetchone() != (0,):
        pass
    connection.execute("select set_config('mnemo.tenant', 'default', false)")
    counted = (
        "select collection, role, term, memories from mnemo.term where tenant = 'other' order by 1, 2, 3"
    )
    return connection.execute(counted).fetchall()


@pytest.mark.parametrize("damage", ["memory", "both", "partition"])
async def test_n3_a_damaged_tier_comes_back_from_its_copies(
    dsn: str, connection: Connection, tmp_path: Path, damage: str
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        connection.execute("select mnemo.remember('warm tea, again', key => 'warm5', tier => 'warm')")
        connection.execute(
            "select mnemo.set_attributes(%s, '{\"changed\": true}')", ids(connection, "^warm6$")
        )
        connection.execute("select mnemo.demote(%s, 'cold')", (ids(connection, "^warm7$"),))
        connection.execute("select mnemo.forget(%s)", ids(connection, "^warm8$"))
        await copy_all(session)
        # The forgetting of this one waits in the queue.
        connection.execute("select mnemo.forget(%s)", ids(connection, "^warm9$"))
        before = memories(connection)
        connection.execute("truncate mnemo.memory_warm")
        if damage == "both":
            connection.execute("delete from mnemo.activity where tier = 'warm'")
        done = await rebuild(session, tier="warm")
        assert done.restored == {"warm": 14}
        assert done.left_out == []
        assert memories(connection) == before
        await check(connection, session.store)
        assert (await rebuild(session)).memories == 0
        hits = connection.execute("select key from mnemo.recall_text('warm tea 4', k => 1)").fetchall()
        assert hits == [("warm4",)]


async def test_n3_a_lost_database_is_rebuilt_from_its_copies_alone(
    database_factory: DatabaseFactory, dsn: str, connection: Connection, tmp_path: Path
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        connection.execute("select mnemo.remember('hot tea, again', key => 'hot5')")
        connection.execute("select mnemo.forget(%s)", ids(connection, "^hot6$"))
        await copy_all(session)
        while await merge_step(session, everything=True):
            pass
        connection.execute("select mnemo.remember('after the merge')")
        await copy_all(session)
        name, store_url = session.database, session.store.url
    fresh = database_factory(1024, 256)
    async with session_on(fresh, tmp_path / "elsewhere") as session:
        with psycopg.connect(fresh, autocommit=True) as other:
            other.execute("select mnemo.remember('of somebody else', key => 'hot7')")
            mine = memories(other)
            done = await rebuild(session, url=store_url, database=name)
            (conflict,) = done.left_out
            assert "'hot7'" in conflict
            expected = memories(connection)
            del expected[ids(connection, "^hot7$")[0]]
            assert memories(other) == {**expected, **mine}
            await check(other, session.store)
            assert words(other) == words(connection) != []
            again = await rebuild(session, url=store_url, database=name)
            assert again.memories == 0


async def test_what_cannot_be_read_here_is_refused_with_the_reason(
    database_factory: DatabaseFactory, dsn: str, connection: Connection, tmp_path: Path
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        name, url = session.database, session.store.url
        with pytest.raises(InvalidArgument, match="'tepid'"):
            await rebuild(session, tier="tepid")
        with pytest.raises(InvalidArgument, match="name the database"):
            await rebuild(session, url=url)
        with pytest.raises(ArchiveConflict, match="holds no copies"):
            await rebuild(session, database=UUID(int=1))
    wide = database_factory(2048, 256)
    async with session_on(wide, tmp_path / "wide") as session:
        with pytest.raises(InstallationMismatch, match="of 1024 bits, this database stores 2048"):
            await rebuild(session, url=url, database=name)
    other = database_factory(1024, 256)
    with psycopg.connect(other, autocommit=True) as opened:
        opened.execute("select mnemo.create_collection('words', seed => 'another')")
        async with session_on(other, tmp_path / "other") as session:
            with pytest.raises(
                ArchiveConflict, match=r"'words' .* encoder is 'composite' here and 'lexical' there"
            ):
                await rebuild(session, url=url, database=name)


async def test_a_bad_set_is_named_and_the_others_used(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        connection.execute("select mnemo.remember('later', key => 'later')")
        await copy_all(session)
        row = connection.execute("select hdv_key from mnemo.copy order by number desc limit 1").fetchone()
        assert row is not None
        bad = tmp_path / "objects" / row[0]
        content = bytearray(bad.read_bytes())
        content[-1] ^= 1
        bad.write_bytes(content)
        before = memories(connection)
        lost = ids(connection, "^later$")[0]
        connection.execute("truncate mnemo.memory_hot")
        done = await rebuild(session)
        assert any(row[0] in reason for reason in done.left_out)
        assert memories(connection) == {i: m for i, m in before.items() if i != lost}


async def test_rebuilding_goes_on_where_it_was_interrupted(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute('select mnemo.configure(\'{"copy_batch_rows": 5, "copy_sets_most": 1000}\')')
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        before = memories(connection)
        connection.execute("truncate mnemo.memory cascade")

        def stop(done: int, total: int) -> None:
            if done > total / 2:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            await rebuild(session, on_progress=stop)
        assert 0 < len(memories(connection)) < len(before)
        await rebuild(session)
        assert memories(connection) == before
        await check(connection, session.store)


async def test_a_lost_database_comes_back_with_what_was_archived(
    database_factory: DatabaseFactory, dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select mnemo.remember('before the policy', key => 'early', tier => 'cold')")
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        # Archived before it was copied: the objects of the segment alone have it.
        assert await export_step(session, 2) is not None
        await copy_all(session)
        changed, gone = ids(connection, "^cold4$"), ids(connection, "^cold5$")
        connection.execute("select mnemo.set_attributes(%s, '{\"later\": 1.50}')", changed)
        connection.execute("select mnemo.forget(%s)", gone)
        connection.execute("select mnemo.remember('cold tea, again', key => 'cold6', tier => 'cold')")
        await copy_all(session)
        before = await everything(connection, session.store)
        name, url = session.database, session.store.url
    assert {found.place for found in before.values()} == {"hot", "warm", "cold", "archive"}
    fresh = database_factory(1024, 256)
    async with session_on(fresh, tmp_path / "elsewhere") as session:
        with psycopg.connect(fresh, autocommit=True) as other:
            done = await rebuild(session, url=url, database=name)
            assert done.left_out == []
            after = await check(other, session.store)
            tiers = {i: "cold" if found.place == "archive" else found.place for i, found in before.items()}
            assert {i: found.place for i, found in after.items()} == tiers
            assert {i: replace(found, place="") for i, found in after.items()} == {
                i: replace(found, place="") for i, found in before.items()
            }
            assert gone[0] not in after
            assert (await rebuild(session, url=url, database=name)).memories == 0


async def test_the_command_brings_back_what_is_lost(
    dsn: str, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(connection)
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        settings = session.settings
    before = memories(connection)
    connection.execute("truncate mnemo.memory_warm")
    restore = functools.partial(restore_from_copies, settings, tier="warm", url=None, database=None)
    await asyncio.to_thread(restore, json=True)
    assert json.loads(capsys.readouterr().out)["restored"] == {"warm": 17}
    assert memories(connection) == before
    with pytest.raises(click.BadParameter, match="'x'"):
        restore_from_copies(settings, tier=None, url=None, database="x", json=False)
