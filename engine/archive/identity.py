"""Who this database is to its object store: its name there, the proof of it, and what it holds of others."""

import json
import logging
from typing import Any
from uuid import UUID

from engine.archive.objects import ObjectStore
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.errors import ArchiveConflict, ObjectMissing

logger = logging.getLogger(__name__)

# Each further round means that somebody else of this database did the same at that moment.
_ROUNDS = 20
_HELD = (
    "select i.database, coalesce(array_agg(o.key order by o.key) filter (where o.key is not null), '{}')"
    " from mnemo.identity i left join mnemo.object o on o.owner = i.database"
    " where not i.is_current group by i.database order by i.database"
)


def owner_key(database: UUID) -> str:
    """Return the key of the object that says who goes by a name."""
    return f"{database}/owner.json"


def hold_key(ancestor: UUID, database: UUID) -> str:
    """Return the key of the object in which a copy says what of its ancestor it reads."""
    return f"{ancestor}/holds/{database}.json"


async def claim_name(pool: Pool, store: ObjectStore, *, move: bool = False) -> UUID:
    """Prove that this database goes by its name in the store, or give it another; return the name.

    The token in owner.json is replaced by a new one: of two copies with one name, one finds a token that
    it does not know, and takes a new name. What a copy reads of its ancestors is held there first.

    Raises:
        ArchiveConflict: the archive is in another store (unless `move`), or too many did this at once.
        StoreUnavailable, StoreRefused: the store.
    """
    for _ in range(_ROUNDS):
        with translate_errors():
            async with pool.connection() as connection:
                database, token, following, _ = await _row(
                    connection, "select * from mnemo.attach_store(%s, %s)", store.url, move
                )
        key = owner_key(database)
        known = {_owner(database, token): token, _owner(database, following): following}
        found = await content(store, key)
        if found is not None and found not in known:
            with translate_errors():
                async with pool.connection() as connection:
                    (forked,) = await _row(
                        connection, "select mnemo.fork_identity(%s, %s, %s)", database, token, following
                    )
            if forked:
                logger.warning("another copy of this database goes by %s; it takes a new name", database)
            continue
        if not await store.swap(key, _owner(database, following), found):
            continue
        with translate_errors():
            async with pool.connection() as connection:
                await connection.execute("select mnemo.accept_token(%s)", (following,))
        # A token noted before a copy was made is known to both copies: only one made now tells them apart.
        if found is None or known[found] == token:
            await refresh_holds(pool, store, database)
            return UUID(str(database))
    raise ArchiveConflict(f"the name of this database in {store.url} changed again and again")


async def refresh_holds(pool: Pool, store: ObjectStore, database: UUID) -> None:
    """Write which objects of its ancestors this database reads, into their folders, where that has changed.

    They delete none of those; a hold of nothing is removed.
    """
    with translate_errors():
        async with pool.connection() as connection:
            rows = await (await connection.execute(_HELD)).fetchall()
    for ancestor, keys in rows:
        key = hold_key(ancestor, database)
        for _ in range(_ROUNDS):
            found = await content(store, key)
            if not keys:
                if found is not None:
                    await store.delete([key])
                break
            wanted = _canonical({"database": str(database), "keys": keys})
            if found == wanted or await store.swap(key, wanted, found):
                break
        else:
            raise ArchiveConflict(f"{key} in {store.url} changed again and again")


async def content(store: ObjectStore, key: str) -> bytes | None:
    """Return the content of a small object; None where there is none."""
    try:
        return await store.get(key)
    except ObjectMissing:
        return None


def _owner(database: UUID, token: UUID) -> bytes:
    return _canonical({"database": str(database), "token": str(token)})


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


async def _row(connection: Any, query: str, *parameters: object) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None
    return row
