"""A database and its object store: another place for the same objects, and objects of other databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from engine.archive.compacting import Progress, compact
from engine.archive.identity import claim_name
from engine.archive.objects import ObjectStore
from engine.archive.registry import open_objects
from engine.archive.session import ArchiveSession
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.errors import ArchiveConflict

_NEEDED = (
    "select o.key, o.bytes from mnemo.object o where o.key in (select r.key from mnemo.referenced_object r)"
    " order by o.key"
)
_FOREIGN = (
    "select r.segment from mnemo.archive r join mnemo.object o on o.key = r.hdv_key"
    " join mnemo.identity i on i.is_current and i.database <> o.owner order by r.segment"
)
_HEADS = 64


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where the archive is, the name of this database there, and how many segments it made its own."""

    store: str
    database: UUID
    adopted: int


async def attach(
    pool: Pool, settings: Settings, *, url: str, move: bool, adopt: bool, progress: Progress | None = None
) -> Attachment:
    """Make `url` the store of this database's archive.

    With `move`, of one that was in another store: everything that is needed must be there. With `adopt`,
    segments that other databases wrote, which this one is a copy of, are written anew under its own name;
    what they wrote is held there for a grace period yet.

    Raises ArchiveConflict where the archive is in another store (without `move`), or objects are missing.
    """
    given = settings.archive.model_dump(exclude_unset=True) | {"url": url}
    chosen = settings.model_copy(update={"archive": type(settings.archive)(**given)})
    async with open_objects(chosen) as store:
        if move:
            await _require_all(pool, store)
        database = await claim_name(pool, store, move=move)
        session = ArchiveSession(pool, store, chosen, "mnemo archive attach", database)
        adopted = await _adopt(session, progress) if adopt else 0
        return Attachment(store.url, session.database, adopted)


async def _adopt(session: ArchiveSession, progress: Progress | None) -> int:
    async with session.transaction() as connection:
        foreign = [row[0] for row in await (await connection.execute(_FOREIGN)).fetchall()]
    adopted = 0
    for segment in foreign:
        adopted += await compact(session, [segment], progress=progress) is not None
    await session.refresh_holds()
    return adopted


async def _require_all(pool: Pool, store: ObjectStore) -> None:
    with translate_errors():
        async with pool.connection() as connection:
            needed = await (await connection.execute(_NEEDED.encode())).fetchall()
    for first in range(0, len(needed), _HEADS):
        batch: Sequence[tuple[str, int]] = needed[first : first + _HEADS]
        found = await asyncio.gather(*[store.head(key) for key, _ in batch])
        for (key, size), info in zip(batch, found, strict=True):
            if info is None or info.size != size:
                there = "is not there" if info is None else f"has {info.size} bytes, not {size}"
                raise ArchiveConflict(f"{key} {there}: {store.url} lacks what the archive needs")
