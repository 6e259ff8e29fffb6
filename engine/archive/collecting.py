"""Garbage collection: objects that nothing reads any more leave the store, once the grace period is over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.archive.identity import held_keys
from engine.archive.session import ArchiveSession

_BATCH = 1000
_GRACE = "select value from mnemo.setting where name = 'archive_grace_days'"
_GARBAGE = "select key, bytes, reason from mnemo.garbage(%s, %s) order by key"
_CLAIM = "select key, reason from mnemo.claim_garbage(%s, %s, %s, %s)"
_UNKNOWN = (
    "select k.key from unnest(%s::text[]) as k (key)"
    " where not exists (select from mnemo.object o where o.key = k.key)"
)
_RELEASE = "select mnemo.release_garbage(%s)"


@dataclass(frozen=True, slots=True)
class Garbage:
    """An object that may go: its key, size in bytes where that is known, and why."""

    key: str
    size: int | None
    reason: str


async def garbage(session: ArchiveSession) -> list[Garbage]:
    """Return what a collection would delete now, by key; deletes nothing."""
    database = session.database
    old = await _old_unknown(session, database)
    held = sorted(await held_keys(session.store, database))
    async with session.transaction() as connection:
        rows = await (await connection.execute(_GARBAGE, (list(old), held))).fetchall()
    return [Garbage(key, old.get(key, size), reason) for key, size, reason in rows]


async def gc_step(session: ArchiveSession) -> bool:
    """Delete the next objects that nothing needs; True if there were any.

    Only under the name of this database, which is proved first, and nothing that a copy holds, that anything
    in the database refers to, or that is younger than archive_grace_days. Killed at any moment, the next call
    goes on.

    Raises:
        ArchiveConflict: another copy took the name meanwhile: nothing more is deleted.
        ObjectCorrupted: a copy's hold cannot be read.
        StoreUnavailable, StoreRefused: the store.
    """
    await session.prove()
    database = session.database
    async with session.transaction() as connection:
        await connection.execute("select mnemo.drop_emptied()")
        await connection.execute("select mnemo.abandon_objects()")
    # What has left here for good need not be held any longer.
    await session.refresh_holds()
    old = await _old_unknown(session, database)
    held = sorted(await held_keys(session.store, database))
    async with session.transaction() as connection:
        rows = await (await connection.execute(_CLAIM, (database, list(old), held, _BATCH))).fetchall()
    keys = [key for key, _ in rows]
    if not keys:
        return False
    # Once more, now that nobody can come to need one of them unseen.
    late = await held_keys(session.store, database) & set(keys)
    if late:
        async with session.transaction() as connection:
            await connection.execute(_RELEASE, (sorted(late),))
        keys = [key for key in keys if key not in late]
    manifests = [key for key in keys if key.endswith(".manifest.json")]
    # Whoever reads a folder begins with its manifest.
    await session.store.delete(manifests)
    await session.store.delete([key for key in keys if key not in set(manifests)])
    async with session.transaction() as connection:
        await connection.execute("select mnemo.forget_objects(%s)", (keys,))
    return True


async def _old_unknown(session: ArchiveSession, database: UUID) -> dict[str, int]:
    """Return the objects that the database does not know, older than the grace period: key and size."""
    async with session.transaction() as connection:
        row = await (await connection.execute(_GRACE)).fetchone()
    before = datetime.now(UTC) - timedelta(days=row[0] if row is not None else 36500)
    unknown: dict[str, int] = {}
    batch: dict[str, int] = {}

    async def sift() -> None:
        async with session.transaction() as connection:
            rows = await (await connection.execute(_UNKNOWN, (list(batch),))).fetchall()
        unknown.update({key: batch[key] for (key,) in rows})
        batch.clear()

    for folder in ("segments", "copies"):
        async for info in session.store.list(f"{database}/{folder}/"):
            if info.modified <= before:
                batch[info.key] = info.size
            if len(batch) >= _BATCH:
                await sift()
    await sift()
    return unknown
