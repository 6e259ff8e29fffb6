"""Sealed memories on their way in and out: data keys wrapped, registered, fetched and unwrapped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from engine.database.pool import Connection
from engine.database.staging import Draft
from engine.errors import InvalidArgument, KeyUnavailable, NotPermitted, SealBroken, VaultConflict
from engine.memory import Collection, Hit, Record
from engine.vault.blinding import blinded, names_sealed
from engine.vault.protocol import KeyHeader
from engine.vault.rotating import start_epoch
from engine.vault.sealing import CONTENT, SEAL, Sealer, closed, sealed_names
from engine.vault.session import Epoch, VaultSession

_REGISTER = "select mnemo.register_seals(%s::integer, %s::uuid[], %s::bytea[])"
_OPEN = "select id, tenant, epoch, wrapped from mnemo.open_seals(%s::uuid[])"
_INDEX_KEY = "select id, tenant, epoch, wrapped from mnemo.index_key()"
_REGISTER_INDEX = "select mnemo.register_index_key(%s::integer, %b::bytea)"
_FAILURE = "select mnemo.report_audit('vault.failure', null, %s)"
# Each try fails only because somebody has started an epoch since the one before.
_TRIES = 100
# The role may not open anything here; this is a replica, which has no audit to enter it in.
_MAY_NOT = (NotPermitted, pg.ReadOnlySqlTransaction)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What of one draft is to be sealed."""

    place: int
    content: bool
    names: Sequence[str]


