"""Attempts: pieces of work on a segment that a worker holds, writes objects for, and leaves to others."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from engine.archive.objects import ObjectStore
from engine.archive.session import ArchiveSession
from engine.errors import ArchiveConflict, LeaseLost, MnemoError, ObjectCorrupted

logger = logging.getLogger(__name__)

# How often a lease is renewed while it lasts.
_RENEWALS = 4
# How long one who is told to stop takes to say so.
_GOODBYE_SECONDS = 2.0
# How long one who was cancelled takes to end.
_LOST_SECONDS = 0.5
_LEASE = "select value from mnemo.setting where name = 'archive_lease_seconds'"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file or bytes on its way to the store: its key, length in bytes and SHA-256 (32 bytes)."""

    key: str
    source: Path | bytes
    size: int
    sha256: bytes


class Attempt:
    """What `under_way` yields; `id` changes when the attempt had to begin in another folder."""

    def __init__(self, session: ArchiveSession, attempt: UUID) -> None:
        self._session = session
        self.id = attempt

    def key(self, kind: str, sha256: bytes, extension: str) -> str:
        """Return the key of an object of this attempt; `kind`: segments or copies."""
        return f"{self._session.database}/{kind}/{self.id}/{sha256.hex()}.{extension}"

    async def renew(self) -> None:
        """Give a sign of life; LeaseLost where the attempt is somebody else's by now."""
        async with self._session.transaction() as connection:
            await connection.execute("select mnemo.renew_attempt(%s)", (self.id,))

    async def store(self, uploads: Sequence[Upload]) -> None:
        """Write objects, read each back, and note them as stored: the database knew of them before.

        Those that are there already are only read back. One that is not what was written, read twice, is
        left where it is, and the attempt begins anew in another folder with the next worker.

        Raises ObjectCorrupted then, LeaseLost where the attempt is no longer ours, and what the store raises.
        """
        keys = [upload.key for upload in uploads]
        noted = (self.id, keys, [upload.size for upload in uploads], [upload.sha256 for upload in uploads])
        async with self._session.transaction() as connection:
            await connection.execute("select mnemo.note_objects(%s, %s, %s::bigint[], %s)", noted)
        for upload in uploads:
            try:
                await _written(self._session.store, upload)
            except (ArchiveConflict, ObjectCorrupted):
                async with self._session.transaction() as connection:
                    row = await (
                        await connection.execute("select mnemo.restart_attempt(%s)", (self.id,))
                    ).fetchone()
                assert row is not None
                self.id = row[0]
                raise
        async with self._session.transaction() as connection:
            await connection.execute("select mnemo.note_stored(%s, %s)", (self.id, keys))

    async def _call(self, function: str, *parameters: object) -> None:
        async with self._session.transaction() as connection:
            places = ", ".join(["%s"] * (1 + len(parameters)))
            await connection.execute(f"select mnemo.{function}({places})".encode(), (self.id, *parameters))


@asynccontextmanager
async def under_way(session: ArchiveSession, attempt: UUID) -> AsyncIterator[Attempt]:
    """Renew the lease of an attempt while the context lasts.

    An error is noted with the attempt, which somebody goes on with after a while; one who is cancelled lets
    go of it. The context may end the attempt, or lose it: LeaseLost is passed on, and is no failure.
    """
    held = Attempt(session, attempt)
    renewing = asyncio.create_task(_renew(session, held))
    try:
        yield held
    except LeaseLost:
        raise
    except asyncio.CancelledError:
        await _stop(renewing)
        with suppress(Exception):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await held._call("release_attempt")
        raise
    except Exception as error:
        await _stop(renewing)
        # Where the database is gone too, the lease runs out by itself.
        with suppress(MnemoError):
            await held._call("fail_attempt", f"{type(error).__name__}: {error}")
        raise
    finally:
        await _stop(renewing)


async def _written(store: ObjectStore, upload: Upload) -> None:
    there = await store.head(upload.key)
    if there is None or there.size != upload.size:
        await store.put(upload.key, upload.source, upload.sha256)
    if await store.digest(upload.key) == upload.sha256:
        return
    # What was flipped on the way here is whole where it is.
    if await store.digest(upload.key) != upload.sha256:
        raise ObjectCorrupted(f"{upload.key} in {store.url} is not what was written: its SHA-256 differs")


async def _renew(session: ArchiveSession, attempt: Attempt) -> None:
    async with session.transaction() as connection:
        row = await (await connection.execute(_LEASE)).fetchone()
    seconds = (row[0] if row is not None else 300.0) / _RENEWALS
    while True:
        await asyncio.sleep(seconds)
        try:
            await attempt.renew()
        except LeaseLost:
            # Whoever works finds out with the next thing that it notes.
            return
        except MnemoError as error:
            logger.debug("the lease of attempt %s could not be renewed: %s", attempt.id, error)


async def _stop(task: "asyncio.Task[None]") -> None:
    # Before Python 3.12 a cancellation is lost that comes just when the pool hands out a connection.
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_LOST_SECONDS)
    await asyncio.gather(task, return_exceptions=True)
