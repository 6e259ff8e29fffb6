"""H2, H3, H5, X6: whatever is done, rolled back or cut off, the database is what the model says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, LiteralString
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import DatabaseFactory
from tests.lifecycle.model import DAY, HOUR, PLACE, Policy
from tests.lifecycle.world import Connection, World, vector
from tests.support.invariants import check_invariants
from tests.support.memories import Vectors, bit_text, brute_force

RULES = (
    Policy("facts-idle", "tier", "hot", "warm", "facts", "idle", after=5 * HOUR, stay=0),
    Policy("facts-used", "promotion", "warm", "hot", "facts", "accesses", accesses=2, stay=HOUR),
    Policy("memories-few", "eviction", "hot", "warm", "memories", "lru", capacity=4, stay=0),
    Policy("facts-old", "ttl", collection="facts", after=20 * DAY),
    Policy("cold-old", "ttl", tier="cold", after=10 * DAY),
)
TABLES = "memory, activity, memory_key, access_log, accessed, access_daily, move_log"

collections = st.sampled_from(["memories", "facts"])
tiers = st.sampled_from(list(PLACE))
keys = st.none() | st.sampled_from(["a", "b", "c"])
numbers = st.integers(0, 7)
attributes = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 3))
importances = st.sampled_from([0.0, 0.3, 0.7, 0.8, 1.0])
spans = st.sampled_from([1, 20 * 60 * 1_000_000, HOUR, 5 * HOUR, 2 * DAY, 11 * DAY])
statements = st.lists(
    st.sampled_from([
        "remember", "rewrite", "forget", "pin", "reinforce", "move", "attributes", "recall", "consolidate",
        "expire",
    ]),
    min_size=1, max_size=3,
)  # fmt: skip


@dataclass
class Content:
    """What a memory says."""

    collection: str
    key: str | None
    content: str
    attributes: dict[str, int]
    number: int


def vector_of(number: int) -> Vectors:
    return vector(Random(number))


def spelled(number: int) -> str:
    return "".join(str(bit) for bit in np.unpackbits(vector_of(number)))


class Machine(RuleBasedStateMachine):
    """The rules; the database is emptied before each run."""

    dsn: str
    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.connection.execute(f"truncate {', '.join(f'mnemo.{t}' for t in TABLES.split(', '))}".encode())
        self.w = World(self.connection)
        for policy in RULES:
            self.w.model.add(policy)
        self.contents: dict[UUID, Content] = {}

    def pick(self, number: int) -> UUID:
        """Choose one of the memories there are; an unknown id where there is none."""
        known = list(self.contents)
        return known[number % len(known)] if known else uuid4()

    @initialize(number=numbers)
    def begin(self, number: int) -> None:
        for n in range(6):
            self.remember("facts" if n % 2 else "memories", None, number + n, {}, 0.8, "hot", pinned=False)

    @rule(
        collection=collections,
        key=keys,
        number=numbers,
        attributes=attributes,
        importance=importances,
        tier=tiers,
        pinned=st.booleans(),
    )
    def remember(
        self, collection: str, key: str | None, number: int, attributes: dict[str, int], importance: float,
        tier: str, *, pinned: bool,
    ) -> None:  # fmt: skip
        found: UUID = self.w.do(
            "select mnemo.remember(%s, %s::varbit, attributes => %s, key => %s, collection => %s,"
            " importance => %s, tier => %s, pinned => %s)",
            f"content {number}", bit_text(vector_of(number)), json.dumps(attributes), key, collection,
            importance, tier, pinned,
        )  # fmt: skip
        there = [
            m
            for m, c in self.contents.items()
            if key is not None and (c.collection, c.key) == (collection, key)
        ]
        assert [found] == there or (not there and found not in self.contents)
        self.contents[found] = Content(collection, key, f"content {number}", attributes, number)
        self.w.model.remember(found, collection, tier, importance, pinned)

    @rule(number=numbers, collection=collections, k=st.integers(1, 4))
    def recall(self, number: int, collection: str, k: int) -> None:
        mine = {m: c for m, c in self.contents.items() if c.collection == collection}
        hits = self.w.connection.execute(
            "select distance, memory_id, key, content, attributes, tier"
            " from mnemo.recall(%s::varbit, %s, %s, exact => true)",
            [bit_text(vector_of(number)), k, collection],
        ).fetchall()
        near = []
        if mine:
            stored = [vector_of(c.number) for c in mine.values()]
            near = brute_force(vector_of(number), np.stack(stored), list(mine), k)
        assert hits == [
            (d, m, mine[m].key, mine[m].content, mine[m].attributes, self.w.model.memories[m].tier)
            for d, m in near
        ]
        if near:
            self.w.model.recalled([m for _, m in near])

    @rule(n=numbers)
    def forget(self, n: int) -> None:
        memory = self.pick(n)
        assert self.w.do("select mnemo.forget(%s)", memory) == (memory in self.contents)
        assert self.w.do("select mnemo.forget(%s)", memory) is False
        if self.contents.pop(memory, None):
            self.w.model.forget(memory)

    @precondition(lambda self: self.contents)
    @rule(n=numbers, pinned=st.booleans())
    def pin(self, n: int, *, pinned: bool) -> None:
        memory = self.pick(n)
        self.w.do("select mnemo.pin(%s, %s)", memory, pinned)
        self.w.model.memories[memory].pinned = pinned

    @precondition(lambda self: self.contents)
    @rule(n=numbers)
    def reinforce(self, n: int) -> None:
        memory = self.pick(n)
        self.w.model.reinforce(memory)
        assert self.w.do("select mnemo.reinforce(%s)", memory) == self.w.model.memories[memory].ltp

    @precondition(lambda self: self.contents)
    @rule(n=numbers, tier=tiers)
    def move(self, n: int, tier: str) -> None:
        ids = [self.pick(n), self.pick(n + 1)]
        places = [PLACE[self.w.model.memories[memory].tier] for memory in ids]
        if max(places) <= PLACE[tier]:
            self.w.do("select mnemo.demote(%s, %s)", ids, tier)
        elif min(places) >= PLACE[tier]:
            self.w.do("select mnemo.promote(%s, %s)", ids, tier)
        else:
            for direction in ("demote", "promote"):
                with pytest.raises(psycopg.Error, match=f"cannot {direction} memory"):
                    self.w.connection.execute(f"select mnemo.{direction}(%s, %s)".encode(), [ids, tier])
            return
        self.w.model.move(ids, tier)

    @precondition(lambda self: self.contents)
    @rule(n=numbers, attributes=attributes)
    def set_attributes(self, n: int, attributes: dict[str, int]) -> None:
        memory = self.pick(n)
        self.w.do("select mnemo.set_attributes(%s, %s)", memory, json.dumps(attributes))
        self.contents[memory].attributes = attributes

    @rule(n=numbers)
    def a_stranger_reaches_nothing(self, n: int) -> None:
        memory = self.pick(n)
        self.w.do("set mnemo.tenant = 'stranger'")
        assert self.w.do("select mnemo.forget(%s)", memory) is False
        calls: list[LiteralString] = [
            "pin(%s)",
            "reinforce(%s)",
            "set_attributes(%s, '{}')",
            "demote(array[%s], 'cold')",
        ]
        for call in calls:
            with pytest.raises(psycopg.Error, match=f"unknown memory {memory}"):
                self.w.do("select mnemo." + call, memory)
        self.w.do("reset mnemo.tenant")

    @rule(span=spans)
    def time_passes(self, span: int) -> None:
        self.w.pass_time(span)

    @rule(span=spans)
    def consolidate(self, span: int) -> None:
        self.w.pass_time(span)
        self.w.consolidate()

    @rule()
    def expire(self) -> None:
        self.w.expire()
        self.contents = {m: c for m, c in self.contents.items() if m in self.w.model.memories}

    @rule(doing=statements, n=numbers)
    def a_rollback_undoes(self, doing: list[str], n: int) -> None:
        with self.other() as other:
            self.interfere(other, doing, n)
            other.rollback()

    @rule(doing=statements, n=numbers)
    def a_cut_connection_leaves_nothing(self, doing: list[str], n: int) -> None:
        with self.other() as other:
            self.interfere(other, doing, n)
            self.cut(other)

    @rule(span=spans, steps=st.integers(0, 3))
    def a_consolidation_is_cut_off_and_goes_on(self, span: int, steps: int) -> None:
        self.w.pass_time(span)
        with self.other() as other:
            for _ in range(steps):
                other.execute("select mnemo.consolidate_step()")
                other.commit()
            other.execute("select mnemo.consolidate_step()")
            self.cut(other)
        check_invariants(self.connection)
        self.w.consolidate()

    @contextmanager
    def other(self) -> Iterator[Connection]:
        """Yield another session, at the same time of day."""
        now = self.w.do("select mnemo.now()::text")
        opened = psycopg.connect(self.dsn, options="-c timezone=UTC")
        try:
            opened.execute("select set_config('mnemo.clock', %s, false)", [now])
            opened.commit()
            yield opened
        finally:
            opened.close()

    def cut(self, other: Connection) -> None:
        """End a session from outside, and wait until it is gone."""
        assert self.w.do("select pg_terminate_backend(%s, 60000)", other.info.backend_pid)

    def interfere(self, other: Connection, doing: list[str], n: int) -> None:
        """Do things that nothing must remain of."""
        memory, number = self.pick(n), bit_text(vector_of(n + 1))
        calls: dict[str, tuple[LiteralString, list[Any]]] = {
            "remember": ("mnemo.remember('lost', %s::varbit)", [number]),
            "rewrite": ("mnemo.remember('lost', %s::varbit, key => 'a', tier => 'cold')", [number]),
            "forget": ("mnemo.forget(%s)", [memory]),
            "pin": ("mnemo.pin(id) from mnemo.memories where id = %s", [memory]),
            "reinforce": ("mnemo.reinforce(id) from mnemo.memories where id = %s", [memory]),
            "move": (
                "mnemo.move_memories(array_agg(id), 'cold') from mnemo.memories where id <> %s",
                [memory],
            ),
            "attributes": ("mnemo.set_attributes(id, '{}') from mnemo.memories where id = %s", [memory]),
            "recall": ("count(*) from mnemo.recall(%s::varbit)", [number]),
            "consolidate": ("mnemo.consolidate_step()", []),
            "expire": ("mnemo.expire_step()", []),
        }
        for what in doing:
            query, arguments = calls[what]
            other.execute("select " + query, arguments)

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        check_invariants(self.connection)
        self.w.compare()
        stored = self.connection.execute(
            "select id, collection, key, content, attributes, hdv::text from mnemo.memories"
        ).fetchall()
        expected = [
            (memory, c.collection, c.key, c.content, c.attributes, spelled(c.number))
            for memory, c in self.contents.items()
        ]
        assert sorted(stored) == sorted(expected)


def test_x6_whatever_is_done_the_database_is_what_the_model_says(database_factory: DatabaseFactory) -> None:
    Machine.dsn = database_factory(1_024, 256)
    with psycopg.connect(Machine.dsn, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute("select mnemo.create_collection('facts')")
        # Small batches, and partitions for four memories: a consolidation has many steps to be cut in.
        steps = {"move_batch_rows": 2, "bulk_move_rows": 4, "sealed_segments_most": 1}
        connection.execute("select mnemo.configure(%s)", [json.dumps(steps)])
        setting_up = World(connection)
        for policy in RULES:
            setting_up.add(policy)
        setting_up.consolidate()
        Machine.connection = connection
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=10, stateful_step_count=22, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