class MemorySeals:
    """Seals memories and opens them, under the keys of a vault."""

    def __init__(self, session: Callable[[], Awaitable[VaultSession]], configured: bool) -> None:
        self._session = session
        self._configured = configured
        self._ready = False

    async def ready(self) -> None:
        """See to it that the tenant has an epoch to wrap under, before a transaction needs it."""
        if not self._ready:
            session = await self._session()
            async with session.transaction() as connection:
                epoch = await session.active(connection)
            if epoch is None:
                await start_epoch(session, first=True)
            self._ready = True

    async def seal(
        self, connection: Connection, drafts: Sequence[Draft], parts: Sequence[Parts]
    ) -> list[Draft]:
        """Seal drafts, and register their data keys in the connection's transaction, which stores them next.

        Every call makes new data keys: what is stored again after a failure is another content to them.
        """
        session = await self._session()
        epoch = await _active(session, connection)
        index_key = await _made_index_key(session, connection) if any(one.names for one in parts) else None
        cipher, keys = session.cipher, [(uuid4(), session.cipher.new_data_key()) for _ in parts]
        sealed = list(drafts)

        def work() -> None:
            for one, (seal, key) in zip(parts, keys, strict=True):
                draft, sealer = sealed[one.place], Sealer(cipher, epoch.tenant, seal, key)
                draft = replace(
                    draft, attributes=sealer.seal_attributes(draft.attributes, one.names, index_key)
                )
                if one.content:
                    draft = replace(draft, content=sealer.seal_content(draft.content))
                sealed[one.place] = draft

        await asyncio.to_thread(work)
        for _ in range(_TRIES):
            wrapped = [
                cipher.wrap(epoch.key, KeyHeader(seal, epoch.tenant, epoch.number), key) for seal, key in keys
            ]
            try:
                async with connection.transaction():
                    await connection.execute(_REGISTER, (epoch.number, [seal for seal, _ in keys], wrapped))
            except pg.Error as error:
                if error.sqlstate != VaultConflict.sqlstate:
                    raise
                epoch = await _active(session, connection)
            else:
                return sealed
        raise VaultConflict("others kept starting epochs: the memories were not stored")

    async def open_hits(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """Open what of hits is sealed, as far as it can be; see `Hit.sealed`."""
        opened = await self._open([(hit.content or "", hit.attributes) for hit in hits])
        return tuple(
            hit if one is None else replace(hit, content=one[0], attributes=one[1], sealed=one[2])
            for hit, one in zip(hits, opened, strict=True)
        )

    async def open_records(self, records: Sequence[Record]) -> list[Record]:
        """Open what of records is sealed, as far as it can be; see `Record.sealed`."""
        opened = await self._open([(record.content, record.attributes) for record in records])
        return [
            record if one is None else replace(record, content=one[0], attributes=one[1], sealed=one[2])
            for record, one in zip(records, opened, strict=True)
        ]

    async def filter(self, where: Mapping[str, Any] | None, collection: Collection) -> Mapping[str, Any]:
        """Return a filter that the database can answer without knowing a value of a sealed attribute.

        Raises MalformedFilter for ranges; InvalidConfiguration where no key store is configured, which any
        filter on a sealed attribute needs.
        """
        where = where or {}
        sealed = [name for name in collection.sealed if name != CONTENT]
        if not sealed or not names_sealed(where, sealed):
            return where
        session = await self._session()
        key = await _index_key(session)

        def token(name: str, value: Any) -> str:
            try:
                return session.cipher.blind(key, name, value).hex()
            except InvalidArgument:
                raise InvalidArgument(f"attribute {name!r} cannot have such a value") from None

        return dict(blinded(where, sealed, token))

    async def _open(
        self, found: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> list[tuple[str, dict[str, Any], bool] | None]:
        """Return for each content and its attributes what they say, and whether they stay sealed.

        None: nothing is sealed.
        """
        seals = {
            place: _uuid(attributes[SEAL])
            for place, (_, attributes) in enumerate(found)
            if SEAL in attributes
        }
        if not seals:
            return [None] * len(found)
        keys = await self._sealers({seal for seal in seals.values() if seal is not None})

        def work() -> tuple[list[tuple[str, dict[str, Any], bool] | None], int]:
            opened: list[tuple[str, dict[str, Any], bool] | None] = [None] * len(found)
            broken = 0
            for place, seal in seals.items():
                content, attributes = found[place]
                opened[place] = (*closed(content, attributes), True)
                if (sealer := keys.get(seal)) is not None:
                    try:
                        opened[place] = (*sealer.open(content, attributes), False)
                    except SealBroken:
                        broken += 1
            return opened, broken

        opened, broken = await asyncio.to_thread(work)
        if broken:
            _log.warning("%s sealed memories do not open: they were changed", broken)
            session = await self._session()
            await session.one(_FAILURE, Jsonb({"memories": broken}))
        return opened

    async def _sealers(self, seals: set[UUID]) -> dict[UUID | None, Sealer]:
        """Return what opens each; those whose keys cannot be had here are left out."""
        if not self._configured or not seals:
            return {}
        found: dict[UUID | None, Sealer] = {}
        try:
            session = await self._session()
            # A rotation may have destroyed the epoch that a row named: then it names another.
            for _ in range(2):
                left = [seal for seal in seals if seal not in found]
                async with session.transaction() as connection:
                    rows = await (await connection.execute(_OPEN, (left,), binary=True)).fetchall()
                if await _unwrapped(session, rows, found):
                    break
        except _MAY_NOT:
            _log.info("private memories stay sealed: this role may not open them here")
        except KeyUnavailable as error:
            _log.warning("private memories stay sealed: %s", error)
        return found


async def _unwrapped(
    session: VaultSession, rows: Sequence[tuple[Any, ...]], found: dict[UUID | None, Sealer]
) -> bool:
    """Add the sealers of rows whose keys can be had; tell whether that were all."""
    keys: dict[int, bytes] = {}
    missing = set[int]()
    for seal, tenant, number, wrapped in rows:
        if number not in keys and number not in missing:
            try:
                keys[number] = await session.keys.fetch(tenant, number)
            except KeyUnavailable as error:
                _log.warning("private memories stay sealed: %s", error)
                missing.add(number)
        if number in keys:
            try:
                data_key = session.cipher.unwrap(
                    keys[number], KeyHeader(seal, tenant, number), bytes(wrapped)
                )
            except SealBroken:
                _log.warning("the data key %s does not open", seal)
            else:
                found[seal] = Sealer(session.cipher, tenant, seal, data_key)
    return not missing


def parts_of(drafts: Sequence[Draft], private: frozenset[int], collection: Collection) -> list[Parts]:
    """Return what of drafts is to be sealed; nothing of most."""
    if not private and not collection.sealed:
        return []
    parts = (
        Parts(place, place in private, sealed_names(draft.attributes, collection))
        for place, draft in enumerate(drafts)
    )
    return [one for one in parts if one.content or one.names]


async def _active(session: VaultSession, connection: Connection) -> Epoch:
    epoch = await session.active(connection)
    if epoch is None:
        await start_epoch(session, first=True)
        epoch = await session.active(connection)
    if epoch is None:
        raise VaultConflict("the tenant was shredded meanwhile: nothing was stored")
    return epoch


async def _index_key(session: VaultSession) -> bytes:
    async with session.transaction() as connection:
        return await _made_index_key(session, connection)


async def _made_index_key(session: VaultSession, connection: Connection) -> bytes:
    """Return the tenant's index key, made and registered where there is none yet."""
    for _ in range(_TRIES):
        row = await (await connection.execute(_INDEX_KEY, binary=True)).fetchone()
        assert row is not None
        seal, tenant, number, wrapped = row
        if wrapped is not None:
            try:
                key = await session.keys.fetch(tenant, number)
            except KeyUnavailable:
                again = await (await connection.execute(_INDEX_KEY, binary=True)).fetchone()
                if again == row:
                    raise
                continue
            return session.cipher.unwrap(key, KeyHeader(seal, tenant, number), bytes(wrapped))
        epoch = await _active(session, connection)
        made = session.cipher.wrap(
            epoch.key, KeyHeader(seal, tenant, epoch.number), session.cipher.new_data_key()
        )
        try:
            async with connection.transaction():
                await connection.execute(_REGISTER_INDEX, (epoch.number, made))
        except pg.Error as error:
            if error.sqlstate != VaultConflict.sqlstate:
                raise
    raise VaultConflict("others kept starting epochs: there is no index key")


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
