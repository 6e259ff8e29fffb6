"""inference.predict brings what a context will need to the hot tier (H5)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import Connection, DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.memories import Draft, Vectors, bit_text, remember_all

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
BITS = 1_024


class Store:
    """Four memories of context "task" of two tenants, used together: hot, warm, cold, and warm but pinned."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.vectors: Vectors = np.random.default_rng(3).integers(0, 256, (5, BITS // 8), np.uint8)
        self.ids = {tenant: self._remember(tenant) for tenant in ("default", "other")}

    def _remember(self, tenant: str) -> list[UUID]:
        self._as(tenant)
        tiers = ["hot", "warm", "cold", "warm", "cold"]
        drafts = [
            Draft(f"m{n}", vector, context="task", tier=tier, pinned=n == 3)
            for n, (vector, tier) in enumerate(zip(self.vectors, tiers, strict=True))
        ]
        ids = remember_all(self.connection, drafts)
        self.connection.execute(
            "insert into mnemo.access_log (at, memory_ids, tenant, context)"
            " values (mnemo.now(), %s, %s, 'task')",
            [ids[:4], tenant],
        )
        self.connection.execute("select mnemo.fold_accesses()")
        self._as("default")
        return ids

    def _as(self, tenant: str) -> None:
        self.connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])

    def publish(self, tenant: str = "default", context: str | None = "task", **payload: object) -> None:
        self._as(tenant)
        self.connection.execute(
            "select mnemo.publish('inference.predict', %s, %s)", [Jsonb(payload), context]
        )
        self._as("default")

    def step(self) -> int:
        row = self.connection.execute("select mnemo.predict_step()").fetchone()
        assert row is not None
        return int(row[0])

    def work_off(self) -> int:
        """Run steps until there is nothing left; return how many events that took."""
        done = 0
        while work := self.step():
            done += work
        return done

    def tiers(self, tenant: str = "default") -> list[str]:
        rows: dict[UUID, str] = dict(
            self.connection.execute("select id, tier from mnemo.activity").fetchall()
        )
        return [rows[one] for one in self.ids[tenant]]


@pytest.fixture
def store(database_factory: DatabaseFactory) -> Iterator[Store]:
    with psycopg.connect(database_factory(BITS, 256), autocommit=True) as opened:
        opened.execute("select set_config('mnemo.clock', %s, false)", [NOW.isoformat()])
        yield Store(opened)
        check_invariants(opened)


def test_h5_what_is_predicted_becomes_hot_of_this_tenant_and_unless_pinned(store: Store) -> None:
    assert store.work_off() == 0
    store.publish(window=600)
    assert store.work_off() == 1
    assert store.tiers() == ["hot", "hot", "hot", "warm", "cold"]
    assert store.tiers("other") == ["hot", "warm", "cold", "warm", "cold"]
    log = store.connection.execute(
        "select memory_id, tenant, from_tier, to_tier, policy, reason from mnemo.move_log"
    ).fetchall()
    assert set(log) == {
        (store.ids["default"][1], "default", "warm", "hot", None, "predicted"),
        (store.ids["default"][2], "default", "cold", "hot", None, "predicted"),
    }
    store.publish("other", window=600, k=1)
    store.publish("other", window=600, k=100)
    assert store.work_off() == 2
    assert store.tiers("other") == ["hot", "hot", "hot", "warm", "cold"]
    assert store.connection.execute("select mnemo.tenant()").fetchone() == ("default",)


def test_h5_a_hypervector_names_more_to_fetch(store: Store) -> None:
    store.publish(context="nobody's", hdv=bit_text(store.vectors[4]))
    assert store.work_off() == 1
    assert store.tiers()[4] == "cold", "another context's"
    store.publish(hdv=bit_text(store.vectors[4]), k=1)
    assert store.work_off() == 1
    assert store.tiers()[4] == "hot"


def test_h5_a_poisoned_event_is_tried_again_and_in_the_end_a_dead_letter(store: Store) -> None:
    store.publish(window="soon")
    store.publish("other", window=-5)
    store.publish("other", context="elsewhere", window=600)
    assert store.work_off() == 3
    connection = store.connection
    for minutes in range(1, 60):
        connection.execute("select set_config('mnemo.clock', %s, false)", [f"2031-05-01 12:{minutes:02}+00"])
        store.work_off()
    dead = connection.execute("select tenant, attempts, error from mnemo.dead_letter order by 1").fetchall()
    assert [(tenant, attempts) for tenant, attempts, _ in dead] == [("default", 5), ("other", 5)]
    assert 'invalid input syntax for type double precision: "soon"' in dead[0][2]
    assert "window must be positive" in dead[1][2]
    assert store.tiers() == ["hot", "warm", "cold", "warm", "cold"]


def test_h5_events_of_many_contexts_are_done_once(store: Store) -> None:
    for n in range(40):
        store.publish(context=f"context {n}")
    assert store.work_off() == 40
    lag = "select backlog, leased, parked, dead from mnemo.bus_lag where subscription = 'mnemo.prefetch'"
    assert store.connection.execute(lag).fetchone() == (0, 0, 0, 0)


def test_h5_prefetch_by_hand(store: Store) -> None:
    call = "select mnemo.prefetch('task', 10)"
    assert store.connection.execute(call).fetchone() == (2,)
    assert store.connection.execute(call).fetchone() == (0,)
    assert store.connection.execute("select mnemo.prefetch('nobody''s')").fetchone() == (0,)


def test_h5_the_worker_does_it(store: Store) -> None:
    """The job is there, enabled, with every installation."""
    store.publish(window=600)
    connection = store.connection
    connection.execute("update mnemo.job set next_run_at = 'infinity' where name <> 'predict'")
    connection.execute("update mnemo.job set next_run_at = '2031-01-01' where name = 'predict'")
    connection.execute("call mnemo.run_due_jobs()")
    assert store.tiers() == ["hot", "hot", "hot", "warm", "cold"]
    assert connection.execute("select state, work from mnemo.job_run where job = 'predict'").fetchone() == (
        "succeeded",
        1,
    )
