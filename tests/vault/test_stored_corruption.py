"""Whoever can write to the tables of a vault makes nothing open that was not stored: over 10,000 tries."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from engine.errors import InvalidArgument, KeyUnavailable, SealBroken, UnknownItem
from engine.mnemo import Mnemo
from tests.conftest import AsyncConnection, Connection
from tests.vault.conftest import CHUNK

pytestmark = pytest.mark.slow

# Victims are corrupted at the same time, each by a task of its own; the donors stay as they are.
VICTIMS, DONORS, EACH = 10, 10, 1_100
Corruption = tuple[str, tuple[object, ...]]
# What an item may answer once its rows are not those that were stored.
REFUSALS = (SealBroken, UnknownItem, KeyUnavailable, InvalidArgument)


@dataclass(frozen=True)
class Victim:
    """An item to be corrupted, and one of the same shape to steal from."""

    name: str
    id: UUID
    chunks: int
    donor: UUID
    content: bytes
    rows: str
    """A digest of its rows as they were stored."""


def _flip(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "update mnemo.vault_chunk set body = set_bit(body, (%s * (octet_length(body) * 8 - 1))::bigint,"
        " 1 - get_bit(body, (%s * (octet_length(body) * 8 - 1))::bigint)) where item = %s and position = %s",
        ((where := rng.random()), where, victim.id, rng.randrange(victim.chunks)),
    )


def _flip_in_front(rng: random.Random, victim: Victim) -> Corruption:
    """The headers of an OpenPGP message are few bytes in many."""
    bit = rng.randrange(8 * 40)
    return (
        "update mnemo.vault_chunk set body = set_bit(body, %s, 1 - get_bit(body, %s))"
        " where item = %s and position = %s",
        (bit, bit, victim.id, rng.randrange(victim.chunks)),
    )


def _overwrite(rng: random.Random, victim: Victim) -> Corruption:
    """Up to 16 bytes at a random place, or all from there on, become random."""
    noise = rng.randbytes(rng.choice([1, 2, 4, 16]))
    return (
        "update mnemo.vault_chunk set body ="
        " overlay(body placing %s from 1 + (%s * (octet_length(body) - 16))::integer)"
        " where item = %s and position = %s and body <> overlay(body placing %s from 1)",
        (noise, rng.random(), victim.id, rng.randrange(victim.chunks), noise),
    )


def _truncate(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "update mnemo.vault_chunk set body ="
        " substring(body from 1 for (%s * (octet_length(body) - 1))::integer)"
        " where item = %s and position = %s",
        (rng.random(), victim.id, rng.randrange(victim.chunks)),
    )


def _extend(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "update mnemo.vault_chunk set body = body || %s where item = %s and position = %s",
        (rng.randbytes(rng.choice([1, 20, 300])), victim.id, rng.randrange(victim.chunks)),
    )


def _trade_places(rng: random.Random, victim: Victim) -> Corruption:
    one, other = rng.sample(range(victim.chunks), 2)
    return (
        "update mnemo.vault_chunk c set body = d.body from mnemo.vault_chunk d"
        " where c.item = %s and d.item = c.item"
        " and (c.position, d.position) in ((%s, %s), (%s, %s))",
        (victim.id, one, other, other, one),
    )


def _steal(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "update mnemo.vault_chunk c set body = d.body from mnemo.vault_chunk d"
        " where c.item = %s and d.item = %s and c.position = %s and d.position = c.position",
        (victim.id, victim.donor, rng.randrange(victim.chunks)),
    )


def _lose(rng: random.Random, victim: Victim) -> Corruption:
    """A chunk goes; the ones behind it close the gap, or do not, and the row says so, or does not."""
    place = rng.randrange(victim.chunks)
    query = "delete from mnemo.vault_chunk where item = %s and position = %s;"
    arguments: tuple[object, ...] = (victim.id, place)
    if rng.random() < 0.7:
        query += (
            "update mnemo.vault_chunk set position = position + 1000000 where item = %s and position > %s;"
            "update mnemo.vault_chunk set position = position - 1000001"
            " where item = %s and position > 1000000;"
        )
        arguments += (victim.id, place, victim.id)
    if rng.random() < 0.7:
        query += "update mnemo.vault_item set chunks = chunks - 1, bytes = bytes - %s where id = %s"
        arguments += (rng.choice([0, 100, CHUNK]), victim.id)
    return query, arguments


def _repeat(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "insert into mnemo.vault_chunk select item, %s, tenant, body from mnemo.vault_chunk"
        " where item = %s and position = %s;"
        "update mnemo.vault_item set chunks = chunks + 1, bytes = bytes + %s where id = %s",
        (victim.chunks, victim.id, rng.randrange(victim.chunks), rng.choice([0, 100, CHUNK]), victim.id),
    )


def _flip_key(rng: random.Random, victim: Victim) -> Corruption:
    bit = rng.randrange(61 * 8)
    return (
        "update mnemo.data_key set wrapped = set_bit(wrapped, %s, 1 - get_bit(wrapped, %s)) where id = %s",
        (bit, bit, victim.id),
    )


def _cut_key(rng: random.Random, victim: Victim) -> Corruption:
    return (
        "update mnemo.data_key set wrapped = substring(wrapped || %s from %s for %s) where id = %s",
        (rng.randbytes(8), rng.choice([1, 1, 2]), rng.choice([*range(61), 62, 69]), victim.id),
    )


def _other_key(rng: random.Random, victim: Victim) -> Corruption:
    return rng.choice(
        [
            (
                "update mnemo.data_key k set wrapped = d.wrapped from mnemo.data_key d"
                " where k.id = %s and d.id = %s",
                (victim.id, victim.donor),
            ),
            ("update mnemo.data_key set wrapped = %s where id = %s", (rng.randbytes(61), victim.id)),
            (
                "update mnemo.data_key set epoch = %s where id = %s",
                (rng.choice([0, 1, 3, 2**31 - 1, -1]), victim.id),
            ),
            (
                "update mnemo.data_key set purpose = %s where id = %s",
                (rng.choice(["memory", "index"]), victim.id),
            ),
            ("update mnemo.data_key set tenant = 'other' where id = %s", (victim.id,)),
            ("delete from mnemo.data_key where id = %s", (victim.id,)),
        ]
    )


def _other_row(rng: random.Random, victim: Victim) -> Corruption:
    update = "update mnemo.vault_item set {} where id = %s"
    fresh = UUID(bytes=rng.randbytes(16))
    return rng.choice(
        [
            (update.format("kind = %s"), (rng.choice(["conversation", "codebase"]), victim.id)),
            (
                update.format("bytes = greatest(bytes + %s, 0)"),
                (rng.choice([-100_000, -1, 1, 2**40]), victim.id),
            ),
            (
                update.format("chunks = %s"),
                (rng.choice([1, victim.chunks - 1, victim.chunks + 1, 2**31 - 1]), victim.id),
            ),
            (
                update.format("chunk_bytes = %s"),
                (rng.choice([1, CHUNK - 1, CHUNK + 1, 2**31 - 1]), victim.id),
            ),
            (update.format("version = %s"), (rng.choice([-1, 0, 2, 255, 256, 32767]), victim.id)),
            (update.format("scheme = 'sql'"), (victim.id,)),
            (update.format("tenant = 'other'"), (victim.id,)),
            # Another's name: what is under one's own is that of another then.
            (
                "update mnemo.vault_item set name = name || ' of old' where id = %s;"
                "update mnemo.vault_chunk set item = %s where item = %s;"
                "update mnemo.data_key set id = %s where id = %s;"
                "insert into mnemo.vault_item select %s, tenant, kind, %s, metadata, bytes, stored_bytes,"
                " chunks, chunk_bytes, files, happened_at, created_at, scheme, version"
                " from mnemo.vault_item where id = %s",
                (victim.id, fresh, victim.id, fresh, victim.id, fresh, victim.name, victim.id),
            ),
            (
                "update mnemo.vault_item set name = name || ' of old' where id = %s;"
                "update mnemo.vault_item set name = %s where id = %s",
                (victim.id, victim.name, victim.donor),
            ),
        ]
    )


WAYS: list[tuple[int, Callable[[random.Random, Victim], Corruption]]] = [
    (6, _flip),
    (6, _flip_in_front),
    (3, _overwrite),
    (4, _truncate),
    (2, _extend),
    (2, _trade_places),
    (2, _steal),
    (2, _lose),
    (2, _repeat),
    (4, _flip_key),
    (3, _cut_key),
    (2, _other_key),
    (4, _other_row),
]
TABLES = (("vault_item", "id"), ("vault_chunk", "item"), ("data_key", "id"))
_ROWS: LiteralString = (
    "select md5(i::text || k::text || (select string_agg(c::text, ' ' order by c.position)"
    " from mnemo.vault_chunk c where c.item = i.id))"
    " from mnemo.vault_item i left join mnemo.data_key k on k.id = i.id where i.name = %s and i.id = %s"
)


@pytest.fixture
async def victims(mnemo: Mnemo, connection: Connection) -> list[Victim]:
    """Items of two to four chunks, each with a donor, under the second of two epochs; all rows are saved."""
    rng = random.Random(1)
    # The reads themselves are not what this is about, and would wait for one another.
    connection.execute(
        "update mnemo.audit_action set audited = false where action in ('vault.get', 'vault.failure')"
    )
    await mnemo.vault.put("first", b"")
    await mnemo.vault.rotate()
    made = []
    for number in range(VICTIMS):
        size = CHUNK * (1 + number % 3) + rng.choice([1, 100, CHUNK])
        content = rng.randbytes(size)
        donor = await mnemo.vault.put(f"donor {number}", rng.randbytes(size))
        item = await mnemo.vault.put(f"victim {number}", content)
        (rows,) = connection.execute(_ROWS, [f"victim {number}", item]).fetchone() or ("",)
        made.append(Victim(f"victim {number}", item, -(-size // CHUNK), donor, content, rows))
    for table, _ in TABLES:
        save = sql.SQL("create table public.{0} as select * from mnemo.{0}")
        connection.execute(save.format(sql.Identifier(table)))
    return made


async def test_nothing_opens_that_was_not_stored(mnemo: Mnemo, victims: list[Victim], dsn: str) -> None:
    answers = await asyncio.gather(
        *(_torment(mnemo, victim, dsn, seed) for seed, victim in enumerate(victims))
    )
    assert sum(answers) >= 10_000
    for victim in victims:
        assert await mnemo.vault.get(victim.name) == victim.content


async def _torment(mnemo: Mnemo, victim: Victim, dsn: str, seed: int) -> int:
    rng = random.Random(seed)
    weights, ways = [weight for weight, _ in WAYS], [way for _, way in WAYS]
    refused = 0
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        # What a constraint would refuse, whoever owns the disk can do.
        await connection.execute("set session_replication_role = replica")
        for _ in range(EACH):
            way = rng.choices(ways, weights)[0]
            query, arguments = way(rng, victim)
            if not await _corrupt(connection, victim, query, arguments):
                continue
            with pytest.raises(REFUSALS) as refusal:
                await mnemo.vault.get(victim.name)
            if refusal.type is SealBroken:
                assert str(refusal.value) == SealBroken.__doc__
            refused += 1
        await _restore(connection, victim)
        await connection.commit()
    return refused


async def _corrupt(
    connection: AsyncConnection, victim: Victim, query: str, arguments: tuple[object, ...]
) -> bool:
    """Restore the rows, then change them; False where they are the same as before, by chance."""
    await _restore(connection, victim)
    await psycopg.AsyncClientCursor(connection).execute(query.encode(), arguments)
    row = await (await connection.execute(_ROWS, [victim.name, victim.id])).fetchone()
    await connection.commit()
    return row is None or row[0] != victim.rows


async def _restore(connection: AsyncConnection, victim: Victim) -> None:
    owned = [victim.id, victim.donor]
    await connection.execute(
        "with gone as (delete from mnemo.vault_item where name in (%s, %s) or id = any(%s) returning id)"
        " delete from mnemo.data_key where id in (select id from gone) or id = any(%s)",
        [victim.name, f"{victim.name} of old", owned, owned],
    )
    await connection.execute("delete from mnemo.vault_chunk where item = any(%s)", [owned])
    for table, key in TABLES:
        restore = sql.SQL("insert into mnemo.{0} select * from public.{0} where {1} = any(%s)")
        await connection.execute(restore.format(sql.Identifier(table), sql.Identifier(key)), [owned])
