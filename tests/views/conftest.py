"""A small database on a clock of its own, in which two tenants have lived for some weeks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.memories import Draft, remember_all

START = datetime(2030, 1, 27, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def small(database_factory: DatabaseFactory) -> Iterator[Connection]:
    """An autocommit connection to a fresh database of 1,024 bits, sketches of 256."""
    with psycopg.connect(database_factory(1_024, 256), autocommit=True) as connection:
        yield connection
        connection.execute("reset mnemo.tenant")
        check_invariants(connection)


def rows(connection: Connection, query: LiteralString, *arguments: Any) -> list[tuple[Any, ...]]:
    """Return what a query answers."""
    return connection.execute(query, arguments).fetchall()


def one(connection: Connection, query: LiteralString, *arguments: Any) -> Any:
    """Return the one value that a query answers."""
    ((value,),) = connection.execute(query, arguments).fetchall()
    return value


def clock(connection: Connection, at: datetime) -> None:
    """Set the engine's time."""
    connection.execute("select set_config('mnemo.clock', %s, false)", [at.isoformat()])


def tenant(connection: Connection, name: str) -> None:
    """Become another tenant."""
    connection.execute("select set_config('mnemo.tenant', %s, false)", [name])


def drafts(count: int, prefix: str, **fields: Any) -> list[Draft]:
    """Return memories of random hypervectors, told apart by their keys."""
    rng = np.random.default_rng(len(prefix) + count)
    return [
        Draft(f"{prefix} é {n}", rng.integers(0, 256, 128, np.uint8), key=f"{prefix}{n}", **fields)
        for n in range(count)
    ]


@dataclass
class Life:
    """What was done, as the test counts it: by tenant, and the moves by (day, from, to, policy, reason)."""

    now: datetime = START
    ids: dict[str, list[UUID]] = field(default_factory=dict)
    written: dict[UUID, tuple[str, Draft, datetime]] = field(default_factory=dict)
    tier: dict[UUID, str] = field(default_factory=dict)
    strength: dict[UUID, tuple[float, datetime]] = field(default_factory=dict)
    accesses: dict[UUID, list[datetime]] = field(default_factory=dict)
    counted: list[tuple[str, UUID, str]] = field(default_factory=list)
    moves: list[tuple[UUID, datetime, str, str, str | None, str]] = field(default_factory=list)

    def strength_at(self, memory: UUID, at: datetime) -> float:
        """Strength by the closed form, half-life 30 days."""
        strength, since = self.strength[memory]
        return float(np.float32(strength) * np.exp2((since - at) / (30 * DAY)))


class Keeper:
    """Does something to the database and notes it in the life."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.life = Life()

    def at(self, moment: datetime) -> None:
        """Let time pass."""
        self.life.now = moment
        clock(self.connection, moment)

    def write(self, whose: str, prefix: str, count: int, **fields: Any) -> list[UUID]:
        """Store memories of a tenant."""
        tenant(self.connection, whose)
        made = drafts(count, prefix, **fields)
        ids = remember_all(self.connection, made)
        life = self.life
        for memory, draft in zip(ids, made, strict=True):
            life.written[memory] = (whose, draft, life.now)
            life.tier[memory] = draft.tier
            life.strength[memory] = (draft.importance, life.now)
            life.accesses[memory] = []
        life.ids[prefix] = ids
        return ids

    def use(self, ids: list[UUID]) -> None:
        """Recall memories once together, as mnemo.recall logs it, and count that."""
        life = self.life
        self.connection.execute(
            "insert into mnemo.access_log (at, memory_ids, tenant) values (mnemo.now(), %s, mnemo.tenant())",
            [ids],
        )
        assert one(self.connection, "select mnemo.fold_accesses()") == 1
        for memory in ids:
            before = life.strength_at(memory, life.now)
            life.strength[memory] = (before + (1 - before) * 0.1, life.now)
            life.accesses[memory].append(life.now)
            life.counted.append((f"{life.now:%Y-%m-%d}", memory, life.tier[memory]))

    def move(self, ids: list[UUID], tier: str) -> None:
        """Move memories of the tenant by hand."""
        assert one(self.connection, "select mnemo.move_memories(%s::uuid[], %s)", ids, tier) == len(ids)
        for memory in ids:
            self._moved(memory, tier, None, "called")

    def consolidate(self, expected: dict[UUID, tuple[str, str, str]]) -> None:
        """Let the policies move what they want; `expected` says what: tier, policy, reason."""
        while one(self.connection, "select mnemo.consolidate_step()"):
            pass
        for memory, (tier, policy, reason) in expected.items():
            self._moved(memory, tier, policy, reason)

    def _moved(self, memory: UUID, tier: str, policy: str | None, reason: str) -> None:
        self.life.moves.append((memory, self.life.now, self.life.tier[memory], tier, policy, reason))
        self.life.tier[memory] = tier


@pytest.fixture
def keeper(small: Connection) -> Keeper:
    """Two tenants, two collections, three tiers; uses, moves by hand and by decay on several days."""
    kept = Keeper(small)
    small.execute("select mnemo.create_collection('facts')")
    kept.at(START)
    kept.write("ada", "a", 7, context="c1", session="s1")
    kept.write("ada", "f", 3, collection="facts", importance=1.0, occurred_at=START - DAY)
    pinned = kept.write("ada", "p", 2, pinned=True)
    kept.write("bo", "b", 4, tier="warm", importance=0.5)
    kept.at(START + 1 * DAY)
    tenant(small, "ada")
    kept.use([*kept.life.ids["a"][:3], pinned[0]])
    kept.use(kept.life.ids["a"][:1])
    kept.at(START + 2 * DAY)
    kept.move(kept.life.ids["f"][:2], "cold")
    kept.use(kept.life.ids["f"][:2])
    tenant(small, "bo")
    kept.move(kept.life.ids["b"][:1], "hot")
    kept.at(START + 10 * DAY)
    moving = dict.fromkeys(kept.life.ids["f"][:2], ("warm", "cold-promotion", "strength"))
    for memory, tier in kept.life.tier.items():
        if tier == "hot" and memory not in pinned and kept.life.strength_at(memory, kept.life.now) < 0.7:
            moving[memory] = ("warm", "hot-decay", "decay")
    assert len(moving) == 2 + 7 + 1
    kept.consolidate(moving)
    tenant(small, "ada")
    return kept
