"""Who this database is to its object store: its name there, the proof of it, and what it holds of others."""

import json
import logging
from typing import Any
from uuid import UUID

from engine.archive.objects import ObjectStore
from engine.database.errors import translate_errors
from engine.database.pool import Connection, Pool
from engine.errors import ArchiveConflict, ObjectCorrupted, ObjectMissing

logger = logging.getLogger(__name__)

# Each further round means that somebody else changed the same thing at that moment.
_ROUNDS = 20
_HELD = (
    "select i.database, coalesce(array_agg(o.key order by o.key) filter (where o.key is not null), '{}')"
    " from (select i.database from mnemo.identity i where not i.is_current union select o.owner"
    " from mnemo.object o, mnemo.identity i where i.is_current and o.owner <> i.database) as i"
    " left join mnemo.object o on o.owner = i.database group by i.database order by i.database"
)
# What was announced alone may not be there yet.
_WROTE = "select exists (select from mnemo.object o where o.owner = %s and o.state <> 'writing')"


def owner_key(database: UUID) -> str:
    """Return the key of the object that says who goes by a name."""
    return f"{database}/owner.json"


def hold_key(ancestor: UUID, database: UUID) -> str:
    """Return the key of the object in which a copy says what of its ancestor it needs."""
    return f"{ancestor}/holds/{database}.json"


def index_key(ancestor: UUID) -> str:
    """Return the key of the list of copies with a hold: what a store lists may be out of date."""
    return f"{ancestor}/holds/index.json"


async def claim_name(pool: Pool, store: ObjectStore, *, move: bool = False) -> UUID:
    """Prove that this database goes by its name in the store, or give it another; return the name.

    The token in owner.json is replaced by a new one: of two copies with one name, one finds a token that
    it does not know, and takes a new name. What a copy reads of its ancestors is held there first.

    Raises:
        ArchiveConflict: the archive is in another store, or what this database wrote is not there, as where a
            volume is not mounted (both unless `move`); or too many did this at once.
        StoreUnavailable, StoreRefused: the store.
    """
    for _ in range(_ROUNDS):
        database, token, following, _forked = await _row(
            pool, "select * from mnemo.attach_store(%s, %s)", store.url, move
        )
        key = owner_key(database)
        known = {_owner(database, token): token, _owner(database, following): following}
        found = await content(store, key)
        if found is None and not move and (await _row(pool, _WROTE, database))[0]:
            raise ArchiveConflict(
                f"{key} is not in {store.url}, where this database has written: is that the same place?"
                f" If so, and nothing else is missing: mnemo archive attach --store {store.url} --move"
            )
        if found is not None and found not in known:
            (forked,) = await _row(pool, "select mnemo.fork_identity(%s, %s, %s)", database, token, following)
            if forked:
                logger.warning("another copy of this database goes by %s; it takes a new name", database)
            continue
        if not await store.swap(key, _owner(database, following), found):
            continue
        await _row(pool, "select mnemo.accept_token(%s)", following)
        # A token noted before a copy was made is known to both copies: only one made now tells them apart.
        if found is None or known[found] == token:
            await refresh_holds(pool, store, database)
            return UUID(str(database))
    raise ArchiveConflict(f"the name of this database in {store.url} changed again and again")


async def refresh_holds(pool: Pool, store: ObjectStore, database: UUID) -> None:
    """Write which objects of its ancestors this database needs, into their folders, where that has changed.

    They delete none of those; a hold of nothing is removed.
    """
    with translate_errors():
        async with pool.connection() as connection:
            rows = await (await connection.execute(_HELD)).fetchall()
    for ancestor, keys in rows:
        key = hold_key(ancestor, database)
        if keys:
            await _replace(store, key, _canonical({"database": str(database), "keys": keys}))
            await _list_hold(store, ancestor, database, present=True)
        elif await store.head(key) is not None:
            await _list_hold(store, ancestor, database, present=False)
            await store.delete([key])


async def held_keys(store: ObjectStore, database: UUID) -> set[str]:
    """Return the keys under the name of this database that copies of it need.

    Raises ObjectCorrupted for a hold that cannot be read: then nothing may be deleted.
    """
    holders = {f"{database}/holds/{name}.json" for name in await _listed(store, database)}
    async for info in store.list(f"{database}/holds/"):
        if info.key != index_key(database):
            holders.add(info.key)
    held: set[str] = set()
    for key in sorted(holders):
        found = await content(store, key)
        if found is not None:
            held.update(str(name) for name in _parsed(store, key, found, "keys"))
    return held


async def content(store: ObjectStore, key: str) -> bytes | None:
    """Return the content of a small object; None where there is none."""
    try:
        return await store.get(key)
    except ObjectMissing:
        return None


async def _listed(store: ObjectStore, database: UUID) -> list[str]:
    key = index_key(database)
    found = await content(store, key)
    return [] if found is None else [str(name) for name in _parsed(store, key, found, "databases")]


async def _list_hold(store: ObjectStore, ancestor: UUID, database: UUID, *, present: bool) -> None:
    key = index_key(ancestor)
    for _ in range(_ROUNDS):
        found = await content(store, key)
        names = set() if found is None else {str(name) for name in _parsed(store, key, found, "databases")}
        if (str(database) in names) == present:
            return
        names ^= {str(database)}
        if await store.swap(key, _canonical({"databases": sorted(names)}), found):
            return
    raise ArchiveConflict(f"{key} in {store.url} changed again and again")


async def _replace(store: ObjectStore, key: str, wanted: bytes) -> None:
    for _ in range(_ROUNDS):
        found = await content(store, key)
        if found == wanted or await store.swap(key, wanted, found):
            return
    raise ArchiveConflict(f"{key} in {store.url} changed again and again")


def _parsed(store: ObjectStore, key: str, data: bytes, field: str) -> list[Any]:
    try:
        value = json.loads(data)[field]
        if isinstance(value, list):
            return value
    except (ValueError, KeyError, TypeError):
        pass
    raise ObjectCorrupted(f"{key} in {store.url} is no list of {field}: until it is, nothing is deleted")


def _owner(database: UUID, token: UUID) -> bytes:
    return _canonical({"database": str(database), "token": str(token)})


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


async def _row(pool: Pool, query: str, *parameters: object) -> tuple[Any, ...]:
    with translate_errors():
        async with pool.connection() as connection:
            row = await _one(connection, query, *parameters)
    return row


async def _one(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...]:
    row = await (await connection.execute(query.encode(), parameters)).fetchone()
    assert row is not None
    return row
