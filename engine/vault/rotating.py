"""New epoch keys, and data keys under them; docs/vault.md tells what holds at each step."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from engine.errors import KeyUnavailable, SealBroken, VaultConflict
from engine.vault.items import Rotation, VaultKey
from engine.vault.protocol import KeyHeader
from engine.vault.session import Epoch, VaultSession

_DUE = "select id, epoch, wrapped from mnemo.due_data_keys(%s::integer, %s::integer, %s::uuid)"
_REWRAP = "select mnemo.rewrap_data_keys(%s::integer, %s::uuid[], %s::bytea[], %s::bytea[])"
_BATCH = 5_000
# Each try fails only because somebody else has started an epoch since the one before.
_TRIES = 100


async def start_epoch(session: VaultSession, *, first: bool = False) -> int:
    """Make the next epoch key and make its epoch the active one; return its number.

    With `first`, somebody else's will do.
    """
    for _ in range(_TRIES):
        epoch, check_value = await session.new_epoch()
        try:
            await session.one(
                "select mnemo.start_epoch(%s::integer, %s::text, %b::bytea, %s)",
                epoch.number,
                session.keys.url,
                check_value,
                first,
            )
        except VaultConflict:
            await session.discard(epoch)
            if first:
                async with session.transaction() as connection:
                    if (other := await session.active(connection)) is not None:
                        return other.number
        else:
            return epoch.number
    raise VaultConflict("others kept starting epochs")


async def rotate(session: VaultSession, *, destroy_old: bool = False) -> Rotation:
    """Start an epoch and move every data key under it; with `destroy_old`, destroy the keys of all others."""
    await start_epoch(session)
    number, rewrapped = await rewrap_all(session)
    destroyed: tuple[int, ...] = ()
    if destroy_old:
        old = [key.epoch for key in (await session.epochs()).values() if key.state == "retired"]
        destroyed = await destroy(session, old)
    return Rotation(number, rewrapped, destroyed)


async def rewrap_all(session: VaultSession) -> tuple[int, int]:
    """Move the data keys of all other epochs under the active one; return that, and how many moved.

    Whoever was at it before may have been killed at any point: what lies under another epoch is due.

    Raises:
        KeyUnavailable: the key store lacks a key that data keys lie under; those of others have moved.
        SealBroken: data keys do not open, its note names them; all others have moved.
    """
    done, broken, keys = 0, list[UUID](), dict[int, bytes | None]()
    missing: KeyUnavailable | None = None
    after: tuple[int | None, UUID | None] = (None, None)
    while True:
        async with session.transaction() as connection:
            due = await (await connection.execute(_DUE, (_BATCH, *after), binary=True)).fetchall()
            if not due:
                break
            active = await session.active(connection)
        if active is None:
            raise VaultConflict("the tenant was shredded meanwhile")
        for number in {row[1] for row in due} - keys.keys():
            try:
                keys[number] = await session.keys.fetch(active.tenant, number)
            except KeyUnavailable as error:
                keys[number] = None
                # Others may have moved what lay under it, and destroyed it, since.
                if (await session.epochs())[number].data_keys:
                    missing = missing or error
        moved, lost = await asyncio.to_thread(_rewrapped, session, active, keys, due)
        broken += lost
        try:
            done += await _store(session, active, moved)
        except VaultConflict:
            # Another epoch has become the active one: the same keys again, under that.
            continue
        after = (due[-1][1], due[-1][0])
    if missing:
        raise missing
    if broken:
        refusal = SealBroken()
        refusal.add_note(
            f"{len(broken)} data keys do not open, nor does what they belong to, which can only be dropped: "
            f"{', '.join(map(str, broken[:10]))}"
        )
        raise refusal
    async with session.transaction() as connection:
        row = await (
            await connection.execute("select coalesce(epoch, 0) from mnemo.active_epoch()")
        ).fetchone()
    assert row is not None
    return int(row[0]), done


async def destroy(session: VaultSession, epochs: Sequence[int] | None) -> tuple[int, ...]:
    """Destroy epoch keys that nothing lies under; return which are gone. None: all that shreddings name.

    Those that somebody began to destroy before are finished too.
    """
    marked = await session.one(
        "select mnemo.begin_destroy(%s::integer[])", None if epochs is None else list(epochs)
    )
    async with session.transaction() as connection:
        row = await (await connection.execute("select tenant from mnemo.active_epoch()")).fetchone()
    assert row is not None
    known = await session.epochs()
    for number in marked:
        await _require_its_store(session, row[0], number, known)
        destruction = await session.keys.destroy(row[0], number)
        async with session.transaction() as connection:
            await connection.execute(
                "select mnemo.finish_destroy(%s::integer, %s::timestamptz)", (number, destruction.final_at)
            )
    return tuple(marked)


async def _require_its_store(
    session: VaultSession, tenant: str, number: int, known: Mapping[int, VaultKey]
) -> None:
    """Raise KeyUnavailable unless this key store has the key of an epoch, or is the one that had it.

    What is missing in another store is not destroyed. One that was moved has another key of the tenant.
    """
    try:
        key = await session.keys.fetch(tenant, number)
    except KeyUnavailable:
        if known[number].store == session.keys.url:
            return
        for other in known.values():
            with suppress(KeyUnavailable):
                session.checked(other.epoch, await session.keys.fetch(tenant, other.epoch), other.check_value)
                return
        raise KeyUnavailable(
            f"the key of epoch {number} was kept in {known[number].store}, which {session.keys.url} is not: "
            "what is not there cannot be destroyed there"
        ) from None
    session.checked(number, key, known[number].check_value)


_Moved = list[tuple[UUID, bytes, bytes]]


def _rewrapped(
    session: VaultSession, active: Epoch, keys: Mapping[int, bytes | None], due: Sequence[Any]
) -> tuple[_Moved, list[UUID]]:
    moved: _Moved = []
    lost: list[UUID] = []
    cipher, tenant = session.cipher, active.tenant
    for item, number, before in due:
        if (key := keys[number]) is None:
            continue
        try:
            data_key = cipher.unwrap(key, KeyHeader(item, tenant, number), bytes(before))
        except SealBroken:
            lost.append(item)
        else:
            moved.append(
                (item, before, cipher.wrap(active.key, KeyHeader(item, tenant, active.number), data_key))
            )
    return moved, lost


async def _store(session: VaultSession, active: Epoch, moved: _Moved) -> int:
    if not moved:
        return 0
    ids, before, after = (list(column) for column in zip(*moved, strict=True))
    return int(await session.one(_REWRAP, active.number, ids, before, after))
