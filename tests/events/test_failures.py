"""Events that fail: parked with their context, tried again later, dead in the end; consumers that die."""

from typing import Any

import psycopg
import pytest

from tests.events.conftest import Batch, Bus, Buses
from tests.support.locks import sessions

LEASE_S = 30


def claimed(bus: Bus, most: int = 100) -> Batch:
    """Return a batch; there must be one."""
    batch = bus.claim(most)
    assert batch is not None
    return batch


def contexts_of_one_lane(bus: Bus, count: int) -> list[str]:
    """Return names of contexts that share a lane."""
    return [
        row.context
        for row in bus.rows(
            "select 'c' || n as context from generate_series(1, 10000) n"
            " where mnemo.event_lane('default', 'c' || n, null, 0) = 5 limit %s",
            count,
        )
    ]


def test_a_failed_event_holds_up_its_context_only(bus: Bus) -> None:
    a, b = contexts_of_one_lane(bus, 2)
    for n in range(3):
        bus.publish(f"a{n}", a)
        bus.publish(f"b{n}", b)
    batch = claimed(bus)
    assert batch.payloads == ["a0", "b0", "a1", "b1", "a2", "b2"]
    a0, b0, *_ = batch.seqs
    bus.complete(batch, done=[b0, batch.seqs[3], batch.seqs[5]], failed={a0: "no"})
    bus.publish("a3", a)
    bus.publish("b3", b)
    assert bus.drain() == ["b3"]
    assert bus.lag()[2:] == (0, 0, 0, 4, 0)
    bus.at(0.9)
    assert bus.claim() is None
    bus.at(1)
    batch = claimed(bus)
    assert [(event.payload, event.attempt) for event in batch.events] == [
        ("a0", 2), ("a1", 1), ("a2", 1), ("a3", 1),
    ]  # fmt: skip
    bus.complete(batch)
    assert bus.drain() == []
    assert bus.lag()[2:] == (0, None, 0, 0, 0)


def test_events_without_context_fail_alone(bus: Bus) -> None:
    first, *rest = (bus.publish(n, None) for n in range(65))
    while (batch := bus.claim()) is not None:
        if first in batch.seqs:
            lane = next(event.lane for event in batch.events if event.seq == first)
            assert [e.seq for e in batch.events if e.lane == lane] == [first, rest[-1]]
            bus.complete(batch, [seq for seq in batch.seqs if seq != first], {first: "no"})
        else:
            bus.complete(batch)
    assert bus.lag()[2:] == (0, 0, 0, 1, 0)


def test_attempts_wait_longer_and_longer_and_then_the_event_is_dead(bus: Bus) -> None:
    bus.subscribe(max_attempts=4, backoff="2 s")
    seq = bus.publish({"poison": True})
    bus.publish("next")
    batch = claimed(bus)
    bus.complete(batch, [], {seq: "first"})
    now = 0.0
    for wait, attempt in ((2, 2), (4, 3), (8, 4)):
        bus.at(now + wait - 0.001)
        assert bus.claim() is None
        now += wait
        bus.at(now)
        batch = claimed(bus)
        assert [event.attempt for event in batch.events] == [attempt, 1]
        bus.complete(batch, [], {seq: f"attempt {attempt}"})
    assert bus.drain() == ["next"]
    (dead,) = bus.rows("select * from mnemo.dead_letters")
    assert (dead.subscription, dead.seq, dead.payload, dead.attempts, dead.error, dead.context) == (
        "g", seq, {"poison": True}, 4, "attempt 4", "c",
    )  # fmt: skip
    assert bus.lag().dead == 1

    assert bus.value("select mnemo.replay_dead_letters('g', array[%s])", dead.id + 1) == 0
    assert bus.value("select mnemo.replay_dead_letters('g')") == 1
    assert bus.lag()[5:] == (1, 0)
    bus.publish("later")
    batch = claimed(bus)
    assert [(event.payload, event.attempt) for event in batch.events] == [
        ({"poison": True}, 1), ("later", 1),
    ]  # fmt: skip
    for _ in range(4):
        bus.complete(batch, [], {seq: "still"})
        now += 100
        bus.at(now)
        batch = claimed(bus)
    assert batch.payloads == ["later"]
    bus.complete(batch)
    assert bus.value("select mnemo.discard_dead_letters('g', '{}')") == 0
    assert bus.value("select mnemo.discard_dead_letters('g')") == 1
    assert bus.lag().dead == 0


