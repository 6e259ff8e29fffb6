"""What a vector store can do; every backend passes tests/conformance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import ArrayLike

from engine.memory import Hit, Memory, MemoryId, Record


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a scroll; `after` continues it, None at the end."""

    records: tuple[Record, ...]
    after: MemoryId | None


class VectorStore(Protocol):
    """One collection of memories under Hamming distance.

    Filters (`where`) are MongoDB's, over attributes. Errors are those of engine.errors, and the same from
    every backend: InvalidHypervector, InvalidEmbedding, InvalidArgument, MalformedFilter.
    """

    @property
    def bits(self) -> int:
        """D, the components of a hypervector."""

    async def store(self, memories: Sequence[Memory]) -> list[MemoryId]:
        """Store all or none; return their ids in order. A key used again keeps its id."""

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
        """Return the k nearest, by distance, then by id."""

    async def get(self, memory_ids: Sequence[MemoryId]) -> list[Record | None]:
        """Return the memories of these ids, in order; None where there is none."""

    async def delete(self, memory_ids: Sequence[MemoryId]) -> int:
        """Forget memories; return how many there were."""

    async def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Return how many match."""

    async def scroll(
        self,
        after: MemoryId | None = None,
        *,
        limit: int = 100,
        where: Mapping[str, Any] | None = None,
    ) -> Page:
        """Return the next records in a stable order; each record that stays is met exactly once."""
