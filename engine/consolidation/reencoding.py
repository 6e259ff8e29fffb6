"""Memories about to move, encoded anew with what came before and after them, for the move to take along."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.rows import DictRow, TupleRow, class_row, dict_row

from engine.database.parameters import PackedBits, register
from engine.encoders import Batch, Composite, Statistics, Words
from engine.memory import Collection
from engine.writing.composites import encoder_of
from engine.writing.drafts import bound

logger = logging.getLogger(__name__)

# So long a consolidation may take before it is looked again what is due.
WINDOW = timedelta(minutes=10)
_MOST = 100_000
_BATCH_ROWS = 500
_BATCH_BYTES = 1 << 24
_DUE = "select id, bytes from mnemo.due_for_encoding(%s, %s)"
_GIVEN = "select id, bytes from mnemo.encodable(%s::uuid[])"
_SURROUNDINGS = (
    "select id, segment, place::text as place, writer::text as writer, tenant, collection, context, roles,"
    ' "values", members, shares, texts, embeddings from mnemo.surroundings(%s::uuid[])'
)
_COLLECTION = (
    "select name, encoder, encoder_version, dimension, seed, bind_context, keep_embedding,"
    " confidence_distance, encoding from mnemo.collection(%s::text)"
)
_COUNTS = "select memories, counts from mnemo.term_counts(%s::text, %s::text[])"
_STAGE = (
    "select mnemo.stage_hypervectors("
    "%s::uuid[], %s::integer[], %s::text[]::tid[], %s::text[]::xid[], %b::varbit[])"
)

Connection = AsyncConnection[TupleRow]
Hypervector = NDArray[np.uint8]


class Reencoder:
    """Prepares memories of any tenant; give it connections that autocommit. It keeps no state but a cache.

    A memory that cannot be encoded is logged and left out: it moves as it is.
    """

    def __init__(self) -> None:
        self._collections: dict[str, Collection] = {}
        self._bits = 0

    async def due(self, connection: Connection) -> list[list[UUID]]:
        """Return what a consolidation is about to move and is not prepared yet, in batches."""
        return _batches(await (await connection.execute(_DUE, (_MOST, WINDOW))).fetchall())

    async def prepare(self, connection: Connection, ids: Sequence[UUID]) -> int:
        """Prepare those of some memories that can be; return how many are ready."""
        found = await (await connection.execute(_GIVEN, (list(ids),))).fetchall()
        return sum([await self.encode(connection, batch) for batch in _batches(found)])

    async def encode(self, connection: Connection, ids: Sequence[UUID]) -> int:
        """Encode one batch and keep what is made until the memories move; return how many are ready."""
        register(connection)
        async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
            rows = await (await cursor.execute(_SURROUNDINGS, (list(ids),))).fetchall()
        grouped: dict[tuple[str, str], list[DictRow]] = {}
        for row in rows:
            grouped.setdefault((row["tenant"], row["collection"]), []).append(row)
        ready = 0
        for (tenant, name), group in grouped.items():
            collection = await self._collection(connection, name)
            words = await asyncio.to_thread(_words, group)
            statistics = await _statistics(connection, tenant, name, words.values())
            made = await asyncio.to_thread(_encoded, group, words, statistics, collection, self._bits)
            staged = [(row, hdv) for row, hdv in zip(group, made, strict=True) if hdv is not None]
            parameters = (
                [row["id"] for row, _ in staged],
                [row["segment"] for row, _ in staged],
                [row["place"] for row, _ in staged],
                [row["writer"] for row, _ in staged],
                [PackedBits.of(hdv) for _, hdv in staged],
            )
            answer = await (await connection.execute(_STAGE, parameters)).fetchone()
            assert answer is not None
            ready += answer[0]
        return ready

    async def _collection(self, connection: Connection, name: str) -> Collection:
        if name not in self._collections:
            async with connection.cursor(row_factory=class_row(Collection)) as cursor:
                found = await (await cursor.execute(_COLLECTION, (name,))).fetchone()
            bits = await (await connection.execute("select mnemo.setting('bits')::integer")).fetchone()
            assert found is not None
            assert bits is not None
            self._collections[name], self._bits = found, bits[0]
        return self._collections[name]


def _batches(found: Iterable[TupleRow]) -> list[list[UUID]]:
    batches: list[list[UUID]] = []
    size = 0
    for memory, length in found:
        if not batches or len(batches[-1]) == _BATCH_ROWS or size + length > _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(memory)
        size += length
    return batches


def _words(rows: Sequence[DictRow]) -> dict[UUID, Words]:
    texts = {m: text for row in rows for m, text in zip(row["members"], row["texts"], strict=True)}
    return {member: Words.of(text) for member, text in texts.items()}


async def _statistics(
    connection: Connection, tenant: str, collection: str, texts: Iterable[Words]
) -> Statistics:
    terms = list(dict.fromkeys(term for words in texts for term in words.terms))
    async with connection.transaction():
        # Statistics are a tenant's; the worker's own comes back with the end of the transaction.
        await connection.execute("select set_config('mnemo.tenant', %s, true)", (tenant,))
        row = await (await connection.execute(_COUNTS, (collection, terms))).fetchone()
    assert row is not None
    return Statistics(row[0], dict(zip(terms, row[1], strict=True)))


def _encoded(
    rows: Sequence[DictRow],
    words: dict[UUID, Words],
    statistics: Statistics,
    collection: Collection,
    bits: int,
) -> list[Hypervector | None]:
    encoder = encoder_of(collection, bits)
    try:
        made: list[Hypervector | None] = list(encoder.encode(_batch(rows, words, statistics)))
    except Exception:
        if len(rows) == 1:
            logger.exception("memory %s cannot be encoded anew; it moves as it is", rows[0]["id"])
            return [None]
        # One of them, perhaps: the others need not suffer.
        return [hdv for row in rows for hdv in _encoded([row], words, statistics, collection, bits)]
    return [
        None if hdv is None else bound(hdv, collection, row["context"])
        for row, hdv in zip(rows, made, strict=True)
    ]


def _batch(rows: Sequence[DictRow], words: dict[UUID, Words], statistics: Statistics) -> Batch:
    places: dict[UUID, int] = {}
    texts: list[Words] = []
    embeddings: list[NDArray[np.int8] | None] = []
    wanted: list[Composite] = []
    for row in rows:
        for member, embedding in zip(row["members"], row["embeddings"], strict=True):
            if member not in places:
                places[member] = len(texts)
                texts.append(words[member])
                embeddings.append(None if embedding is None else np.frombuffer(embedding, np.int8))
        roles: dict[str, list[str]] = {}
        for role, value in zip(row["roles"] or (), row["values"] or (), strict=True):
            roles.setdefault(role, []).append(value)
        members = [(places[m], share) for m, share in zip(row["members"], row["shares"], strict=True)]
        wanted.append(Composite(members, roles))
    return Batch(texts, embeddings, wanted, statistics)
