"""Why a memory was found, and what its hypervector says of its roles, as methods of `Mnemo`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.errors import InvalidEmbedding
from engine.memory import MemoryId
from engine.recall.questions import named_roles

_EXPLAIN = (
    "select part, member, name, cosine, share, similarity from mnemo.explain(%s::text, %s::uuid,"
    " embedding => %s::real[], roles => %s, collection => %s::text, context => %s::text)"
)
_PROBE = "select value, similarity, z from mnemo.probe(%s::uuid, %s::text, %s::text[], %s)"


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of mnemo.explain.

    `part`: "word", "prefix and characters", "meaning" or "role", what question and memory have in common;
    then "estimated", their sum, "measured", by the hypervectors themselves, and "note", whose `name` says
    what is not known. `member`: 0 is the memory, -1 and -2 are those before it, 1 and 2 those after it.
    `cosine`: what it adds to the estimated cosine, -1 to 1; `share`: the same in parts of 1. `similarity`:
    0 to 1, as that of a hit.
    """

    part: str
    member: int | None
    name: str | None
    cosine: float | None
    share: float | None
    similarity: float | None


@dataclass(frozen=True, slots=True)
class RoleValue:
    """A value that a memory may have in a role; `z` standard deviations of `similarity` above chance, 0.5."""

    value: str
    similarity: float
    z: float


class ExplainingApi:
    """What a hypervector is made of; docs/recall.md tells how far that can be known."""

    _pool: Pool

    async def explain(
        self,
        query: str | None,
        memory_id: MemoryId,
        *,
        embedding: ArrayLike | None = None,
        roles: Mapping[str, Any] | None = None,
        collection: str | None = None,
        context: str | None = None,
    ) -> list[Reason]:
        """Return why a memory is near to a question, the strongest reason first, then the sums and notes.

        The question is what `recall` was asked: a text, its `embedding` float32[d], values of `roles`, and
        the `context` it was asked in.

        Raises:
            UnknownMemory: no such memory, or not in `collection`.
            InvalidArgument, InvalidEmbedding: as `recall`.
        """
        vector = None
        if embedding is not None:
            try:
                vector = np.asarray(embedding, np.float32).tolist()
            except (TypeError, ValueError) as error:
                raise InvalidEmbedding("embedding of the query is not a list of numbers") from error
        named = named_roles(roles)
        with translate_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(Reason)) as cursor,
            ):
                await cursor.execute(_EXPLAIN, (query, memory_id, vector, Jsonb(named), collection, context))
                return await cursor.fetchall()

    async def probe(
        self, memory_id: MemoryId, role: str, candidates: Sequence[str] | None = None, *, k: int = 5
    ) -> list[RoleValue]:
        """Return the k values that a memory most likely has in a role, read from its hypervector alone.

        Compared are the `candidates`, else the 1,000 most frequent values of its collection in that role.

        Raises:
            UnknownMemory: no such memory.
            InvalidArgument: its collection has no such role, or k is not between 1 and 1,000.
        """
        with translate_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(RoleValue)) as cursor,
            ):
                await cursor.execute(
                    _PROBE, (memory_id, role, None if candidates is None else list(candidates), k)
                )
                return await cursor.fetchall()
