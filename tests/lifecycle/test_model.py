"""H3, N5, O2: tiers, strengths and deadlines are those of a plain model of the rules, memory by memory."""

from collections.abc import Sequence
from random import Random

import pytest

from tests.conftest import DatabaseFactory
from tests.lifecycle.model import DAY, HOUR, PLACE, Policy
from tests.lifecycle.world import World, vector, world
from tests.support.invariants import check_invariants
from tests.support.memories import Draft

COLLECTIONS = ("memories", "facts", "states")
KEYS = 70

# What is in force beside or instead of the rules that every installation starts with.
RULES: dict[str, Sequence[Policy]] = {
    "strength": (
        Policy("facts-stay", "tier", "hot", "warm", "facts", threshold=0.5, stay=0),
        Policy("facts-capacity", "eviction", "hot", "warm", "facts", "lfu", capacity=4, stay=2 * HOUR),
        Policy("warm-capacity", "eviction", "warm", "cold", rule="ltp", capacity=60, stay=0),
        Policy("facts-up", "promotion", "warm", "hot", "facts", threshold=0.75, stay=0),
        Policy("old", "ttl", after=40 * DAY),
        Policy("states-old", "ttl", collection="states", after=9 * DAY),
    ),
    "key-value": (
        Policy("idle-hot", "tier", "hot", "warm", "facts", "idle", after=HOUR, stay=0),
        Policy("idle-warm", "tier", "warm", "cold", "facts", "idle", after=DAY, stay=HOUR),
        Policy("up", "promotion", "warm", "hot", "facts", "accesses", accesses=2, within=6 * HOUR, stay=0),
        Policy("leap", "promotion", "cold", "hot", "facts", "accesses", accesses=5, stay=HOUR),
        Policy("facts-few", "eviction", "hot", "warm", "facts", "ltp", capacity=8, stay=0),
        Policy("warm-few", "eviction", "warm", "cold", "facts", "fifo", capacity=30, stay=0),
        Policy("cold-old", "ttl", tier="cold", after=12 * DAY),
        Policy("facts-cold-old", "ttl", tier="warm", collection="facts", after=20 * DAY),
    ),
    "plunge": (
        Policy("states-plunge", "tier", "hot", "cold", "states", threshold=0.6),
        Policy("facts-plunge", "eviction", "hot", "cold", "facts", "fifo", capacity=10, stay=HOUR),
        Policy("states-fickle", "promotion", "cold", "hot", "states", "accesses", accesses=1, stay=0),
        Policy("all-old", "ttl", after=60 * DAY),
        Policy("hot-old", "ttl", tier="hot", after=15 * DAY),
    ),
}


def drafts(rng: Random, count: int) -> list[Draft]:
    """Draw memories; two in three have a key, which an earlier one may have had."""
    return [
        Draft(
            "x",
            vector(rng),
            key=str(key) if key < 2 * KEYS else None,
            collection=COLLECTIONS[key % len(COLLECTIONS)],
            tier=rng.choices(list(PLACE), [7, 2, 1])[0],
            importance=rng.choice([0, 0.3, 0.7, 0.71, 0.8, 0.95, 1.0]),
            pinned=rng.random() < 0.05,
        )
        for key in rng.sample(range(3 * KEYS), count)
    ]


def happen(w: World) -> None:
    """Do some of what users do."""
    rng, model = w.rng, w.model
    known = sorted(model.memories)
    popular = known[:: max(len(known) // 40, 1)]
    w.recalled([rng.sample(popular, 6) for _ in range(rng.randrange(5))])
    w.pass_time(rng.randrange(HOUR))
    w.recalled([rng.sample(known, 4) for _ in range(rng.randrange(4))])
    for memory in rng.sample(known, 3):
        pinned = rng.random() < 0.5
        w.do("select mnemo.pin(%s, %s)", memory, pinned)
        model.memories[memory].pinned = pinned
    for memory in rng.sample(known, 3):
        model.reinforce(memory)
        assert w.do("select mnemo.reinforce(%s)", memory) == model.memories[memory].ltp
        assert w.do("select mnemo.strength(%s)", memory) == model.memories[memory].ltp
    chosen, tier = rng.sample(known, 2), rng.choice(list(PLACE))
    w.do("select mnemo.move_memories(%s, %s)", chosen, tier)
    model.move(chosen, tier)
    gone = rng.choice(known)
    w.do("select mnemo.forget(%s)", gone)
    model.forget(gone)
    w.remember(drafts(rng, rng.randrange(8)))


@pytest.mark.parametrize(("rules", "bulk_rows"), [*((name, 20_000) for name in RULES), ("strength", 5)])
def test_h3_n5_a_consolidation_does_what_the_rules_say(
    database_factory: DatabaseFactory, rules: str, bulk_rows: int
) -> None:
    with world(database_factory(1_024, 256), seed=list(RULES).index(rules)) as w:
        for collection in COLLECTIONS[1:]:
            w.do("select mnemo.create_collection(%s)", collection)
        # Batches of an odd size: what a consolidation does must not depend on where one ends.
        w.do(
            "select mnemo.configure(jsonb_build_object('move_batch_rows', 13, 'bulk_move_rows', %s::int,"
            " 'bulk_move_most', 30, 'sealed_segments_most', 1, 'segment_rows', 60))",
            bulk_rows,
        )
        w.remember(drafts(w.rng, 200))
        later = list(RULES[rules])
        for turn in range(21):
            if turn % 2 == 0 and later:
                w.add(later.pop(0))
            if turn == 15:
                w.do('select mnemo.configure(\'{"half_life_days": 11, "warm_threshold": 0.25}\')')
                w.model.half_life, w.model.leaves_below["warm"] = 11 * DAY, 0.25
            if turn == 18:
                for policy in RULES[rules][:2]:
                    w.remove(policy.name)
            happen(w)
            w.pass_time(w.rng.choice([0, HOUR // 2, HOUR, 7 * HOUR, 2 * DAY, 9 * DAY]))
            w.consolidate()
            w.compare()
            w.expire()
            w.compare()
        assert {m.tier for m in w.model.memories.values()} == set(PLACE)
        check_invariants(w.connection)


def test_h3_a_memory_used_a_thousand_times_at_once(small_world: World) -> None:
    """Neither many accesses nor extreme settings overflow; strength stays in 0 to 1."""
    w = small_world
    for potentiation in (1e-6, 0.1, 0.9, 1.0):
        w.do("select mnemo.configure(jsonb_build_object('potentiation', %s::float8))", potentiation)
        w.model.potentiation = potentiation
        ids = w.remember([Draft("x", vector(w.rng), importance=born) for born in (0, 1e-13, 0.5, 1)])
        for span in (0, 1, HOUR, 400 * DAY):
            w.recalled([ids] * 250)
            w.pass_time(span)
        w.consolidate()
        for memory, strength in w.connection.execute("select id, ltp from mnemo.activity"):
            assert strength == pytest.approx(w.model.memories[memory].ltp, rel=1e-5)
            assert 0 <= strength <= 1
