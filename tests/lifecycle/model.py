"""The rules by which memories strengthen, fade and move, in plain Python. Times are in microseconds."""

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

HOUR = 3_600_000_000
DAY = 24 * HOUR
PLACE = {"hot": 0, "warm": 1, "cold": 2}


def stored(strength: float) -> float:
    """Round to single precision, as the table does."""
    return float(np.float32(strength))


@dataclass(frozen=True)
class Policy:
    """One rule; the fields that its kind does not have stay at their defaults."""

    name: str
    kind: str
    tier: str | None = None
    to_tier: str = ""
    collection: str | None = None
    rule: str = "ltp"
    threshold: float | None = None
    after: int | None = None
    accesses: int | None = None
    within: int | None = None
    capacity: int | None = None
    stay: int = HOUR


DEFAULTS = (
    Policy("hot-decay", "tier", "hot", "warm"),
    Policy("warm-decay", "tier", "warm", "cold"),
    Policy("warm-promotion", "promotion", "warm", "hot"),
    Policy("cold-promotion", "promotion", "cold", "warm"),
    Policy("hot-capacity", "eviction", "hot", "warm", rule="lru", capacity=100_000, stay=0),
)


@dataclass
class Remembered:
    """One memory and what its activity row says of it."""

    id: UUID
    collection: str
    tier: str
    ltp: float
    ltp_at: int
    created_at: int
    entered_at: int
    pinned: bool = False
    last_access: int | None = None
    accesses: int = 0
    tier_accesses: int = 0
    promotable: bool = False

    @property
    def used_at(self) -> int:
        """Return its last access, or its entry into the tier if that was later."""
        return max(self.last_access or self.entered_at, self.entered_at)


