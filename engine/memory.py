"""What goes in and what comes out: memories, hits, recalls, collections."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NewType, overload
from uuid import UUID

import numpy as np
from numpy.typing import ArrayLike, NDArray

MemoryId = NewType("MemoryId", UUID)
Tier = Literal["hot", "warm", "cold"]
# The bounds that mnemo.search and mnemo.scroll keep.
MAX_K = 4096
MAX_SCROLL = 100_000
_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory to be stored.

    Its hypervector is `hdv` (uint8[D/8]) where given, else the projected `embedding` (float32[d]), else its
    encoded text. A `key` names it within its collection: used again, it keeps its id and takes the new
    content. `context` is what belongs together, `session` divides it, `occurred_at` (with a time zone)
    orders it. `importance` is its strength at birth, 0 to 1; None takes the configured one.
    """

    content: str
    key: str | None = None
    context: str | None = None
    session: str | None = None
    occurred_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=lambda: _NO_ATTRIBUTES)
    hdv: NDArray[np.uint8] | None = None
    embedding: ArrayLike | None = None
    importance: float | None = None
    tier: Tier = "hot"
    pinned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A stored memory as it is. `hdv` is uint8[D/8]."""

    memory_id: MemoryId
    key: str | None
    content: str
    context: str | None
    session: str | None
    occurred_at: datetime
    attributes: dict[str, Any]
    hdv: NDArray[np.uint8]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found. `distance` counts differing bits; `similarity` is 1 - distance / D."""

    memory_id: MemoryId
    key: str | None
    tier: Tier
    distance: int
    similarity: float
    score: float
    content: str
    attributes: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Recall(Sequence[Hit]):
    """The hits of one recall, nearest first.

    `latency_ms`: from asking to having all hits, encoding included. `confident`: k hits came back, each
    within the collection's confidence distance, so that slower tiers were only asked by an exact search.
    """

    hits: tuple[Hit, ...]
    latency_ms: float
    confident: bool
    bits: int

    @property
    def unrelated(self) -> bool:
        """Whether even the nearest hit may be nearest by chance only.

        Unrelated hypervectors differ in D/2 bits with a standard deviation of sqrt(D)/2: the nearest of a
        million is hardly ever 5 of them below. True without hits.
        """
        return not self.hits or self.hits[0].distance > self.bits / 2 - 2.5 * self.bits**0.5

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Collection:
    """How the memories of a collection become hypervectors; `dimension` is that of its embeddings."""

    name: str
    encoder: str
    encoder_version: int
    dimension: int | None
    seed: str
    bind_context: bool
    keep_embedding: bool
    confidence_distance: float


@dataclass(frozen=True, slots=True)
class TierStats:
    """What a tier holds; sizes in bytes, strength from 0 to 1."""

    tier: Tier
    memories: int
    pinned: int
    mean_strength: float | None
    heap_bytes: int
    index_bytes: int
    total_bytes: int
    segments: int
