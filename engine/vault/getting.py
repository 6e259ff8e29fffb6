"""The way out of a vault: the act is in the audit before a chunk is read, and a read is of one snapshot."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncCursor
from psycopg import errors as pg
from psycopg.rows import args_row

from engine.errors import InvalidArgument, KeyUnavailable, SealBroken
from engine.vault.protocol import ItemHeader, KeyHeader
from engine.vault.putting import header_of
from engine.vault.session import VaultSession

Act = Literal["vault.get", "vault.export"]

_OPEN = (
    "select item, tenant, kind, bytes as size, chunks, chunk_bytes, files, version, epoch, wrapped"
    " from mnemo.vault_open(%s::text, %s::text)"
)
_CHUNKS = (
    "select position, sealed from mnemo.vault_chunks(%s::uuid, %s::text, %s::integer, %s::integer)"
    " order by position"
)
_READ_AT_ONCE = 4 * 1024 * 1024
# pgcrypto's own, which mnemo.vault_chunks raises for whatever does not open.
_UNOPENED = "39000"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Opened:
    """An item whose data key could be unwrapped."""

    item: UUID
    kind: str
    size: int
    chunks: int
    chunk_bytes: int
    files: int | None
    header: ItemHeader
    data_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Row:
    item: UUID
    tenant: str
    kind: str
    size: int
    chunks: int
    chunk_bytes: int
    files: int | None
    version: int
    epoch: int | None
    wrapped: bytes | None = field(repr=False)


class Gone(Exception):  # noqa: N818
    """The item was dropped or replaced since its row was read; inside this package only."""


async def open_item(session: VaultSession, name: str, act: Act) -> Opened:
    """Enter the act into the audit and unwrap the item's data key.

    The key of the epoch that the row named may have been destroyed meanwhile, by a rotation: then the row is
    read again.
    """
    row = await _row(session, name, act)
    try:
        return await _unwrapped(session, name, row)
    except KeyUnavailable:
        again = await _row(session, name, act)
        if (again.item, again.epoch) == (row.item, row.epoch):
            raise
        return await _unwrapped(session, name, again)


async def read_item(session: VaultSession, name: str, act: Act = "vault.get") -> AsyncGenerator[bytes]:
    """Yield the content of an item, chunk by chunk; where SealBroken comes late, what came before is void."""
    for tries in range(1, TRIES + 1):
        opened = await open_item(session, name, act)
        begun = False
        try:
            async with aclosing(read_opened(session, opened)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
        except Gone:
            # With all its chunks gone it was replaced, or was tampered with: then it is the same again.
            if begun or tries == TRIES:
                raise SealBroken from None
        else:
            return


async def read_opened(session: VaultSession, opened: Opened) -> AsyncGenerator[bytes]:
    """Yield the content of an opened item, from one snapshot, in memory a few chunks at a time."""
    if opened.chunk_bytes <= 0 or opened.chunks <= 0:
        raise SealBroken
    at_once = max(1, _READ_AT_ONCE // opened.chunk_bytes)
    database_key = session.cipher.database_key(opened.data_key, opened.header)
    position = done = 0
    async with session.silent(snapshot=True) as connection, connection.cursor(binary=True) as cursor:
        while position < opened.chunks:
            read = await _chunks(cursor, opened.item, database_key, position, at_once)
            if not read and position == 0:
                raise Gone
            if [place for place, _ in read] != list(range(position, min(position + at_once, opened.chunks))):
                raise SealBroken
            for place, sealed in read:
                last = place == opened.chunks - 1
                chunk = session.cipher.open(opened.data_key, opened.header, place, last, sealed)
                done += len(chunk)
                if done > opened.size or (not last and len(chunk) != opened.chunk_bytes):
                    raise SealBroken
                if last and done != opened.size:
                    raise SealBroken
                yield chunk
            position += len(read)


async def _row(session: VaultSession, name: str, act: Act) -> _Row:
    async with session.transaction() as connection, connection.cursor(row_factory=args_row(_Row)) as cursor:
        await cursor.execute(_OPEN, (name, act))
        row = await cursor.fetchone()
    assert row is not None
    return row


async def _unwrapped(session: VaultSession, name: str, row: _Row) -> Opened:
    if row.epoch is None or row.wrapped is None:
        raise SealBroken
    try:
        header = header_of(row.item, row.tenant, row.kind, name, row.version)
        key_header = KeyHeader(row.item, row.tenant, row.epoch)
    except InvalidArgument:
        # No item was ever stored with these.
        raise SealBroken from None
    data_key = session.cipher.unwrap(await session.keys.fetch(row.tenant, row.epoch), key_header, row.wrapped)
    return Opened(row.item, row.kind, row.size, row.chunks, row.chunk_bytes, row.files, header, data_key)


async def _chunks(
    cursor: AsyncCursor[Any], item: UUID, key: str, first: int, count: int
) -> list[tuple[int, bytes]]:
    try:
        await cursor.execute(_CHUNKS, (item, key, first, count))
        return [(place, bytes(sealed)) for place, sealed in await cursor.fetchall()]
    except pg.Error as error:
        if error.sqlstate == _UNOPENED:
            raise SealBroken from None
        raise
