"""Crypto-shredding: what opens an item is destroyed, so that no copy of it anywhere can be read."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from engine.errors import InvalidArgument, UnknownItem, VaultConflict
from engine.vault.items import Certificate
from engine.vault.rotating import destroy, rewrap_all
from engine.vault.session import VaultSession

_SHRED = "select mnemo.begin_shred(%s::integer, %s::text, %b::bytea, %s::text[], %s::uuid[])"
_PENDING = "select id from mnemo.vault_shreddings(false)"
_CERTIFICATES = "select id, certificate from mnemo.vault_shreddings(true) where id = any (%s::uuid[])"
_TRIES = 100


async def shred_items(session: VaultSession, names: Sequence[str], memories: Sequence[UUID]) -> Certificate:
    """Shred items, and the sealed parts of memories, all or none; finish what others left first."""
    await resume(session)
    for _ in range(_TRIES):
        epoch, check_value = await session.new_epoch()
        try:
            shredding = await session.one(
                _SHRED, epoch.number, session.keys.url, check_value, list(names), list(memories)
            )
        except (VaultConflict, UnknownItem, InvalidArgument) as refusal:
            await session.discard(epoch)
            if not isinstance(refusal, VaultConflict):
                raise
            # Somebody else has started an epoch since.
            continue
        return await _certified(session, shredding)
    raise VaultConflict("others kept starting epochs: nothing was shredded")


async def shred_tenant(session: VaultSession) -> Certificate:
    """Destroy every key of the tenant, and delete all that they opened."""
    return await _certified(session, await session.one("select mnemo.begin_shred_tenant()"))


async def resume(session: VaultSession) -> list[Certificate]:
    """Finish the shreddings, and destructions of old keys, that somebody began and did not end."""
    begun = await _pending(session)
    if not begun and any(key.state == "destroying" for key in (await session.epochs()).values()):
        await destroy(session, None)
    for _ in range(_TRIES):
        if begun.isdisjoint(await _pending(session)):
            return await _certificates(session, list(begun))
        await rewrap_all(session)
        # What others start to shred meanwhile may have to wait for the next round.
        await destroy(session, None)
    raise VaultConflict("others kept starting epochs: what is being shredded is not finished")


async def _certified(session: VaultSession, shredding: UUID) -> Certificate:
    await resume(session)
    for certificate in await _certificates(session, [shredding]):
        return certificate
    raise VaultConflict(f"shredding {shredding} is not finished yet: somebody else is at it")


async def _pending(session: VaultSession) -> set[UUID]:
    async with session.transaction() as connection:
        return {row[0] for row in await (await connection.execute(_PENDING)).fetchall()}


async def _certificates(session: VaultSession, ids: Sequence[UUID]) -> list[Certificate]:
    async with session.transaction() as connection:
        rows = await (await connection.execute(_CERTIFICATES, (list(ids),))).fetchall()
    return [Certificate(shredding, _time(document.get("final_at")), document) for shredding, document in rows]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
