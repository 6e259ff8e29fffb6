"""Composites of a batch: what the database knows of their words and sessions, and the encoding."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from engine.encoders import Batch, Composite, CompositeEncoder, Encoding, Statistics, Words
from engine.encoders.roles import role_values
from engine.memory import Collection
from engine.writing.drafts import Prepared, bound
from engine.writing.neighbours import members, needs_now, sessions_of

_TAILS = (
    "select t.place, t.content, t.embedding from mnemo.session_tails(%s::text, %s::text[], %s::text[],"
    " array(select coalesce(w.moment, mnemo.now()) from unnest(%s::timestamptz[]) with ordinality"
    " as w (moment, place) order by w.place), %s::text[], %s::text[], %s) as t order by t.place, t.distance"
)
_FREQUENT = "select memories, terms, counts from mnemo.frequent_terms(%s::text, %s)"
_FREQUENT_TERMS = 2000
_COUNTS = "select memories, counts from mnemo.batch_counts(%s::text, %s, %s::text[], %s::bigint[])"


def encoder_of(collection: Collection, bits: int) -> CompositeEncoder:
    """Return the encoder of a composite collection for memories; the same one each time."""
    return _encoder(json.dumps(dict(collection.encoding), sort_keys=True), collection.seed, bits, 128 << 20)


def query_encoder(collection: Collection, bits: int) -> CompositeEncoder:
    """Return the encoder of a composite collection for questions, which thus wait for no batch."""
    return _encoder(json.dumps(dict(collection.encoding), sort_keys=True), collection.seed, bits, 16 << 20)


@lru_cache(maxsize=8)
def _encoder(definition: str, seed: str, bits: int, word_bytes: int) -> CompositeEncoder:
    return CompositeEncoder(Encoding.of(json.loads(definition)), seed, bits, word_bytes)


async def compose(cursor: AsyncCursor[TupleRow], prepared: Prepared) -> None:
    """Make the hypervectors that are wanted, bit for bit as mnemo.encode_batch would.

    Call it in the transaction that will store the batch, when what comes before it is stored: its words and
    what it follows count.
    """
    if not prepared.wanted:
        return
    memories, collection = prepared.memories, prepared.collection
    encoder = encoder_of(collection, 8 * prepared.hdvs.shape[1])
    how = encoder.encoding
    dated = "occurred_at" in how.roles and any(memory.occurred_at is None for memory in memories)
    now = await _now(cursor) if dated or needs_now(memories) else None
    sessions = sessions_of(memories, now, prepared.private) if how.before else []
    texts = _public(prepared)
    embeddings: list[NDArray[np.int8] | None] = [prepared.quantised.get(i) for i in range(len(memories))]
    tails: dict[int, list[int]] = {}
    if sessions:
        firsts = [memories[session.places[0]] for session in sessions]
        await cursor.execute(
            _TAILS,
            (
                collection.name,
                [session.context for session in sessions],
                [session.session for session in sessions],
                [first.occurred_at or now for first in firsts],
                [first.key for first in firsts],
                [memory.key for memory in memories if memory.key is not None],
                len(how.before),
            ),
        )
        for place, content, embedding in await cursor.fetchall():
            tails.setdefault(place - 1, []).append(len(texts))
            texts.append(Words.of(content))
            embeddings.append(None if embedding is None else np.frombuffer(embedding, np.int8))
    before = members(sessions, how.before, tails)
    statistics = await _statistics(cursor, prepared, texts)
    wanted = [
        Composite(
            [(i, 256), *before.get(i, ())],
            _roles(how, memories[i].content, prepared.attributes[i], memories[i].occurred_at or now),
        )
        for i in prepared.wanted
        if i not in prepared.private
    ]
    # NumPy's work; the event loop goes on meanwhile.
    batches = [
        (
            [i for i in prepared.wanted if i not in prepared.private],
            Batch(texts, embeddings, wanted, statistics),
        )
    ]
    if private := [i for i in prepared.wanted if i in prepared.private]:
        batches.append((private, await _private(cursor, prepared, private, now)))
    for places, batch in batches:
        if places:
            for i, hdv in zip(places, await asyncio.to_thread(encoder.encode, batch), strict=True):
                prepared.hdvs[i] = bound(hdv, collection, memories[i].context)


async def _statistics(cursor: AsyncCursor[TupleRow], prepared: Prepared, texts: list[Words]) -> Statistics:
    """Return what is known of the words of texts once the batch is counted, with which they begin."""
    holding = Counter(term for words in texts[: len(prepared.words)] for term in words.terms)
    for words in texts[len(prepared.words) :]:
        for term in words.terms:
            holding.setdefault(term, 0)
    terms = list(holding)
    await cursor.execute(
        _COUNTS,
        (
            prepared.collection.name,
            len(prepared.words) - len(prepared.private),
            terms,
            list(holding.values()),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Statistics(row[0], dict(zip(terms, row[1], strict=True)))


def _public(prepared: Prepared) -> list[Words]:
    """Return the words of each memory, none of private ones: what follows is sent to the server."""
    return [Words((), (), 0) if i in prepared.private else words for i, words in enumerate(prepared.words)]


async def _private(
    cursor: AsyncCursor[TupleRow], prepared: Prepared, places: Sequence[int], now: datetime | None
) -> Batch:
    """Return what encodes private memories: each alone, by statistics that tell the server none of its words.

    Words that are not among the frequent ones count as the least frequent of these.
    """
    memories, how = prepared.memories, Encoding.of(dict(prepared.collection.encoding))
    await cursor.execute(_FREQUENT, (prepared.collection.name, _FREQUENT_TERMS))
    row = await cursor.fetchone()
    assert row is not None
    known = dict(zip(row[1], row[2], strict=True))
    rare = min(known.values()) if len(known) == _FREQUENT_TERMS else 0
    terms = {term for i in places for term in prepared.words[i].terms}
    return Batch(
        [prepared.words[i] for i in places],
        [prepared.quantised.get(i) for i in places],
        [
            Composite(
                [(at, 256)],
                _roles(how, memories[i].content, prepared.attributes[i], memories[i].occurred_at or now),
            )
            for at, i in enumerate(places)
        ],
        Statistics(row[0] + 1, {term: known.get(term, rare) + 1 for term in terms}),
    )


def _roles(
    how: Encoding, content: str, attributes: Mapping[str, Any], occurred_at: datetime | None
) -> dict[str, list[str]]:
    return role_values(how.roles, content, attributes, occurred_at) if how.roles else {}


async def _now(cursor: AsyncCursor[TupleRow]) -> datetime:
    row = await (await cursor.execute("select mnemo.now()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
