"""Finding and reading memories, as methods of `Mnemo`: in the database, and in object storage."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from numpy.typing import ArrayLike
from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from engine.archive.searching import ArchiveReader, Sought
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Pool, is_lost
from engine.database.unreachable import tiers_left_out
from engine.errors import InvalidArgument, TimedOut
from engine.memory import MAX_SCROLL, Hit, MemoryId, Recall, Record
from engine.recall.questions import Statement, question, statement
from engine.resilience import retried
from engine.vault.memories import MemorySeals
from engine.writing import Writer

# Archived memories whose contents are read for a question, of each hit that is wanted.
_RANKED_KEEP = 3
_GET = "select m.* from mnemo.get_memories(%s::uuid[]) m"
_PLACES = "select memory_id, segment, row_number from mnemo.archived_places(%s::uuid[])"
_ARCHIVED = (
    "select m.*, mnemo.content_hash(m) as content_sha256 from mnemo.read_candidates("
    "array(select row(0, p.memory_id, p.bucket, p.segment)::mnemo.candidate"
    " from mnemo.archived_places(%s::uuid[]) as p),"
    " mnemo.fetched_rows(%s::uuid[], %b::varbit[], %s::text[], %s::bytea[])) as m"
)


class ReadingApi:
    """Reading memories; docs/recall.md tells how they are ranked, docs/archive.md what is archived."""

    _pool: Pool
    _settings: Settings
    _writer: Writer
    _seals: MemorySeals
    _archive: ArchiveReader
    bits: int

    @property
    def archive_reader(self) -> ArchiveReader:
        """What reads archived memories for this object; its store counts requests and bytes."""
        return self._archive

    async def recall(
        self,
        query: str | ArrayLike | None = None,
        *,
        embedding: ArrayLike | None = None,
        roles: Mapping[str, Any] | None = None,
        k: int | None = None,
        collection: str = "memories",
        context: str | None = None,
        where: Mapping[str, Any] | None = None,
        exact: bool = False,
        archive: bool = False,
    ) -> Recall:
        """Return the k memories with the best score for the query and note the access.

        The score is the similarity, with a text or an embedding the terms of the collection's second stage
        (mnemo.ranking), and with a context (that of the query, or the one all hits share) what its last
        recalls predict; `exact` and the setting mnemo.learning = off leave that last part out.

        The query is a hypervector uint8[D/8], or a text, its `embedding` float32[d], values of `roles` such
        as {"speaker": "Ann"}, or several of these three; collections that are not composite take the
        embedding before the text. `where` filters
        attributes with MongoDB's operators. `exact` compares every memory instead of asking the index.
        `archive` looks at memories in object storage, too, unless k memories in the database are within the
        confidence distance: candidates by their sketches, then exactly, read from there with their contents.
        What cannot be read in time is missing, and 'archive' among the recall's `unreachable`.
        """
        return await self._hits(
            "recall", query, embedding, roles, k, collection, context, where, exact, archive
        )

    async def search(
        self,
        query: str | ArrayLike | None = None,
        *,
        embedding: ArrayLike | None = None,
        roles: Mapping[str, Any] | None = None,
        k: int | None = None,
        collection: str = "memories",
        context: str | None = None,
        where: Mapping[str, Any] | None = None,
        exact: bool = False,
        archive: bool = False,
    ) -> Recall:
        """Do what `recall` does without noting the access: it writes nothing."""
        return await self._hits(
            "search", query, embedding, roles, k, collection, context, where, exact, archive
        )

    async def get(self, memory_ids: Sequence[MemoryId]) -> list[Record]:
        """Return the memories of these ids, in no order; those that are not there are left out.

        Archived ones are read from object storage.

        Raises:
            StoreUnavailable, StoreRefused, ObjectMissing, ObjectCorrupted: one is archived and cannot be
                read.
        """
        wanted = set(memory_ids)
        found = await self._records(_GET, list(wanted))
        wanted -= {record.memory_id for record in found}
        if not wanted:
            return await self._seals.open_records(found)
        with translate_errors():
            async with self._pool.connection() as connection, _snapshot(connection, read_only=True):
                # Once more: one may have come back from the archive since.
                found += _as_records(await _rows(connection, _GET, list(wanted)))
                wanted -= {record.memory_id for record in found}
                cursor = await connection.execute(_PLACES, (list(wanted),))
                places = {memory_id: (segment, row) for memory_id, segment, row in await cursor.fetchall()}
                if places:
                    read = await self._archive.read(connection, places)
                    rows = await _rows(connection, _ARCHIVED, list(places), *read.parameters())
                    for row in rows:
                        read.rows[row["id"]].check(row["attributes"], row["content_sha256"])
                    found += _as_records(rows)
        return await self._seals.open_records(found)

    async def scroll(
        self,
        after: MemoryId | None = None,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
        collection: str = "memories",
    ) -> list[Record]:
        """Return the next memories of a collection after one of them, or the first, in a stable order.

        Archived ones are not among them.
        """
        if isinstance(limit, bool) or not 1 <= limit <= MAX_SCROLL:
            raise InvalidArgument(f"limit must be between 1 and {MAX_SCROLL}, not {limit}")
        asked = await self._asked(where, collection)
        records = await self._records(
            "select m.* from mnemo.scroll(%s::text, %s, %s, %s) m",
            collection,
            after,
            limit,
            Jsonb(dict(asked)),
        )
        return await self._seals.open_records(records)

    async def _asked(self, where: Mapping[str, Any] | None, collection: str) -> Mapping[str, Any]:
        """Return a filter as the database is asked it: no value of a sealed attribute is in it."""
        return await self._seals.filter(where, await self._writer.collection(collection)) if where else {}

    async def _records(self, query: str, *parameters: Any) -> list[Record]:
        with translate_errors():
            async with self._pool.connection() as connection:
                return _as_records(await _rows(connection, query, *parameters))

    async def _hits(
        self,
        function: Literal["recall", "search"],
        query: str | ArrayLike | None,
        embedding: ArrayLike | None,
        roles: Mapping[str, Any] | None,
        k: int | None,
        collection: str,
        context: str | None,
        where: Mapping[str, Any] | None,
        exact: bool,
        archive: bool,
    ) -> Recall:
        started = time.perf_counter()
        wanted = self._settings.search.k if k is None else k
        if (
            not isinstance(wanted, int)
            or isinstance(wanted, bool)
            or not 1 <= wanted <= self._settings.search.max_k
        ):
            raise InvalidArgument(f"k must be between 1 and {self._settings.search.max_k}, not {wanted!r}")
        how = await self._writer.collection(collection, embedding=embedding is not None)
        asked = question(query, embedding, roles, how, context, self.bits)
        if where:
            where = await self._seals.filter(where, how)
        limit_ms = self._settings.search.statement_timeout_ms

        async def ask() -> tuple[tuple[Hit, ...], tuple[str, ...], bool]:
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(Hit)) as cursor,
            ):
                with tiers_left_out(connection) as unreachable:
                    if archive:
                        async with _snapshot(connection, read_only=function == "search"):
                            made = await statement(connection, asked, function, wanted, where, exact)
                            found = await self._archive.search(connection, sought(made))
                            if found.rows:
                                await cursor.execute(
                                    made.sql_with_fetched, (*made.parameters, *found.parameters())
                                )
                            else:
                                await cursor.execute(made.sql, made.parameters)
                            hits = tuple(await cursor.fetchall())
                        if found.failed:
                            unreachable.append("archive")
                    else:
                        made = await statement(connection, asked, function, wanted, where, exact)
                        await cursor.execute(made.sql, made.parameters)
                        hits = tuple(await cursor.fetchall())
                return hits, tuple(unreachable), made.words_only

        def sought(made: Statement) -> Sought:
            return Sought(
                hdv=made.hdv,
                k=wanted,
                # The second stage has them compete by more than the distance.
                keep=_RANKED_KEEP * wanted if made.ranked else wanted,
                collection=how.name,
                context=context,
                where=where,
                exact=exact,
                embeddings=made.ranked and asked.embedding is not None,
            )

        try:
            with translate_errors():
                async with asyncio.timeout(limit_ms / 1000 or None):
                    # Done twice, a recall counts one access too many at worst.
                    hits, unreachable, words_only = await retried(
                        ask, is_lost, self._settings.resilience, self._pool.sleep
                    )
        except TimeoutError as error:
            raise TimedOut(
                f"the search took longer than {limit_ms} ms (search.statement_timeout_ms)"
            ) from error
        hits = await self._seals.open_hits(hits)
        bound = int(how.confidence_distance * self.bits)
        confident = len(hits) == wanted and max(hit.distance for hit in hits) <= bound
        latency = (time.perf_counter() - started) * 1000
        return Recall(hits, latency, confident, self.bits, unreachable, words_only)


@asynccontextmanager
async def _snapshot(connection: AsyncConnection[Any], *, read_only: bool) -> AsyncIterator[None]:
    """Open a transaction all of whose statements read the same."""
    # With BEGIN, not by a statement of their own.
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(read_only or None)
    try:
        async with connection.transaction():
            yield
    finally:
        if not connection.closed:
            await connection.set_isolation_level(None)
            await connection.set_read_only(None)


async def _rows(connection: AsyncConnection[Any], query: str, *parameters: Any) -> list[dict[str, Any]]:
    async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()


def _as_records(rows: Sequence[Mapping[str, Any]]) -> list[Record]:
    return [
        Record(
            memory_id=row["id"],
            key=row["key"],
            content=row["content"],
            context=row["context"],
            session=row["session"],
            occurred_at=row["occurred_at"],
            attributes=row["attributes"],
            hdv=row["hdv"],
            created_at=row["created_at"],
        )
        for row in rows
    ]
