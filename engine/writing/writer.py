"""The write path: memories in batches, encoded, staged by COPY, stored by one function."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import TupleRow, class_row

from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.database.staging import stage
from engine.errors import InvalidArgument, MnemoError
from engine.memory import Collection, Memory, MemoryId
from engine.vault.memories import MemorySeals, parts_of
from engine.writing.composites import compose
from engine.writing.drafts import Prepared, dimension_of, drafts_of, prepare

_COLLECTION = (
    "select name, encoder, encoder_version, dimension, seed, bind_context, keep_embedding,"
    " confidence_distance, encoding, sealed from mnemo.collection(%s::text)"
)


@dataclass(frozen=True, slots=True)
class Portion:
    """Memories for one transaction, and where they stand in their source.

    `start` and `stop` count the source's records before and after them. Records that made no memory lie
    between the two as well, so stop - start may be more than there are memories.
    """

    memories: Sequence[Memory]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Batch:
    portion: Portion
    prepared: Prepared
    collection: Collection


class Writer:
    """Writes memories through a pool; one for each open Mnemo."""

    def __init__(self, pool: Pool, settings: Settings, bits: int, seals: MemorySeals) -> None:
        self._pool = pool
        self._seals = seals
        self._settings = settings
        self._bits = bits
        self._collections: dict[str, Collection] = {}

    async def collection(self, name: str, *, embedding: bool = False) -> Collection:
        """Return how a collection encodes, from a cache: it never changes but for its dimension.

        With `embedding`, for which the dimension counts, the server is asked until that is known.
        """
        known = self._collections.get(name)
        if known is not None and (known.dimension is not None or not embedding):
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
        self, memories: Iterable[Memory], collection: str, *, batch_rows: int | None = None
    ) -> AsyncGenerator[list[MemoryId]]:
        """Store memories, each batch in one transaction; yield the ids of each."""
        done = 0
        try:
            async with aclosing(self.ingest(self._portions(memories, batch_rows), collection)) as stored:
                async for ids in stored:
                    done += len(ids)
                    yield ids
        except MnemoError as error:
            if done:
                error.add_note(f"{done} memories of earlier batches are stored")
            raise

    async def bulk_load(
        self, memories: Iterable[Memory], collection: str, *, batch_rows: int | None = None
    ) -> AsyncGenerator[list[MemoryId]]:
        """Fill an empty tier in one transaction, indexes after rows. The ids are good once the iterator ends.

        Raises InvalidArgument where the tier is not empty or memories of two tiers come.
        """
        async with aclosing(self.bulk_ingest(self._portions(memories, batch_rows), collection)) as stored:
            async for ids in stored:
                yield ids

    async def ingest(
        self, portions: Iterable[Portion], collection: str, source: str | None = None
    ) -> AsyncGenerator[list[MemoryId]]:
        """Store portions, each in a transaction that also notes in `source` how far it was read.

        Yields the ids of each. Raises IngestConflict where somebody else reads the same source.
        """
        async with aclosing(self._prepared(portions, collection)) as batches:
            async for batch in batches:
                with translate_errors():
                    if batch.prepared.private or batch.collection.sealed:
                        await self._seals.ready()
                    async with self._pool.connection() as connection, connection.transaction():
                        ids = await self._store(connection.cursor(), batch, source)
                yield ids

    async def bulk_ingest(
        self, portions: Iterable[Portion], collection: str, source: str | None = None
    ) -> AsyncGenerator[list[MemoryId]]:
        """Do what `ingest` does as `bulk_load` does it: into an empty tier, all or nothing."""
        # Asked before: a load that waits for a second connection could wait for other loads that do the same.
        how = await self.collection(collection)
        with translate_errors():
            async with self._pool.connection() as connection:
                loaded = False
                async with connection.transaction():
                    cursor = connection.cursor()
                    tier, into = None, None
                    async with aclosing(self._prepared(portions, collection, how)) as batches:
                        async for batch in batches:
                            tiers = {str(one.tier) for one in batch.portion.memories} | (
                                {tier} if tier else set()
                            )
                            if len(tiers) > 1:
                                raise InvalidArgument(
                                    f"a bulk load fills one tier, not {' and '.join(sorted(tiers))}"
                                )
                            if tier is None and tiers:
                                (tier,) = tiers
                                await cursor.execute("select mnemo.begin_bulk_load(%s)::text", (tier,))
                                into = _only(await cursor.fetchone())
                            yield await self._store(cursor, batch, source, into)
                    if tier is not None:
                        await cursor.execute("select mnemo.finish_bulk_load(%s)", (tier,))
                        loaded = True
                if loaded:
                    # The statistics of a partitioned table as a whole: autovacuum never gathers them.
                    await connection.execute("analyze mnemo.memory, mnemo.activity, mnemo.memory_key")

    async def ingest_position(self, source: str, collection: str) -> int:
        """Return how many records of a source have been read into a collection; 0 for a new one."""
        with translate_errors():
            async with self._pool.connection() as connection:
                cursor = await connection.execute(
                    "select mnemo.ingest_position(%s, %s)", (source, collection)
                )
                return int(_only(await cursor.fetchone()))

    async def content_max_bytes(self) -> int:
        """Return how long a content this database takes, in bytes of UTF-8."""
        with translate_errors():
            async with self._pool.connection() as connection:
                cursor = await connection.execute("select mnemo.setting('content_max_bytes')")
                return int(_only(await cursor.fetchone()))

    def _portions(self, memories: Iterable[Memory], batch_rows: int | None) -> Iterator[Portion]:
        rows = self._settings.ingest.batch_rows if batch_rows is None else batch_rows
        if rows < 1:
            raise InvalidArgument(f"batch_rows must be at least 1, not {rows}")
        return _batched(memories, rows)

    async def _prepared(
        self, portions: Iterable[Portion], collection: str, how: Collection | None = None
    ) -> AsyncGenerator[_Batch]:
        """Prepare each portion while the one before it is being stored; composites need that one stored."""
        remaining = iter(portions)
        ahead = asyncio.create_task(self._prepare_next(remaining, collection, how))
        try:
            while (batch := await ahead) is not None:
                ahead = asyncio.create_task(self._prepare_next(remaining, collection, how))
                yield batch
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _prepare_next(
        self, portions: Iterator[Portion], collection: str, how: Collection | None
    ) -> _Batch | None:
        portion = next(portions, None)
        if portion is None:
            return None
        dimension = dimension_of(portion.memories)
        how = how or await self.collection(collection, embedding=dimension is not None)
        if how.dimension is None:
            how = replace(how, dimension=dimension)
        # Cutting words and encoding take a while; the event loop goes on meanwhile.
        prepared = await asyncio.to_thread(prepare, portion.memories, how, self._bits)
        return _Batch(portion, prepared, how)

    async def _store(
        self, cursor: AsyncCursor[TupleRow], batch: _Batch, source: str | None, into: str | None = None
    ) -> list[MemoryId]:
        how = batch.collection
        if source is not None:
            # First, because it makes a second reader of the source wait before it has done any work.
            await cursor.execute(
                "select mnemo.advance_ingest(%s, %s, %s, %s)",
                (source, how.name, batch.portion.start, batch.portion.stop),
            )
        if not batch.portion.memories:
            return []
        if how.dimension is not None:
            await cursor.execute("select mnemo.fix_dimension(%s, %s)", (how.name, how.dimension))
        await compose(cursor, batch.prepared)
        drafts = drafts_of(batch.prepared, self._settings.lifecycle.importance)
        if parts := parts_of(drafts, batch.prepared.private, how):
            drafts = await self._seals.seal(cursor.connection, drafts, parts)
        await stage(cursor, drafts)
        await cursor.execute("select mnemo.remember_staged(coalesce(%s, 'mnemo.memory')::regclass)", (into,))
        ids: list[MemoryId] = _only(await cursor.fetchone())
        return ids


def _batched(memories: Iterable[Memory], rows: int) -> Iterator[Portion]:
    remaining, start = iter(memories), 0
    while batch := list(islice(remaining, rows)):
        yield Portion(batch, start, start + len(batch))
        start += len(batch)


def _only(row: TupleRow | None) -> Any:
    assert row is not None
    return row[0]
