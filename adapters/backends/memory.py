"""The vector store in memory: exact, for tests and trials; it keeps nothing."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike

from adapters.backends.matching import compile_filter
from engine.backends import Page
from engine.errors import InvalidArgument
from engine.hypervector import distances
from engine.hypervector.algebra import check_bits
from engine.memory import MAX_K, MAX_SCROLL, Collection, Hit, Memory, MemoryId, Record, Tier
from engine.recall.questions import lexical_hypervector, question
from engine.schema.parameters import DEFAULT_BITS
from engine.writing.drafts import dimension_of, drafts_of, prepare


@dataclass(slots=True)
class _Row:
    record: Record
    tier: Tier


class MemoryStore:
    """Records in a dictionary, compared one by one."""

    def __init__(self, bits: int, collection: Collection, importance: float) -> None:
        self._bits = bits
        self._collection = collection
        self._importance = importance
        self._rows: dict[MemoryId, _Row] = {}
        self._keys: dict[str, MemoryId] = {}

    @property
    def bits(self) -> int:
        """D, the components of a hypervector."""
        return self._bits

    async def store(self, memories: Sequence[Memory]) -> list[MemoryId]:
        """Store all or none."""
        how = self._collection
        if how.dimension is None:
            how = replace(how, dimension=dimension_of(memories))
        drafts = drafts_of(prepare(memories, how, self._bits), self._importance)
        self._collection = how
        now = datetime.now(UTC)
        ids: list[MemoryId] = []
        for draft in drafts:
            known = self._keys.get(draft.key) if draft.key is not None else None
            memory_id = known or MemoryId(uuid4())
            created_at = self._rows[memory_id].record.created_at if known else now
            if draft.key is not None:
                self._keys[draft.key] = memory_id
            record = Record(
                memory_id=memory_id,
                key=draft.key,
                content=draft.content,
                context=draft.context,
                session=draft.session,
                occurred_at=draft.occurred_at or now,
                attributes=json.loads(json.dumps(draft.attributes)),
                hdv=np.frombuffer(draft.hdv, np.uint8),
                created_at=created_at,
            )
            self._rows[memory_id] = _Row(record, draft.tier)
            ids.append(memory_id)
        return ids

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
        """Compare all, so always exact; unlike PostgreSQL it never stops at a tier."""
        if isinstance(k, bool) or not 1 <= k <= MAX_K:
            raise InvalidArgument(f"k must be between 1 and {MAX_K}, not {k}")
        asked = question(query, embedding, None, self._collection, context, self._bits)
        hdv = lexical_hypervector(asked)
        rows = [row for row in self._matching(where) if context is None or row.record.context == context]
        if not rows:
            return []
        found = distances(np.stack([row.record.hdv for row in rows]), hdv).tolist()
        nearest = sorted(zip(found, rows, strict=True), key=lambda pair: (pair[0], pair[1].record.memory_id))
        return [_hit(distance, row, self._bits) for distance, row in nearest[:k]]

    async def get(self, memory_ids: Sequence[MemoryId]) -> list[Record | None]:
        """Return the memories of these ids, in order."""
        rows = [self._rows.get(memory_id) for memory_id in memory_ids]
        return [row.record if row is not None else None for row in rows]

    async def delete(self, memory_ids: Sequence[MemoryId]) -> int:
        """Forget memories."""
        gone = [self._rows.pop(memory_id, None) for memory_id in memory_ids]
        for row in gone:
            if row is not None and row.record.key is not None:
                del self._keys[row.record.key]
        return sum(row is not None for row in gone)

    async def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many match."""
        return len(self._matching(where))

    async def scroll(
        self,
        after: MemoryId | None = None,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
    ) -> Page:
        """Return the next records in the order of their ids."""
        if isinstance(limit, bool) or not 1 <= limit <= MAX_SCROLL:
            raise InvalidArgument(f"limit must be between 1 and {MAX_SCROLL}, not {limit}")
        records = sorted((row.record for row in self._matching(where)), key=lambda record: record.memory_id)
        records = [record for record in records if after is None or record.memory_id > after][:limit]
        return Page(tuple(records), records[-1].memory_id if len(records) == limit else None)

    def _matching(self, where: Mapping[str, Any] | None) -> list[_Row]:
        matches = compile_filter(where or {})
        return [row for row in self._rows.values() if matches(row.record.attributes)]


def _hit(distance: int, row: _Row, bits: int) -> Hit:
    similarity = 1 - distance / bits
    record = row.record
    return Hit(
        memory_id=record.memory_id,
        key=record.key,
        tier=row.tier,
        distance=distance,
        similarity=similarity,
        score=similarity,
        content=record.content,
        attributes=dict(record.attributes),
        created_at=record.created_at,
    )


@asynccontextmanager
async def open_memory_store(
    *,
    bits: int = DEFAULT_BITS,
    seed: str = "mnemo:projection",
    importance: float = 0.8,
) -> AsyncIterator[MemoryStore]:
    """Open an empty store of hypervectors of that many bits; it is gone when the context ends."""
    how = Collection("memories", "lexical", 1, None, seed, False, False, 0.0, {})
    yield MemoryStore(check_bits(bits), how, importance)
