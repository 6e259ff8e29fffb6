"""Random histories of a tenant with quotas: counters and refusals as a model in plain Python has them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

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

from tests.conftest import Connection, DatabaseFactory
from tests.quotas import archiving
from tests.quotas.archiving import value
from tests.quotas.conftest import BITS
from tests.support.invariants import check_invariants
from tests.support.memories import Draft, bulk_load, stage

_START = datetime(2030, 1, 1, tzinfo=UTC)
_TENANTS = count()
_SEEDS = count()

texts = st.text("aé漢 ", max_size=6).map(lambda text: text + "x")
keys = st.none() | st.sampled_from(["k", "key", "clé"])
attributes = st.dictionaries(
    st.sampled_from(["n", "name", "ü"]), st.integers(0, 200) | st.text("aé", max_size=3), max_size=2
)
limits = st.none() | st.integers(0, 8)


@dataclass(frozen=True)
class Stored:
    """A memory as the model has it."""

    content: str
    key: str | None
    context: str | None
    attributes: dict[str, Any]
    embedding: bytes | None
    archived: bool = False

    @property
    def bytes(self) -> int:
        said = [
            self.content,
            self.key or "",
            self.context or "",
            json.dumps(self.attributes, ensure_ascii=False),
        ]
        return BITS // 8 + sum(len(text.encode()) for text in said) + len(self.embedding or b"")


drafts = st.lists(
    st.builds(Stored, texts, keys, st.none() | texts, attributes, st.none() | st.just(b"abcd")),
    min_size=1,
    max_size=4,
)


@dataclass
class Limits:
    """A quota, with its bucket of tokens as text books have it."""

    memories: int | None
    bytes: int | None
    writes: int | None
    tokens: Fraction
    at: int

    def left(self, now: int) -> Fraction:
        assert self.writes is not None
        return min(Fraction(self.writes), self.tokens + Fraction((now - self.at) * self.writes, 60))


class Quotas(RuleBasedStateMachine):
    """One tenant of its own a run, in a database shared by all."""

    connection: ClassVar[Connection]

    def __init__(self) -> None:
        super().__init__()
        self.tenant = f"tenant {next(_TENANTS)}"
        self.there: dict[UUID, Stored] = {}
        self.limits: Limits | None = None
        self.now = 0
        self.archives = 0

    @initialize()
    def begin(self) -> None:
        self.connection.execute("select set_config('mnemo.tenant', %s, false)", [self.tenant])
        self.tick(0)

    @rule(seconds=st.integers(0, 100))
    def tick(self, seconds: int) -> None:
        self.now += seconds
        clock = _START + timedelta(seconds=self.now)
        self.connection.execute("select set_config('mnemo.clock', %s, false)", [clock.isoformat()])

    def used(self) -> tuple[int, int]:
        return len(self.there), sum(stored.bytes for stored in self.there.values())

    def allowed(self, after: dict[UUID, Stored], writes: int) -> bool:
        """Whether the quota lets the tenant go from what is there to that."""
        if (limits := self.limits) is None:
            return True
        memories, octets = len(after), sum(stored.bytes for stored in after.values())
        return not (
            (limits.writes is not None and writes > limits.left(self.now))
            or (limits.memories is not None and memories > max(limits.memories, self.used()[0]))
            or (limits.bytes is not None and octets > max(limits.bytes, self.used()[1]))
        )

    @contextmanager
    def attempt(self, *, writes: int, allowed: bool) -> Iterator[None]:
        """Expect that the body is refused, or not."""
        if not allowed:
            with pytest.raises(psycopg.Error) as refused:
                yield
            assert refused.value.sqlstate == "MN016"
            return
        yield
        if self.limits is not None and self.limits.writes is not None:
            self.limits.tokens, self.limits.at = self.limits.left(self.now) - writes, self.now

    def planned(self, batch: list[Stored]) -> dict[UUID, Stored]:
        """What is there after a batch; new memories have ids of the model's own."""
        after = dict(self.there)
        for draft in batch:
            known = [i for i, stored in after.items() if draft.key is not None and stored.key == draft.key]
            after[known[0] if known else UUID(int=next(_SEEDS))] = draft
        return after

    def write(self, batch: list[Stored], *, undo: bool = False, bulk: bool = False) -> None:
        rng = np.random.default_rng(next(_SEEDS))
        after = self.planned(batch)
        rows = [
            Draft(
                d.content, rng.integers(0, 256, BITS // 8, np.uint8), d.embedding, context=d.context,
                attributes=d.attributes, key=d.key, collection="small", tier="hot" if bulk else "warm",
            )
            for d in batch
        ]  # fmt: skip
        ids: list[UUID] = []
        with self.attempt(writes=0 if undo else len(batch), allowed=self.allowed(after, len(batch))):
            if bulk:
                ids = bulk_load(self.connection, rows, "hot")
            else:
                with self.connection.transaction(force_rollback=undo):
                    stage(self.connection, rows)
                    ids = value(self.connection, "select mnemo.remember_staged()")
        if ids and not undo:
            written = dict(zip(ids, batch, strict=True))
            self.there = {i: s for i, s in self.there.items() if i not in written} | written

    @rule(batch=drafts)
    def remember(self, batch: list[Stored]) -> None:
        self.write(batch)

    @rule(batch=drafts)
    def remember_and_roll_back(self, batch: list[Stored]) -> None:
        self.write(batch, undo=True)

    @precondition(lambda self: self.archives < 2)
    @rule(batch=drafts)
    def load(self, batch: list[Stored]) -> None:
        """Nothing is ever in the hot tier but between two steps."""
        self.archives += 1
        self.write(batch, bulk=True)
        self.connection.execute(
            "select mnemo.demote(array(select id from mnemo.activity where tier = 'hot'), 'warm')"
        )

    @precondition(lambda self: self.there)
    @rule(data=st.data(), new=attributes)
    def set_attributes(self, data: st.DataObject, new: dict[str, Any]) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.there)))
        changed = self.there[chosen].attributes != new
        after = self.there | {chosen: replace(self.there[chosen], attributes=new)}
        with self.attempt(writes=int(changed), allowed=self.allowed(after, int(changed))):
            self.connection.execute("select mnemo.set_attributes(%s, %s)", [chosen, json.dumps(new)])
            self.there = after

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.there)), min_size=1, max_size=3))
        done = value(self.connection, "select mnemo.forget_many(%s)", [*gone, UUID(int=0)])
        assert done == len(set(gone))
        self.there = {i: s for i, s in self.there.items() if i not in gone}

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.there)), max_size=3))
        due = "set expires_at = mnemo.now() where id = any (%s)"
        for table in ("activity", "archived_memory"):
            self.connection.execute(f"update mnemo.{table} {due}".encode(), [gone])
        while value(self.connection, "select mnemo.expire_step()"):
            pass
        self.there = {i: s for i, s in self.there.items() if i not in gone}

    @precondition(lambda self: self.archives < 2 and any(not s.archived for s in self.there.values()))
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        here = sorted(i for i, stored in self.there.items() if not stored.archived)
        gone = data.draw(st.lists(st.sampled_from(here), min_size=1, unique=True))
        self.archives += 1
        assert archiving.archive(self.connection, gone) == len(gone)
        self.there |= {i: replace(self.there[i], archived=True) for i in gone}

    @precondition(lambda self: any(s.archived for s in self.there.values()))
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        away = sorted(i for i, stored in self.there.items() if stored.archived)
        back = data.draw(st.lists(st.sampled_from(away), min_size=1, unique=True))
        assert set(archiving.restore(self.connection, back)) == set(back)
        self.there |= {i: replace(self.there[i], archived=False) for i in back}

    @rule(memories=limits, kilobytes=limits, writes=st.sampled_from([None, None, 0, 3, 6, 60]))
    def set_quota(self, memories: int | None, kilobytes: int | None, writes: int | None) -> None:
        octets = None if kilobytes is None else 200 * kilobytes
        query = "select mnemo.set_quota(%s, memories => %s, bytes => %s, writes_per_minute => %s)"
        # Another rate measures the same bucket: a new row begins with a full one.
        self.connection.execute("select mnemo.remove_quota(%s)", [self.tenant])
        self.connection.execute(query, [self.tenant, memories, octets, writes])
        self.limits = Limits(memories, octets, writes, Fraction(writes or 0), self.now)

    @rule()
    def remove_quota(self) -> None:
        assert value(self.connection, "select mnemo.remove_quota(%s)", self.tenant) == (
            self.limits is not None
        )
        self.limits = None

    @invariant()
    def counters_are_true(self) -> None:
        usage = self.connection.execute(
            "select memories, bytes, memories_limit, bytes_limit, writes_per_minute, writes_left"
            " from mnemo.tenant_usage where tenant = %s",
            [self.tenant],
        ).fetchone()
        if (limits := self.limits) is None:
            assert usage is None
            return
        left = None if limits.writes is None else int(limits.left(self.now))
        assert usage == (*self.used(), limits.memories, limits.bytes, limits.writes, left)
        assert self.connection.execute("select * from mnemo.recount_usage(%s)", [self.tenant]).fetchone() == (
            0,
            0,
        )

    def teardown(self) -> None:
        value(self.connection, "select mnemo.forget_many(%s)", list(self.there))
        check_invariants(self.connection)
        assert value(self.connection, "select count(*) from mnemo.activity") == 0


@pytest.mark.slow
def test_counters_and_refusals_are_those_of_the_model(database_factory: DatabaseFactory) -> None:
    with psycopg.connect(database_factory(BITS, 256), autocommit=True) as connection:
        archiving.prepare(connection)
        connection.execute("select mnemo.create_collection('small', 4)")
        Quotas.connection = connection
        run_state_machine_as_test(
            Quotas,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
