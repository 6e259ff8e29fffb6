"""Cold memories in object storage, as methods of `Mnemo`; docs/archive.md tells what holds."""

import os
import socket

from engine.archive.exporting import Archiving, Progress
from engine.archive.running import run_archive
from engine.archive.session import open_archive
from engine.config import Settings
from engine.database.pool import Pool

__all__ = ["ArchiveApi", "Archiving", "Progress", "worker_name"]


class ArchiveApi:
    """Moving memories to the object store and back."""

    _pool: Pool
    _settings: Settings

    async def archive(
        self, segment: int | None = None, *, now: bool = False, progress: Progress | None = None
    ) -> Archiving:
        """Move cold memories of all tenants to the object store, and do what else is due there.

        By default those that the archive policy names; with `segment` that cold segment alone, with `now`
        every cold memory, whenever they were used. Pinned ones stay. Nothing leaves the database before it
        was read back and verified. `progress` is told what is being done, rows done and rows in all. Killed
        at any moment, the next call, or a worker, goes on.

        Raises:
            InvalidConfiguration: no object store is configured.
            StoreUnavailable, StoreRefused: the store, after retries.
            UnknownName: there is no such cold segment, or it holds nothing that could be archived.
            Conflict: others kept rebuilding partitions or reading the archive; trying again may succeed.
        """
        async with open_archive(self._pool, self._settings, worker=worker_name()) as session:
            return await run_archive(session, segment, now=now, progress=progress)


def worker_name() -> str:
    """Return the name of this process as a worker: host and process id."""
    return f"{socket.gethostname()} {os.getpid()}"
