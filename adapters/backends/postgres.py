"""The vector store in PostgreSQL: a collection of an open Mnemo."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from engine.backends import Page
from engine.memory import Hit, Memory, MemoryId, Record
from engine.mnemo import Mnemo


class PostgresStore:
    """A collection of an open Mnemo as a vector store."""

    def __init__(self, mnemo: Mnemo, collection: str) -> None:
        self._mnemo = mnemo
        self._collection = collection

    @property
    def bits(self) -> int:
        """D, the components of a hypervector."""
        return self._mnemo.bits

    async def store(self, memories: Sequence[Memory]) -> list[MemoryId]:
        """Store all or none: one transaction, whatever their number."""
        return await self._mnemo.remember_many(
            memories, collection=self._collection, batch_rows=max(len(memories), 1)
        )

    async def query(
        self,
        query: str | ArrayLike | None = None,
        *,
        embedding: ArrayLike | None = None,
        k: int = 10,
        context: str | None = None,
        where: Mapping[str, Any] | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the k nearest; the access is recorded."""
        return list(
            await self._mnemo.recall(
                query,
                embedding=embedding,
                k=k,
                collection=self._collection,
                context=context,
                where=where,
                exact=exact,
            )
        )

    async def get(self, memory_ids: Sequence[MemoryId]) -> list[Record | None]:
        """Return the memories of these ids, in order."""
        found = {record.memory_id: record for record in await self._mnemo.get(memory_ids)}
        return [found.get(memory_id) for memory_id in memory_ids]

    async def delete(self, memory_ids: Sequence[MemoryId]) -> int:
        """Forget all of them in one transaction."""
        return await self._mnemo.forget_many(memory_ids)

    async def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many match."""
        return await self._mnemo.count(where, collection=self._collection)

    async def scroll(
        self,
        after: MemoryId | None = None,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
    ) -> Page:
        """Return the next records in the order of their ids."""
        records = tuple(
            await self._mnemo.scroll(after, limit=limit, where=where, collection=self._collection)
        )
        return Page(records, records[-1].memory_id if len(records) == limit else None)


@asynccontextmanager
async def open_postgres_store(
    *, dsn: str | None = None, data_dir: str | Path | None = None, collection: str = "memories"
) -> AsyncIterator[PostgresStore]:
    """Open Mnemo as `Mnemo.open` does and use one of its collections, created where there is none."""
    async with Mnemo.open(dsn, data_dir) as mnemo:
        await mnemo.ensure_collection(collection)
        yield PostgresStore(mnemo, collection)
