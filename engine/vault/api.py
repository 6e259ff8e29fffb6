"""The vault of a tenant, as `Mnemo.vault`; docs/vault.md tells what is promised."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from engine.config import Settings
from engine.database.pool import Pool
from engine.errors import InvalidArgument, KeyUnavailable, SealBroken
from engine.vault import shredding
from engine.vault.codebase import codebase_of
from engine.vault.exporting import export_codebase, export_file
from engine.vault.getting import TRIES, Act, Gone, open_item, read_item
from engine.vault.items import Certificate, ItemKind, Rotation, VaultItem, VaultKey
from engine.vault.protocol import KeyStore
from engine.vault.putting import Entry, put_item
from engine.vault.registry import make_cipher, open_keys
from engine.vault.rotating import rotate
from engine.vault.session import VaultSession

_LIST = "select * from mnemo.vault_list(%s::text, %s::jsonb)"
_FAILURE = (
    "select mnemo.report_audit('vault.failure', i.id::text, %s) from mnemo.vault_list() i"
    " where i.name = %s::text"
)
_PIECE = 1024 * 1024


class VaultApi:
    """Items sealed before they leave this process, under keys that the database never has.

    Every method raises InvalidConfiguration where no key store is configured, KeyUnavailable where it cannot
    be reached or lacks a key, and SecretExposed where the server would log secrets.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._keys: KeyStore | None = None

    async def close(self) -> None:
        """Close the key store, where one was opened."""
        self._keys = None
        await self._opened.aclose()

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterable[bytes] | Path,
        *,
        kind: ItemKind = "memory",
        metadata: Mapping[str, Any] | None = None,
        happened_at: datetime | None = None,
        replace: bool = False,
    ) -> UUID:
        """Store an item and return its id; content from a stream or a file is never in memory as a whole.

        Name, metadata (JSON) and `happened_at` are not encrypted. With `replace`, an item of the same name
        goes; backups still have it, and its key lives: shred it first where that matters.

        Raises:
            InvalidArgument: there is an item of that name; metadata that is no JSON.
            QuotaExceeded: the tenant has no room for it.
        """
        stream = _stream_of(data)
        entry = Entry(name, kind, dict(metadata or {}), happened_at, None, replace)
        return await put_item(await self._session(), entry, stream)

    async def put_conversation(
        self, name: str, messages: Iterable[Mapping[str, Any]], **options: Any
    ) -> UUID:
        """Store the messages of a conversation, each a JSON object; `options` are those of `put`."""
        try:
            lines = [json.dumps(message, ensure_ascii=False, allow_nan=False) for message in messages]
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"a message is no JSON object: {error}") from error
        return await self.put(
            name, "".join(f"{line}\n" for line in lines).encode(), kind="conversation", **options
        )

    async def put_codebase(
        self,
        name: str,
        source: Path | Mapping[str, bytes],
        *,
        metadata: Mapping[str, Any] | None = None,
        happened_at: datetime | None = None,
        replace: bool = False,
        skip_links: bool = False,
    ) -> UUID:
        """Store the files of a directory, or of a mapping of relative names to contents.

        Readable without a key: how many files, bytes in all, when the last of them changed (unless
        `happened_at` says otherwise). Links are refused, or left out with `skip_links`; devices are refused.
        """
        codebase = await asyncio.to_thread(codebase_of, source, skip_links=skip_links)
        entry = Entry(
            name,
            "codebase",
            dict(metadata or {}),
            happened_at or codebase.changed_at,
            len(codebase.files),
            replace,
        )
        return await put_item(await self._session(), entry, codebase.stream())

    async def get(self, name: str) -> bytes:
        """Return the whole content of an item.

        Raises:
            UnknownItem: there is none of that name.
            SealBroken: it is not what was stored, or this key store has not its key.
        """
        return b"".join([chunk async for chunk in self.stream(name)])

    async def get_conversation(self, name: str) -> list[dict[str, Any]]:
        """Return the messages that `put_conversation` stored."""
        return [json.loads(line) for line in (await self.get(name)).decode().split("\n") if line]

    async def stream(self, name: str) -> AsyncGenerator[bytes]:
        """Yield the content of an item in chunks, from one snapshot; errors are those of `get`.

        SealBroken may come after chunks: an item is whole only once the stream has ended. It keeps a
        connection; who stops early closes it (`contextlib.aclosing`).
        """
        session = await self._session()
        async with self._watched(session, name), aclosing(read_item(session, name)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def export(self, name: str, path: Path) -> int:
        """Write an item to `path`: a codebase as a directory of its files, else a file; return its files.

        It appears there complete, or not at all.

        Raises:
            InvalidArgument: there is something at `path` already.
            UnknownItem, SealBroken: as `get`.
        """
        return await self._write(name, path, "vault.export")

    async def save(self, name: str, path: Path) -> None:
        """Write the content of an item of any kind into a new file; as `export` otherwise."""
        await self._write(name, path, "vault.get")

    async def list(
        self, *, kind: ItemKind | None = None, metadata: Mapping[str, Any] | None = None
    ) -> list[VaultItem]:
        """Return what there is, by name: of a kind, with metadata that contain these. It needs no key."""
        wanted = None if metadata is None else Jsonb(dict(metadata))
        session = self._keyless()
        async with (
            session.transaction() as connection,
            connection.cursor(row_factory=class_row(VaultItem)) as cursor,
        ):
            await cursor.execute(_LIST, (kind, wanted))
            return await cursor.fetchall()

    async def drop(self, names: Sequence[str]) -> int:
        """Delete items, all or none; their keys live on, and backups can be read: `shred` ends that."""
        return int(await self._keyless().one("select mnemo.vault_drop(%s::text[])", list(names)))

    async def keys(self) -> tuple[VaultKey, ...]:
        """Return the epochs of the tenant, and how many data keys lie under each."""
        return tuple((await self._keyless().epochs()).values())

    async def rotate(self, *, destroy_old: bool = False) -> Rotation:
        """Start a new epoch key and wrap every data key under it; what is sealed stays as it is.

        Keys of before stay in the key store, for backups of before, unless `destroy_old`. Interrupted at any
        point, the next rotation finishes it, after any shredding that was interrupted.
        """
        session = await self._session()
        await shredding.resume(session)
        return await rotate(session, destroy_old=destroy_old)

    async def shred(self, names: Sequence[str] = (), *, memories: Sequence[UUID] = ()) -> Certificate:
        """Destroy items and private memories for good, in backups too; all or none.

        Every other data key is wrapped under a new epoch, then the keys of all epochs of before are
        destroyed: backups of before open nothing any more. Memories are forgotten with that; hypervectors
        in backups stay.

        Raises:
            UnknownItem: there is no such item, or nothing of a memory is sealed; nothing was changed.
            KeyUnavailable: the key store failed. What is deleted stays so; `resume_shredding` goes on.
        """
        if not names and not memories:
            raise InvalidArgument("shred needs the name of an item, or the id of a memory")
        return await shredding.shred_items(await self._session(), names, memories)

    async def shred_tenant(self) -> Certificate:
        """Destroy every key of the tenant and delete all items; nothing sealed can be read any more."""
        return await shredding.shred_tenant(await self._session())

    async def adopt(self) -> bool:
        """Make this database the one that the epoch keys of all tenants belong to; False when it was already.

        For what was failed over to, or a copy of a database that is gone or has a key store of its own: from
        here on, shreddings and rotations here destroy keys. Only members of mnemo_owner may.
        """
        return bool(await self._keyless().one("select mnemo.adopt_vault()"))

    async def resume_shredding(self) -> tuple[Certificate, ...]:
        """Finish what was interrupted; return the certificates of what is finished now."""
        return tuple(await shredding.resume(await self._session()))

    async def _session(self) -> VaultSession:
        async with self._opening:
            if self._keys is None:
                self._keys = await self._opened.enter_async_context(open_keys(self._settings))
        return VaultSession(self._pool, self._keys, make_cipher(), self._settings.vault.chunk_bytes)

    def _keyless(self) -> VaultSession:
        return VaultSession(self._pool, cast(KeyStore, None), make_cipher(), self._settings.vault.chunk_bytes)

    async def _write(self, name: str, path: Path, act: Act) -> int:
        session = await self._session()
        async with self._watched(session, name):
            for _ in range(TRIES):
                opened = await open_item(session, name, act)
                as_files = act == "vault.export" and opened.kind == "codebase"
                try:
                    return await (export_codebase if as_files else export_file)(session, opened, path)
                except Gone:
                    continue
            raise SealBroken

    @asynccontextmanager
    async def _watched(self, session: VaultSession, name: str) -> AsyncIterator[None]:
        """Enter what does not open into the audit."""
        try:
            yield
        except (SealBroken, KeyUnavailable) as error:
            await session.one(_FAILURE, Jsonb({"error": type(error).__name__}), name)
            raise


async def _stream_of(data: bytes | AsyncIterable[bytes] | Path) -> AsyncIterator[bytes]:
    if isinstance(data, bytes | bytearray | memoryview):
        yield bytes(data)
    elif isinstance(data, Path):
        with await asyncio.to_thread(data.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece
    else:
        async for piece in data:
            yield piece
