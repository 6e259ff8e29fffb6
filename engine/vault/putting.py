"""The way into a vault: chunks sealed here, streamed, and last of all the row that says what they are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from engine.database.pool import Connection
from engine.errors import VaultConflict
from engine.vault.items import ItemKind
from engine.vault.protocol import SCHEME, ItemHeader, KeyHeader
from engine.vault.rotating import start_epoch
from engine.vault.session import Epoch, VaultSession

_CHUNK = "select mnemo.vault_put_chunk(%s::uuid, %s::integer, %b::bytea, %s::text)"
_FINISH = (
    "select mnemo.vault_finish(%s::uuid, %s::text, %s::text, %s, %s::bigint, %s::integer, %s::integer,"
    " %s::timestamptz, %s::integer, %b::bytea, %s::smallint, %s)"
)
# Each try fails only because somebody has started an epoch since the one before.
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of an item beside its content; none of it is encrypted."""

    name: str
    kind: ItemKind
    metadata: dict[str, Any]
    happened_at: datetime | None
    files: int | None
    replace: bool


class _NoEpoch(Exception):  # noqa: N818
    pass


def header_of(item: UUID, tenant: str, kind: str, name: str, version: int = SCHEME) -> ItemHeader:
    """Return what an item's chunks are bound to: its name too, so that items cannot trade theirs."""
    return ItemHeader(item, tenant, f"{kind}/{name}", version)


async def put_item(session: VaultSession, entry: Entry, data: AsyncIterator[bytes]) -> UUID:
    """Store an item in one transaction, a chunk in memory at a time; return its id."""
    try:
        return await _put(session, entry, data)
    except _NoEpoch:
        # The tenant's first item; nothing of the data has been read yet.
        await start_epoch(session, first=True)
    return await _put(session, entry, data)


async def _put(session: VaultSession, entry: Entry, data: AsyncIterator[bytes]) -> UUID:
    async with session.silent() as connection:
        row = await (
            await connection.execute("select mnemo.vault_begin(%s::text, %s)", (entry.name, entry.replace))
        ).fetchone()
        assert row is not None
        item: UUID = row[0]
        epoch = await session.active(connection)
        if epoch is None:
            raise _NoEpoch
        data_key = session.cipher.new_data_key()
        header = header_of(item, epoch.tenant, entry.kind, entry.name)
        database_key = session.cipher.database_key(data_key, header)
        size = 0
        async for position, last, chunk in chunked(data, session.chunk_bytes):
            sealed = session.cipher.seal(data_key, header, position, last, chunk)
            await connection.execute(_CHUNK, (item, position, sealed, database_key))
            size += len(chunk)
        for _ in range(_TRIES):
            wrapped = session.cipher.wrap(epoch.key, KeyHeader(item, epoch.tenant, epoch.number), data_key)
            try:
                async with connection.transaction():
                    await connection.execute(
                        _FINISH,
                        (
                            item,
                            entry.name,
                            entry.kind,
                            Jsonb(entry.metadata),
                            size,
                            session.chunk_bytes,
                            entry.files,
                            entry.happened_at,
                            epoch.number,
                            wrapped,
                            SCHEME,
                            entry.replace,
                        ),
                    )
            except pg.Error as error:
                if error.sqlstate != VaultConflict.sqlstate:
                    raise
                epoch = await _active(session, connection)
            else:
                return item
    raise VaultConflict("others kept starting epochs: the item was not stored")


async def chunked(data: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[int, bool, bytes]]:
    """Yield position, whether it is the last, and chunks of `size` bytes; of nothing, one empty chunk."""
    position, kept = 0, bytearray()
    async for piece in data:
        view = memoryview(piece)
        while view:
            # Only what follows tells that a full chunk was not the last.
            if len(kept) == size:
                yield position, False, bytes(kept)
                position += 1
                kept.clear()
            room = size - len(kept)
            kept += view[:room]
            view = view[room:]
    yield position, True, bytes(kept)


async def _active(session: VaultSession, connection: Connection) -> Epoch:
    epoch = await session.active(connection)
    if epoch is None:
        raise VaultConflict("the tenant was shredded meanwhile: nothing was stored")
    return epoch
