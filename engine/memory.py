"""What goes in and what comes out: memories, hits, recalls, collections."""

import math
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
# Where a memory can be found; into the archive it is not written, it gets there.
Place = Literal["hot", "warm", "cold", "archive"]
# The bounds that mnemo.search and mnemo.scroll keep.
MAX_K = 4096
MAX_SCROLL = 100_000
_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory to be stored.

    Its hypervector is `hdv` (uint8[D/8]) where given, else made of its text, its `embedding` (float32[d]) and
    the memories before it in its session, as its collection encodes. A `key` names it within its collection:
    used again, it keeps its id and takes the new content. `context` is what belongs together, `session`
    divides it, `occurred_at` (with a time zone) orders it. `scores` (significance, relevance,
    emotional_impact, technical_value, user_rating, confidence, each 0 to 1; source, tags) are kept among the
    attributes with what follows from them. `importance` is its strength at birth, 0 to 1; None takes that of
    the scores, and without any the configured one. `private`: its content is sealed before it leaves this
    process, which needs a vault (docs/vault.md).
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
    scores: Mapping[str, Any] = field(default_factory=lambda: _NO_ATTRIBUTES)
    private: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A stored memory as it is. `hdv` is uint8[D/8]. `sealed`: as that of `Hit`."""

    memory_id: MemoryId
    key: str | None
    content: str
    context: str | None
    session: str | None
    occurred_at: datetime
    attributes: dict[str, Any]
    hdv: NDArray[np.uint8]
    created_at: datetime
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found. `distance` counts differing bits; `similarity` is 1 - distance / D.

    `score` is what hits are ordered by: the sum of `score_terms`, which name what each part came from; it is
    None after a search, whose score is the similarity. `estimated`: of an archived memory only the sketch was
    compared, and its content is empty; never so for hits of `Mnemo`. `sealed`: parts of it could not be
    opened here, by this role and these keys; they are left out, and a content among them is empty.
    """

    memory_id: MemoryId
    key: str | None
    tier: Place
    distance: int
    similarity: float
    score: float
    content: str
    attributes: dict[str, Any]
    created_at: datetime
    score_terms: dict[str, float] | None = None
    estimated: bool = False
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Recall(Sequence[Hit]):
    """The hits of one recall, best score first.

    `latency_ms`: from asking to having all hits, encoding included. `confident`: k hits came back, each
    within the collection's confidence distance, so that slower tiers were only asked by an exact search.
    `unreachable`: tiers that could not be read, whose memories are missing here. `words_only`: the query came
    without an embedding into a collection that has them, so that only its words and roles count.
    """

    hits: tuple[Hit, ...]
    latency_ms: float
    confident: bool
    bits: int
    unreachable: tuple[str, ...] = ()
    words_only: bool = False

    @property
    def unrelated(self) -> bool:
        """Whether even the nearest hit may be nearest by chance only.

        Unrelated hypervectors differ in D/2 bits with a standard deviation of sqrt(D)/2: the nearest of a
        million is hardly ever 5 of them below. True without hits.
        """
        nearest = min((hit.distance for hit in self.hits), default=self.bits)
        return nearest > self.bits / 2 - 2.5 * math.sqrt(self.bits)

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
    """How the memories of a collection become hypervectors; `dimension` is that of its embeddings.

    `encoding` holds the weights of a composite (see mnemo.encoding), nothing for other encoders. `sealed`
    names the attributes that only their client can read, and '$content' where the contents are such too.
    """

    name: str
    encoder: str
    encoder_version: int
    dimension: int | None
    seed: str
    bind_context: bool
    keep_embedding: bool
    confidence_distance: float
    encoding: Mapping[str, Any]
    sealed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TierStats:
    """What a tier holds, costs and answers, all tenants; sizes in bytes, strength from 0 to 1.

    `capacity_used`: share of the capacity that the general eviction policy sets; None without one.
    `monthly_cost`: dollars, at `price_per_tb_month`; None without a price. `latency_ms`: as measured; None
    where nobody has. `accesses`: those counted while the tier held the memory. `due_now`: memories that
    consolidation looks at next. `target_reached`: within capacity, and as fast as wanted, as far as either
    is known; None where neither is.
    """

    tier: Place
    memories: int
    pinned: int
    mean_strength: float | None
    heap_bytes: int
    index_bytes: int
    total_bytes: int
    segments: int
    capacity_rows: int | None
    capacity_bytes: int | None
    capacity_used: float | None
    latency_target_ms: float | None
    latency_ms: float | None
    price_per_tb_month: float | None
    monthly_cost: float | None
    accesses: int
    accesses_today: int
    due_now: int
    target_reached: bool | None
