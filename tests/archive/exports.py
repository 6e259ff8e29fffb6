"""Databases to export from, exports that wait at a point, and the dead."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import LiteralString
from uuid import UUID

from psycopg.conninfo import make_conninfo

from engine.archive.exporting import ExportReport, export_step
from tests.archive.invariants import Found
from tests.conftest import Connection
from tests.support.archives import opened

_KEYS: LiteralString = "hashtext('mnemo.injection_point'), hashtext(%s)"


def plant(db: Connection, count: int = 40, tier: str = "cold") -> None:
    """Write memories k0, k1, ... of which every tenth is pinned."""
    db.execute(
        "select mnemo.remember('memory ' || n, mnemo.random_hypervector('h' || n), key => 'k' || n,"
        " context => 'c' || n %% 3, attributes => jsonb_build_object('n', n), tier => %s,"
        " pinned => n %% 10 = 0) from generate_series(0, %s - 1) n",
        (tier, count),
    )


def at(dsn: str, **settings: str) -> str:
    """Return a connection string with settings of the server, such as mnemo.clock (`mnemo_clock`)."""
    options = " ".join(f"-c {name.replace('mnemo_', 'mnemo.')}={value}" for name, value in settings.items())
    return make_conninfo(dsn, options=options)


def expire(db: Connection) -> None:
    """Let everybody's lease run out."""
    db.execute("update mnemo.segment set lease_until = clock_timestamp() where attempt is not null")


def key_id(db: Connection, key: str) -> UUID:
    """Return the id of the memory of a key."""
    row = db.execute("select k.id from mnemo.memory_key k where k.key = %s", (key,)).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def places(found: Mapping[UUID, Found]) -> dict[str | None, str]:
    """Return the tier of each key."""
    return {memory.key: memory.place for memory in found.values()}


def elsewhere(found: Mapping[UUID, Found]) -> dict[UUID, Found]:
    """The same memories, wherever they are."""
    return {memory_id: replace(memory, place="") for memory_id, memory in found.items()}


@asynccontextmanager
async def halted(
    db: Connection, dsn: str, store: Path, point: str
) -> AsyncIterator["asyncio.Task[ExportReport | None]"]:
    """An export of segment 2 that waits at a point, and goes on at the end."""
    async with opened(at(dsn, mnemo_injection_point=point), store) as (_, session):
        task: asyncio.Task[ExportReport | None] | None = None
        try:
            with hold(db, point):
                task = asyncio.create_task(export_step(session, 2))
                while not waiting(db):
                    assert not task.done(), task
                    await asyncio.sleep(0)
                yield task
        finally:
            if task is not None:
                await asyncio.wait([task])


@contextmanager
def hold(db: Connection, point: str) -> Iterator[None]:
    """Have whoever comes to a point wait there while the context lasts."""
    db.execute(f"select pg_advisory_lock({_KEYS})".encode(), (point,))
    try:
        yield
    finally:
        db.execute(f"select pg_advisory_unlock({_KEYS})".encode(), (point,))


def waiting(db: Connection) -> bool:
    """Whether somebody waits at a point of this database."""
    query: LiteralString = (
        "select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
    )
    return db.execute(query).rowcount > 0