def test_one_attempt_only(bus: Bus) -> None:
    bus.subscribe(max_attempts=1)
    seq = bus.publish(0)
    bus.publish(1)
    bus.complete(claimed(bus), [], {seq: "no"})
    assert bus.drain() == [1]
    assert bus.lag().dead == 1


def test_what_was_not_worked_on_is_delivered_again(bus: Bus) -> None:
    for n in range(6):
        bus.publish(n)
    batch = claimed(bus, 4)
    bus.complete(batch, batch.seqs[:2])
    batch = claimed(bus, 3)
    assert batch.payloads == [2, 3, 4]
    bus.complete(batch, batch.seqs[:1], keep=True)
    assert bus.claim() is None
    assert bus.lag().leased == 1
    bus.complete(batch, batch.seqs[1:])
    assert bus.drain() == [5]


def test_a_lease_ends_and_others_get_the_events(bus: Bus, buses: Buses) -> None:
    for n in range(5):
        bus.publish(n)
    lost = claimed(bus)
    other = buses.open()
    other.at(LEASE_S - 0.001)
    assert other.claim() is None
    other.at(LEASE_S)
    # One by one, since one of them may have killed the consumer; together again after that.
    got: list[Any] = []
    for _ in range(5):
        batch = claimed(other)
        got += batch.payloads
        assert len(batch.events) == 1
        with pytest.raises(psycopg.Error, match="not leased") as stale:
            bus.complete(lost)
        assert stale.value.sqlstate == "MN012"
        other.complete(batch)
    assert got == [0, 1, 2, 3, 4]
    other.publish(5)
    other.publish(6)
    assert len(claimed(other).events) == 2


def test_a_late_consumer_keeps_its_lease_while_nobody_else_wants_it(bus: Bus) -> None:
    bus.publish(0)
    batch = claimed(bus)
    bus.at(10 * LEASE_S)
    bus.complete(batch)
    assert bus.drain() == []


def test_progress_renews_a_lease(bus: Bus) -> None:
    for n in range(3):
        bus.publish(n)
    batch = claimed(bus)
    for n in range(2):
        bus.at(20 * (n + 1))
        bus.complete(batch, [batch.seqs[n]], keep=True)
        assert bus.claim() is None
    bus.complete(batch, batch.seqs[2:])
    assert bus.drain() == []


@pytest.mark.parametrize("place", [0, 2, 4])
def test_an_event_that_kills_its_consumers_ends_as_a_dead_letter(bus: Bus, place: int) -> None:
    bus.subscribe(max_attempts=3)
    a, b = contexts_of_one_lane(bus, 2)
    poison = f"a{place}"
    for n in range(5):
        bus.publish(f"a{n}", a)
        bus.publish(f"b{n}", b)
    done: list[str] = []
    deaths, now = 0, 0
    while bus.lag()[2] or bus.lag().parked:
        batch = bus.claim()
        if batch is None:
            now += 1
        elif poison in batch.payloads:
            deaths += 1
            now += LEASE_S
        else:
            done += batch.payloads
            bus.complete(batch)
        bus.at(now)
    # Once with others, then as many times as it may be tried.
    assert deaths == 4
    assert sorted(done) == sorted(f"{c}{n}" for c in "ab" for n in range(5) if f"{c}{n}" != poison)
    for context in "ab":
        assert [d for d in done if d[0] == context] == sorted(d for d in done if d[0] == context)
    (dead,) = bus.rows("select * from mnemo.dead_letters")
    assert (dead.payload, dead.attempts) == (poison, 3)
    assert "died" in dead.error


