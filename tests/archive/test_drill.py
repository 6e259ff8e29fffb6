"""The restore drill: a dump loaded elsewhere, a clone, and a copied data directory, on one bucket."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from engine import Memory
from engine.archive.collecting import gc_step
from engine.archive.compacting import compact_step
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_ids
from engine.archive.session import ArchiveSession
from engine.embedded import EmbeddedServer
from engine.migrate import upgrade
from engine.sources import source_dir
from tests.archive.invariants import check
from tests.support.archives import keys_in, opened
from tests.support.databases import working_migrations

pytestmark = pytest.mark.slow
_QUICK = {"shared_buffers": "64MB", "fsync": "off", "autovacuum": "off", "jit": "off"}


class Place:
    """Servers of the drill and the store that they share."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.store = folder / "objects"
        self._stack = stack

    def server(self, name: str) -> EmbeddedServer:
        """Start a server on a directory, which may hold data already; it stops at the end."""
        made = EmbeddedServer(self.folder / name, settings=_QUICK)
        self._stack.callback(made.stop, "immediate")
        made.start()
        return made

    def copy(self, name: str, other: str) -> None:
        """Copy the directory of a server that is down, with its owners."""
        subprocess.run(["cp", "-a", str(self.folder / name), str(self.folder / other)], check=True)


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder that servers under another user can reach."""
    with tempfile.TemporaryDirectory(prefix="mnemo-drill-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        yield Place(folder, stack)


def run(server: EmbeddedServer, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [server.binary(program), *arguments], env=server.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def execute(dsn: str, query: str, *parameters: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), parameters or None)
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else row[0]


async def told(dsn: str, session: ArchiveSession) -> dict[UUID, tuple[Any, ...]]:
    """Check everything; return memories without where they are."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = await check(connection, session.store)
    return {i: (f.content, f.hdv, f.attributes, f.key, f.created_at) for i, f in found.items()}


async def live(dsn: str, place: Place, ids: list[UUID], gone: range) -> tuple[Any, dict[UUID, Any]]:
    """Search, forget, restore, write, archive, compact and collect; return the name and what is left."""
    async with opened(dsn, place.store) as (mnemo, session):
        before = await told(dsn, session)
        for number in (gone.start, gone.stop - 1):
            hits = await mnemo.recall(f"number {number} of tea", k=1, archive=True)
            assert hits[0].key == f"k{number}"
        execute(dsn, "select mnemo.forget_many(%s)", [ids[i] for i in gone])
        assert await restore_ids(session, [ids[gone.stop]]) == 1
        await mnemo.remember_many([Memory(f"later {gone.start}", key=f"l{gone.start}", tier="cold")])
        await export_step(session, execute(dsn, "select mnemo.segment_of_tier('cold')"))
        while await compact_step(session):
            pass
        execute(dsn, "select mnemo.drop_emptied()")
        execute(dsn, "select mnemo.configure('{\"archive_grace_days\": 0}')")
        while await gc_step(session):
            pass
        after = await told(dsn, session)
        kept = {i: t for i, t in before.items() if i not in {ids[n] for n in gone}}
        assert {i: t for i, t in after.items() if i in kept} == kept
        assert len(after) == len(kept) + 1
        return session.database, after


async def test_x6_a_restore_drill(place: Place) -> None:
    first = place.server("first")
    with working_migrations(place.folder):
        upgrade(first.dsn(), bits=1024, sketch_bits=256)
    async with opened(first.dsn(), place.store) as (mnemo, session):
        memories = [Memory(f"number {i} of tea", key=f"k{i}", tier="cold") for i in range(60)]
        ids = [UUID(str(i)) for i in await mnemo.remember_many(memories)]
        assert await export_step(session, 2) is not None
        original = await told(first.dsn(), session)
        name = session.database

    # A dump, loaded on another server; a clone on the same one; the whole directory, copied.
    dump = place.folder / "dump"
    run(first, "pg_dump", "-Fc", "-f", str(dump), first.dsn())
    elsewhere = place.server("elsewhere")
    # Roles are the cluster's, and in no dump of a database.
    execute(elsewhere.dsn("postgres"), (source_dir("sql") / "schema" / "01_roles.sql").read_text("utf-8"))
    execute(elsewhere.dsn("postgres"), "create database loaded")
    run(elsewhere, "pg_restore", "--exit-on-error", "-d", elsewhere.dsn("loaded"), str(dump))
    with psycopg.connect(first.dsn("postgres"), autocommit=True) as connection:
        template = psycopg.conninfo.conninfo_to_dict(first.dsn())["dbname"]
        connection.execute(sql.SQL("create database clone template {}").format(sql.Identifier(str(template))))
    first.stop()
    place.copy("first", "same")
    first.start()
    same = place.server("same")

    places = [first.dsn(), elsewhere.dsn("loaded"), first.dsn("clone"), same.dsn()]
    names, left = {}, {}
    for number, dsn in enumerate(places):
        names[dsn], left[dsn] = await live(dsn, place, ids, range(number * 10, number * 10 + 10 + number))
    # The original was first at the store, and kept its name; the others took new ones.
    assert names[places[0]] == name
    assert len(set(names.values())) == 4
    for dsn in reversed(places):
        async with opened(dsn, place.store) as (_, session):
            assert session.database == names[dsn]
            while await gc_step(session):
                pass
            found = await told(dsn, session)
            assert found == left[dsn]
            assert {i: t for i, t in found.items() if i in original} == {
                i: t for i, t in original.items() if i in found
            }
    # Nobody reads what the first one wrote at first any more; all that is left is read by its owner.
    owners = {key.split("/")[0] for key in keys_in(place.store) if "/segments/" in key}
    assert owners == {str(one) for one in names.values()}
