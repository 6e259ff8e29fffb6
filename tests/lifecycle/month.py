"""A simulated month: memories arrive, are used by a Zipf law and fade; a consolidation every few hours."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from tests.lifecycle.model import DAY, HOUR, PLACE, Policy
from tests.lifecycle.world import World
from tests.support.memories import Draft, Vectors

_EXPONENT = 1.05


@dataclass(frozen=True)
class Month:
    """How large a month is; a recall returns `hits` memories, and everything else scales with `memories`."""

    memories: int
    days: int = 30
    hours: int = 6
    recalls: int = 40
    hits: int = 8
    half_life_days: int = 6
    first_tier: str = "hot"

    @property
    def hot_rows(self) -> int:
        """Return the capacity of the hot tier: a tenth of all memories."""
        return self.memories // 10


@dataclass
class Told:
    """What happened."""

    accesses: int = 0
    hot_hits: int = 0
    sizes: list[dict[str, int]] = field(default_factory=list)
    moves: Counter[str] = field(default_factory=Counter)

    @property
    def hit_rate(self) -> float:
        """Return the share of accesses that met a memory in the hot tier."""
        return self.hot_hits / self.accesses


def live(w: World, month: Month, vectors: Sequence[Vectors], bulk: bool = False) -> Iterator[Told]:
    """Yield after each day what has happened so far; vectors: one for each memory.

    Half of the memories are there from the start, the others arrive day by day. Which ones are used most
    often has nothing to do with when they were written, except that new ones are used for a day more.
    """
    rng, told = w.rng, Told()
    _rules(w, month)
    arriving = _drafts(rng, vectors, month)
    used: list[UUID] = w.remember(
        list(itertools.islice(arriving, month.memories // 2)), bulk=month.first_tier if bulk else None
    )
    w.connection.execute("analyze mnemo.activity")
    rng.shuffle(used)
    for _ in range(month.days):
        new = w.remember(list(itertools.islice(arriving, month.memories // 2 // month.days)))
        for memory in new:
            used.insert(rng.randrange(len(used)), memory)
        weights = list(itertools.accumulate((rank + 1) ** -_EXPONENT for rank in range(len(used))))
        for hour in range(month.hours, 25, month.hours):
            recalls = [
                list(dict.fromkeys(rng.choices(used, cum_weights=weights, k=month.hits)))
                for _ in range(month.recalls)
            ]
            if hour == month.hours:
                recalls.append(new[: month.hits])
            _count(w, recalls, told)
            w.pass_time(month.hours * HOUR)
            w.consolidate()
        told.sizes.append(dict.fromkeys(PLACE, 0) | Counter(m.tier for m in w.model.memories.values()))
        told.moves = Counter(f"{start} to {end}, {why}" for _, start, end, why in w.model.moves)
        yield told


def _rules(w: World, month: Month) -> None:
    """Make a month long enough for every rule to act."""
    w.do(
        "select mnemo.configure(jsonb_build_object('half_life_days', %s::int))",
        month.half_life_days,
    )
    w.model.half_life = month.half_life_days * DAY
    w.do(
        "select mnemo.alter_eviction_policy('hot-capacity', jsonb_build_object('capacity_rows', %s::int))",
        month.hot_rows,
    )
    w.model.add(
        Policy("hot-capacity", "eviction", "hot", "warm", rule="lru", capacity=month.hot_rows, stay=0)
    )


def _drafts(rng: Random, vectors: Sequence[Vectors], month: Month) -> Iterator[Draft]:
    for n, hdv in enumerate(vectors):
        tier = month.first_tier if n < month.memories // 2 else "hot"
        yield Draft(f"memory {n}", hdv, importance=rng.uniform(0.4, 1), tier=tier, pinned=n % 100 == 0)


def _count(w: World, recalls: Sequence[list[UUID]], told: Told) -> None:
    w.recalled(recalls)
    for ids in recalls:
        told.accesses += len(ids)
        told.hot_hits += sum(w.model.memories[memory].tier == "hot" for memory in ids)
