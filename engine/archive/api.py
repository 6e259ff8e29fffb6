"""Cold memories in object storage, as methods of `Mnemo`; docs/archive.md tells what holds."""

import os
import socket
from collections.abc import Sequence

from engine.archive.exporting import Archiving, Progress
from engine.archive.restoring import archived_segments, ids_of_keys, restore_ids, restore_segment
from engine.archive.running import run_archive
from engine.archive.session import open_archive
from engine.config import Settings
from engine.database.pool import Pool
from engine.errors import ArchiveConflict, Conflict, MnemoError, ObjectCorrupted, ObjectMissing, UnknownName
from engine.memory import MemoryId, Tier

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

    async def restore(
        self,
        memory_ids: Sequence[MemoryId] = (),
        *,
        keys: Sequence[str] = (),
        collection: str = "memories",
        segments: Sequence[int] | None = (),
        tier: Tier = "warm",
        progress: Progress | None = None,
    ) -> int:
        """Bring memories back from the object store into a tier; return how many came.

        Those of these ids and keys (of `collection`), of this tenant; memories in a tier already stay there.
        And whole archived `segments`, of all tenants, None: all of them. Each is verified on the way, and as
        it was archived, but for attributes changed since. `progress` as in `archive`.

        Raises:
            InvalidConfiguration: no object store is configured.
            UnknownMemory, UnknownName: there is no such memory, or no such archived segment.
            ObjectCorrupted, ObjectMissing: what cannot be read stays in the archive; the first is named, and
                the others are back then.
            ArchiveConflict: it was encoded otherwise than its collection is now.
            StoreUnavailable, StoreRefused, Conflict: as `archive`.
        """
        async with open_archive(self._pool, self._settings, worker=worker_name()) as session:
            wanted = [*memory_ids, *await ids_of_keys(session, keys, collection)] if keys else [*memory_ids]
            done = await restore_ids(session, wanted, tier, progress) if wanted else 0
            wrong: MnemoError | None = None
            for segment in await archived_segments(session) if segments is None else segments:
                try:
                    done += await restore_segment(session, segment, tier, progress)
                except (ArchiveConflict, Conflict, ObjectCorrupted, ObjectMissing) as error:
                    wrong = wrong or error
                except UnknownName:
                    # Of all: compacted or restored by somebody else since they were listed.
                    if segments is not None:
                        raise
            if wrong is not None:
                raise wrong
        return done


def worker_name() -> str:
    """Return the name of this process as a worker: host and process id."""
    return f"{socket.gethostname()} {os.getpid()}"