@dataclass
class Model:
    """Every memory of a database, and the rules."""

    now: int
    half_life: int = 30 * DAY
    potentiation: float = 0.1
    leaves_below: dict[str, float | None] = field(
        default_factory=lambda: {"hot": 0.7, "warm": 0.3, "cold": None}
    )
    policies: dict[str, Policy] = field(default_factory=lambda: {p.name: p for p in DEFAULTS})
    memories: dict[UUID, Remembered] = field(default_factory=dict)
    log: list[tuple[int, list[UUID]]] = field(default_factory=list)
    moves: list[tuple[UUID, str, str, str]] = field(default_factory=list)
    _found: dict[tuple[str, str, str], Policy | None] = field(default_factory=dict)

    # What a user does.

    def remember(
        self, memory: UUID, collection: str, tier: str, importance: float, pinned: bool = False
    ) -> None:
        """Write a memory; one that is there keeps the greater strength, its time of writing, and its pin."""
        there = self.memories.get(memory)
        if there is None:
            self.memories[memory] = Remembered(
                memory, collection, tier, stored(importance), self.now, self.now, self.now, pinned
            )
            return
        there.ltp = stored(max(self.strength(there), importance))
        there.ltp_at = self.now
        if there.tier != tier and not there.pinned:
            self._move(there, tier, "rewritten")
        there.pinned |= pinned

    def recalled(self, memories: list[UUID]) -> None:
        """Note an access of each; it counts at the next consolidation."""
        self.log.append((self.now, memories))

    def reinforce(self, memory: UUID) -> None:
        """Count one access at once."""
        self._access(self.memories[memory], [self.now])

    def move(self, memories: list[UUID], tier: str) -> None:
        """Move by hand."""
        for memory in memories:
            there = self.memories[memory]
            if there.tier != tier and not there.pinned:
                self._move(there, tier, "called")

    def forget(self, memory: UUID) -> None:
        """Forget for good."""
        del self.memories[memory]

    # The closed form.

    def strength(self, memory: Remembered, at: int | None = None) -> float:
        """Return s0 * 2^-(t / half-life)."""
        return self._decayed(memory.ltp, (self.now if at is None else at) - memory.ltp_at)

    def _decayed(self, strength: float, span: int) -> float:
        if strength < 1e-12:
            return 0.0
        return strength * math.pow(0.5, min(64, (max(span, 0) / 1e6) / (self.half_life / 1e6)))

    def _access(self, memory: Remembered, times: list[int]) -> None:
        strength, at = memory.ltp, memory.ltp_at
        for time in sorted(times):
            strength = self._decayed(strength, time - at)
            strength += (1 - strength) * self.potentiation
            at = max(at, time)
        memory.ltp, memory.ltp_at = stored(min(strength, 1.0)), at
        memory.last_access = max(memory.last_access or at, at)
        memory.accesses += len(times)
        memory.tier_accesses += len(times)
        memory.promotable |= memory.tier != "hot"

    # What the rules say of one memory.

    def policy(self, kind: str, tier: str, collection: str) -> Policy | None:
        """Return the rule of this kind that applies: the collection's own before the general one."""
        asked = (kind, tier, collection)
        if asked not in self._found:
            found = [
                p
                for p in self.policies.values()
                if p.kind == kind
                and (p.tier == tier or (kind == "ttl" and p.tier is None))
                and p.collection in (None, collection)
            ]
            self._found[asked] = min(
                found, key=lambda p: (p.collection is None, p.tier is None), default=None
            )
        return self._found[asked]

    def add(self, policy: Policy) -> None:
        """Put a policy in force, instead of the one of that name."""
        self.policies[policy.name] = policy
        self._found.clear()

    def remove(self, name: str) -> Policy:
        """Take a policy out of force and return it."""
        self._found.clear()
        return self.policies.pop(name)

    def leaves_at(self, memory: Remembered) -> int | None:
        """Return when its strength or disuse ends its stay, if nobody uses it again."""
        rule = self.policy("tier", memory.tier, memory.collection)
        if rule is None:
            return None
        if rule.rule == "idle":
            assert rule.after is not None
            return memory.used_at + rule.after
        threshold = self.leaves_below[memory.tier] if rule.threshold is None else rule.threshold
        assert threshold is not None
        return memory.ltp_at + round(
            self.half_life * (math.log(max(memory.ltp / threshold, 1)) / math.log(2))
        )

    def due_at(self, memory: Remembered) -> int | None:
        """Return when it moves: not while pinned, and not before the minimum stay is over."""
        leaves = self.leaves_at(memory)
        rule = self.policy("tier", memory.tier, memory.collection)
        if memory.pinned or leaves is None or rule is None:
            return None
        return max(leaves, memory.entered_at + rule.stay)

    def expires_at(self, memory: Remembered) -> int | None:
        """Return when a ttl policy forgets it."""
        rule = self.policy("ttl", memory.tier, memory.collection)
        if memory.pinned or rule is None or rule.after is None:
            return None
        return (memory.created_at if rule.tier is None else memory.entered_at) + rule.after

    # What a consolidation does.

    def consolidate(self) -> None:
        """Count accesses, then promote, demote and evict until nothing is left to do."""
        self.fold()
        while self._promote() or self._demote("hot") or self._demote("warm") or self._evict():
            pass

    def fold(self) -> None:
        """Count the accesses noted since the last time."""
        times: dict[UUID, list[int]] = {}
        for at, memories in self.log:
            for memory in memories:
                times.setdefault(memory, []).append(at)
        self.log.clear()
        for memory, accesses in times.items():
            if memory in self.memories:
                self._access(self.memories[memory], accesses)

    def expire(self) -> None:
        """Forget what is too old."""
        for memory in list(self.memories.values()):
            at = self.expires_at(memory)
            if at is not None and at <= self.now:
                del self.memories[memory.id]

    def _promote(self) -> int:
        moved = 0
        for memory in self.memories.values():
            if not memory.promotable or memory.pinned:
                continue
            rule = self.policy("promotion", memory.tier, memory.collection)
            if rule is not None and memory.entered_at + rule.stay > self.now:
                continue
            memory.promotable = False
            if rule is None:
                continue
            if rule.rule == "ltp":
                threshold = self.leaves_below[rule.to_tier] if rule.threshold is None else rule.threshold
                assert threshold is not None
                wanted, reason = self.strength(memory) >= threshold, "strength"
            else:
                assert rule.accesses is not None
                recent = rule.within is None or (memory.last_access or 0) >= self.now - rule.within
                wanted, reason = memory.tier_accesses >= rule.accesses and recent, "accesses"
            if wanted:
                self._move(memory, rule.to_tier, reason)
                moved += 1
        return moved

    def _demote(self, tier: str) -> int:
        moved = 0
        for memory in self.memories.values():
            if memory.tier != tier:
                continue
            due = self.due_at(memory)
            if due is not None and due <= self.now:
                rule = self.policy("tier", memory.tier, memory.collection)
                assert rule is not None
                self._move(memory, rule.to_tier, "decay" if rule.rule == "ltp" else "idle")
                moved += 1
        return moved

    def _evict(self) -> int:
        rules = [p for p in self.policies.values() if p.kind == "eviction"]
        for rule in sorted(rules, key=lambda p: (p.tier, p.collection is None, p.collection)):
            assert rule.capacity is not None
            counted = list(self._governed(rule))
            surplus = len(counted) - rule.capacity
            if surplus > 0:
                free = (m for m in counted if not m.pinned and m.entered_at + rule.stay <= self.now)
                victims = heapq.nsmallest(surplus, free, key=self._worth(rule.rule))
                for memory in victims:
                    self._move(memory, rule.to_tier, "capacity")
                if victims:
                    return len(victims)
        return 0

    def _governed(self, rule: Policy) -> Iterator[Remembered]:
        own = {p.collection for p in self.policies.values() if p.kind == "eviction" and p.tier == rule.tier}
        for memory in self.memories.values():
            general = rule.collection is None and memory.collection not in own
            if memory.tier == rule.tier and (general or memory.collection == rule.collection):
                yield memory

    def _worth(self, rule: str) -> Callable[[Remembered], tuple[float, int, UUID]]:
        first: dict[str, Callable[[Remembered], float]] = {
            "ltp": self.strength,
            "lfu": lambda m: m.accesses,
            "fifo": lambda m: m.entered_at,
            "lru": lambda m: m.used_at,
        }
        return lambda m: (first[rule](m), m.used_at, m.id)

    def _move(self, memory: Remembered, tier: str, reason: str) -> None:
        self.moves.append((memory.id, memory.tier, tier, reason))
        self._enter(memory, tier)

    def _enter(self, memory: Remembered, tier: str) -> None:
        memory.tier, memory.entered_at, memory.tier_accesses = tier, self.now, 0
