"""The write path: memories in batches, encoded, staged by COPY, stored by one function."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import TupleRow, class_row

from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.database.staging import Draft, stage
from engine.encoding import dimension_of, drafts_of
from engine.errors import InvalidArgument, MnemoError
from engine.memory import Collection, Memory, MemoryId

_COLLECTION = (
    "select name, encoder, encoder_version, dimension, seed, bind_context, keep_embedding,"
    " confidence_distance from mnemo.collection(%s)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """What is being read, by a name of its content, and how many of its rows are stored already."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class _Batch:
    drafts: list[Draft]
    collection: Collection


class Writer:
    """Writes memories through a pool; one for each open Mnemo."""

    def __init__(self, pool: Pool, settings: Settings, bits: int) -> None:
        self._pool = pool
        self._settings = settings
        self._bits = bits
        self._collections: dict[str, Collection] = {}

    async def collection(self, name: str) -> Collection:
        """Return how a collection encodes. Cached once its dimension is known: the rest never changes."""
        known = self._collections.get(name)
        if known is not None and known.dimension is not None:
            return known
        with translate_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(Collection)) as cursor,
            ):
                found = await (await cursor.execute(_COLLECTION, (name,))).fetchone()
        assert found is not None
        self._collections[name] = found
        return found

    async def write(
        self,
        memories: Iterable[Memory],
        collection: str,
        *,
        batch_rows: int | None = None,
        source: Source | None = None,
    ) -> AsyncIterator[list[MemoryId]]:
        """Store memories, each batch in a transaction that also advances `source`; yield the ids of each."""
        done = 0
        try:
            async for batch in self._batches(memories, collection, batch_rows):
                with translate_errors():
                    async with self._pool.connection() as connection, connection.transaction():
                        ids = await self._store(connection.cursor(), batch, source, done)
                done += len(ids)
                yield ids
        except MnemoError as error:
            if done:
                error.add_note(f"{done} memories of earlier batches are stored")
            raise

    async def bulk_load(
        self,
        memories: Iterable[Memory],
        collection: str,
        *,
        batch_rows: int | None = None,
        source: Source | None = None,
    ) -> AsyncIterator[list[MemoryId]]:
        """Fill an empty tier in one transaction, indexes after rows. The ids are good once the iterator ends.

        Raises InvalidArgument where the tier is not empty or memories of two tiers come.
        """
        done = 0
        with translate_errors():
            async with self._pool.connection() as connection, connection.transaction():
                cursor = connection.cursor()
                tier, into = None, None
                async for batch in self._batches(memories, collection, batch_rows):
                    tiers = {draft.tier for draft in batch.drafts} | ({tier} if tier else set())
                    if len(tiers) > 1:
                        raise InvalidArgument(
                            f"a bulk load fills one tier, not {' and '.join(sorted(tiers))}"
                        )
                    if tier is None:
                        (tier,) = tiers
                        await cursor.execute("select mnemo.begin_bulk_load(%s)::text", (tier,))
                        into = _only(await cursor.fetchone())
                    ids = await self._store(cursor, batch, source, done, into)
                    done += len(ids)
                    yield ids
                if tier is not None:
                    await cursor.execute("select mnemo.finish_bulk_load(%s)", (tier,))

    async def _batches(
        self, memories: Iterable[Memory], collection: str, batch_rows: int | None
    ) -> AsyncIterator[_Batch]:
        rows = self._settings.ingest.batch_rows if batch_rows is None else batch_rows
        if rows < 1:
            raise InvalidArgument(f"batch_rows must be at least 1, not {rows}")
        for batch in _batched(memories, rows):
            how = await self.collection(collection)
            if how.dimension is None:
                how = replace(how, dimension=dimension_of(batch))
            # Encoding is NumPy's work; the event loop goes on meanwhile.
            yield _Batch(
                await asyncio.to_thread(
                    drafts_of, batch, how, self._bits, self._settings.lifecycle.importance
                ),
                how,
            )

    async def _store(
        self,
        cursor: AsyncCursor[TupleRow],
        batch: _Batch,
        source: Source | None,
        done: int,
        into: str | None = None,
    ) -> list[MemoryId]:
        how = batch.collection
        if how.dimension is not None:
            await cursor.execute("select mnemo.fix_dimension(%s, %s)", (how.name, how.dimension))
        await stage(cursor, batch.drafts)
        await cursor.execute("select mnemo.remember_staged(coalesce(%s, 'mnemo.memory')::regclass)", (into,))
        ids: list[MemoryId] = _only(await cursor.fetchone())
        if source is not None:
            start = source.position + done
            await cursor.execute(
                "select mnemo.advance_ingest(%s, %s, %s, %s)",
                (source.name, how.name, start, start + len(ids)),
            )
        return ids


def _batched(memories: Iterable[Memory], rows: int) -> Iterator[list[Memory]]:
    remaining = iter(memories)
    while batch := list(islice(remaining, rows)):
        yield batch


def _only(row: TupleRow | None) -> Any:
    assert row is not None
    return row[0]