def test_parked_events_do_not_need_the_log(bus: Bus) -> None:
    seq = bus.publish("a")
    bus.publish("b")
    bus.complete(claimed(bus), [], {seq: "no"})
    bus.connection.execute("truncate mnemo.event")
    bus.at(1)
    assert bus.drain() == ["a", "b"]


def test_what_is_parked_ahead_of_the_log_comes_once(bus: Bus) -> None:
    a, b = contexts_of_one_lane(bus, 2)
    for payload, context in (("a0", a), ("b0", b), ("a1", a)):
        bus.publish(payload, context)
    batch = claimed(bus)
    # a1 is parked behind a0, and the log is still at b0, which nobody settled.
    bus.complete(batch, done=[], failed={batch.seqs[0]: "no"})
    bus.at(1)
    got = bus.drain(most=2)
    assert sorted(got) == ["a0", "a1", "b0"]
    assert got.index("a0") < got.index("a1")
    assert bus.lag()[2:] == (0, None, 0, 0, 0)


def test_only_leased_events_can_be_settled(bus: Bus) -> None:
    a, b = contexts_of_one_lane(bus, 2)
    seqs = [bus.publish(n, a) for n in range(3)]
    elsewhere = bus.publish("elsewhere", "another lane")
    batch = claimed(bus)
    lane, lease = next((e.lane, e.lease) for e in batch.events if e.seq == seqs[0])
    later = bus.publish("later", b)
    before = bus.rows("select * from mnemo.event_cursor order by lane")
    for done, failed in (
        ([seqs[0]] * 3, []),
        ([*seqs[:2], elsewhere], []),
        ([*seqs[:2], later], []),
        ([*seqs, None], []),
        (seqs[:1], seqs[:1]),
        ([], [later]),
    ):
        with pytest.raises(psycopg.Error) as caught:
            bus.value(
                "select mnemo.complete_events('g', %s, %s, %s::bigint[], %s::bigint[])",
                lane, lease, done, failed,
            )  # fmt: skip
        assert caught.value.sqlstate == "MN002"
    assert bus.rows("select * from mnemo.event_cursor order by lane") == before
    bus.value("select mnemo.complete_events('g', %s, %s, null)", lane, lease)
    assert {"elsewhere", *map(str, bus.drain())} == {"0", "1", "2", "later", "elsewhere"}


@pytest.mark.parametrize("option", ["visibility", "backoff"])
def test_no_lease_ends_after_the_end_of_time(bus: Bus, option: str) -> None:
    for span in ("290000 years", "infinity", "1201 months"):
        with pytest.raises(psycopg.Error, match="at most 100 years") as caught:
            bus.subscribe("far", **{option: span})
        assert caught.value.sqlstate == "MN002"


def test_a_subscription_that_ends_waits_for_who_settles(bus: Bus) -> None:
    bus.publish("it", "c")
    event = claimed(bus).events[0]
    with sessions(bus.dsn) as (a, b):
        a.run("select lane from mnemo.event_cursor where lane = %s for update", event.lane)
        ended = b.start("select mnemo.unsubscribe('g')")
        a.run(
            "select mnemo.complete_events('g', %s, %s, '{}', %s, '{no}')",
            event.lane, event.lease, [event.seq],
        )  # fmt: skip
        a.commit()
        ended.result(10)
        b.commit()
    assert bus.rows("select seq from mnemo.event_retry") == []


def test_who_settles_what_is_parked_skips_nothing_else(bus: Bus) -> None:
    a, b = contexts_of_one_lane(bus, 2)
    for payload, context in (("a0", a), ("b0", b), ("a1", a)):
        bus.publish(payload, context)
    batch = claimed(bus)
    bus.complete(batch, done=[], failed={batch.seqs[0]: "no"}, keep=True)
    bus.complete(batch, done=[batch.seqs[2]])
    assert bus.drain() == ["b0"]
    bus.at(1)
    assert bus.drain() == ["a0", "a1"]
