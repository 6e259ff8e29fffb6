"""What every piece of work on the archive has: the database, its object store, and a name there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from engine.archive.identity import claim_name, refresh_holds
from engine.archive.objects import ObjectStore
from engine.archive.registry import open_objects
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Connection, Pool


@dataclass(slots=True)
class ArchiveSession:
    """A database and its object store, for those that write or delete there."""

    pool: Pool
    store: ObjectStore
    settings: Settings
    worker: str
    """Who works, as mnemo.segments shows it."""
    database: UUID
    """The name under which this database writes; another one once a copy was found to go by it."""

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """Open a transaction on a connection of its own, without a time limit; errors are those of Mnemo.

        With `snapshot` it repeats its reads and writes nothing.
        """
        with translate_errors():
            async with self.pool.connection() as connection, connection.transaction():
                level = "repeatable read, read only" if snapshot else "read committed"
                await connection.execute(f"set transaction isolation level {level}".encode())
                await connection.execute("set local statement_timeout = 0")
                yield connection

    async def prove(self) -> None:
        """Make sure, before objects are deleted, that no other copy of this database goes by its name."""
        self.database = await claim_name(self.pool, self.store)

    async def refresh_holds(self) -> None:
        """Tell the databases that this one is a copy of which of their objects it needs now."""
        await refresh_holds(self.pool, self.store, self.database)


@asynccontextmanager
async def open_archive(pool: Pool, settings: Settings, *, worker: str) -> AsyncIterator[ArchiveSession]:
    """Open the configured store and prove this database's name there; `worker` says who works.

    Raises InvalidConfiguration where no store is configured, ArchiveConflict where the archive is in
    another one, StoreUnavailable and StoreRefused.
    """
    async with open_objects(settings) as store:
        yield ArchiveSession(pool, store, settings, worker, await claim_name(pool, store))
