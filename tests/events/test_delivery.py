"""What is published is delivered: after its commit, once, in order within its context, to every group."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.events.conftest import Bus, Buses


def test_events_reach_every_group_once_and_in_order(bus: Bus) -> None:
    bus.subscribe("other", ["memory.write", "memory.forget"])
    for n in range(300):
        bus.publish(n, f"c{n % 7}")
    bus.publish("gone", "c0", "memory.forget")
    ours, theirs = bus.drain(most=3), bus.drain("other")
    assert sorted(ours) == list(range(300))
    assert sorted(theirs, key=str) == sorted([*range(300), "gone"], key=str)
    for got in (ours, theirs):
        for context in range(7):
            numbers = [n for n in got if n != "gone" and n % 7 == context]
            assert numbers == sorted(numbers)
    assert bus.drain() == []
    assert bus.lag()[2:] == (0, None, 0, 0, 0)


def test_an_event_says_all_it_was_published_with(bus: Bus) -> None:
    memory = bus.value("select mnemo.remember('words', mnemo.random_hypervector('w'))")
    bus.drain()
    other = "00000000-0000-7000-8000-000000000000"
    publish = "select mnemo.publish('memory.write', %s, %s, %s)"
    seq = bus.value(publish, Jsonb({"ltp": 0.5}), None, memory)
    forgotten = bus.value(publish, Jsonb({"ltp": 0.5}), None, other)
    got: dict[int, Any] = {}
    while (batch := bus.claim()) is not None:
        got |= {event.seq: event for event in batch.events}
        bus.complete(batch)
    event = got[seq]
    assert (event.topic, event.tenant, event.context, event.memory_id, event.attempt, event.payload) == (
        "memory.write", "default", None, memory, 1, {"ltp": 0.5},
    )  # fmt: skip
    assert event.at == bus.value("select mnemo.now()")
    assert event.hdv == bus.value("select mnemo.random_hypervector('w')::text")
    assert got[forgotten].hdv is None


def test_a_rolled_back_transaction_publishes_nothing(bus: Bus, buses: Buses) -> None:
    undone = buses.open(autocommit=False)
    undone.publish("never")
    undone.connection.rollback()
    undone.publish("kept")
    with undone.connection.transaction(force_rollback=True):
        undone.publish("savepoint")
    undone.connection.commit()
    assert bus.drain() == ["kept"]


def test_nothing_is_skipped_when_a_slow_transaction_commits_late(bus: Bus, buses: Buses) -> None:
    slow, slower = buses.open(autocommit=False), buses.open(autocommit=False)
    slow.publish("slow 1")
    # It has an id, but publishes only after others were delivered.
    slower.value("select pg_current_xact_id()::text")
    bus.publish("fast 1")
    assert bus.drain() == ["fast 1"]
    slower.publish("slower")
    bus.publish("fast 2")
    assert bus.drain() == ["fast 2"]
    slow.publish("slow 2")
    slow.connection.commit()
    assert bus.drain() == ["slow 1", "slow 2"]
    bus.publish("fast 3")
    slower.connection.commit()
    assert sorted(bus.drain()) == ["fast 3", "slower"]
    assert bus.drain() == []


def test_nothing_is_skipped_of_a_transaction_newer_than_all_that_are_over(bus: Bus, buses: Buses) -> None:
    """Snapshots end at the newest transaction that is over, so they do not name this one."""
    for n in range(3):
        bus.publish(n)
        slow = buses.open(autocommit=False)
        slow.publish(f"slow {n}")
        assert bus.drain() == [n]
        slow.connection.commit()
        assert bus.drain() == [f"slow {n}"]


def test_a_half_read_tick_is_finished_before_late_events(bus: Bus, buses: Buses) -> None:
    late = buses.open(autocommit=False)
    late.publish("late")
    for n in range(5):
        bus.publish(n)
    first = bus.claim(2)
    assert first is not None
    late.connection.commit()
    bus.complete(first)
    assert [*first.payloads, *bus.drain(most=2)] == [0, 1, 2, 3, 4, "late"]


def test_a_transaction_that_publishes_nothing_holds_up_nobody(bus: Bus, buses: Buses) -> None:
    idle = buses.open(autocommit=False)
    idle.value("select pg_current_xact_id()::text")
    reader = buses.open(autocommit=False)
    reader.connection.execute("set transaction isolation level repeatable read")
    reader.value("select count(*) from mnemo.event")
    for n in range(3):
        bus.publish(n)
        assert bus.drain() == [n]
    idle.publish("at last")
    idle.connection.commit()
    assert bus.drain() == ["at last"]


def test_consumers_of_a_group_share_its_lanes(bus: Bus, buses: Buses) -> None:
    for context in range(40):
        bus.publish(context, f"c{context}")
    other = buses.open()
    other.at(0)
    mine, theirs = bus.claim(), other.claim()
    assert mine is not None
    assert theirs is not None
    assert not set(mine.leases) & set(theirs.leases)
    leased = [mine, theirs]
    while (batch := bus.claim()) is not None:
        leased.append(batch)
    assert sorted(n for batch in leased for n in batch.payloads) == list(range(40))
    assert other.claim() is None
    assert bus.lag().leased == sum(len(batch.leases) for batch in leased)
    # No one takes all that there is.
    assert len(leased) > 4


def test_a_batch_is_published_in_order(bus: Bus) -> None:
    bus.value(
        "select mnemo.publish_all('memory.write', %s::text[], %s::uuid[], %s::jsonb[])",
        [f"c{n % 3}" for n in range(1_000)],
        [None] * 1_000,
        [Jsonb(n) for n in range(1_000)],
    )
    got = bus.drain(most=1_000)
    assert sorted(got) == list(range(1_000))
    assert all([n for n in got if n % 3 == c] == list(range(c, 1_000, 3)) for c in range(3))


def test_a_subscription_begins_now_or_at_the_start_of_the_log(bus: Bus, buses: Buses) -> None:
    under_way = buses.open(autocommit=False)
    under_way.publish("under way")
    bus.publish("before")
    assert bus.subscribe("now") is True
    assert bus.subscribe("start", from_start=True) is True
    bus.publish("after")
    under_way.connection.commit()
    assert sorted(bus.drain("now")) == ["after", "under way"]
    assert sorted(bus.drain("start")) == ["after", "before", "under way"]


def test_a_topic_that_is_not_kept_is_written_for_subscribers_only(bus: Bus) -> None:
    assert bus.publish("lost", topic="memory.access") is None
    bus.value("select mnemo.publish_all('memory.access', array['c'], null, null)")
    assert bus.value("select count(*) from mnemo.event") == 0
    bus.subscribe("accesses", ["memory.access"])
    assert bus.publish("read", topic="memory.access") > 0
    assert bus.drain("accesses") == ["read"]
    bus.value("select mnemo.unsubscribe('accesses')")
    assert bus.publish("lost again", topic="memory.access") is None


def test_topics_of_ones_own(bus: Bus) -> None:
    assert bus.value("select mnemo.create_topic('billing.paid')") is True
    assert bus.value("select mnemo.create_topic('billing.paid', kept => false)") is False
    bus.subscribe("billing", ["billing.paid"])
    bus.publish(1, topic="billing.paid")
    assert bus.drain("billing") == [1]
    assert bus.drain() == []


MISTAKES = [
    ("mnemo.publish('memory.wirte', '{}')", "MN010", "unknown topic 'memory.wirte'"),
    ("mnemo.publish(null, '{}')", "MN010", "unknown topic null"),
    ("mnemo.publish('memory.write', null)", "MN002", "payload"),
    ("mnemo.publish_all('no', '{}', '{}', '{}')", "MN010", "unknown topic 'no'"),
    ("mnemo.subscribe('s', '{memory.write,no}')", "MN010", "unknown topic 'no'"),
    ("mnemo.subscribe('s', '{}')", "MN002", "at least one topic"),
    ("mnemo.subscribe('', '{memory.write}')", "MN002", "definition of subscription ''"),
    ("mnemo.subscribe('s', '{memory.write}', visibility => '0 s')", "MN002", "subscription 's'"),
    ("mnemo.subscribe('s', '{memory.write}', max_attempts => 0)", "MN002", "subscription 's'"),
    ("mnemo.subscribe('g', '{memory.forget}')", "MN002", "subscription 'g' has other topics"),
    ("mnemo.unsubscribe('s')", "MN010", "unknown subscription 's'"),
    ("mnemo.claim_events('s')", "MN010", "unknown subscription 's'"),
    ("mnemo.claim_events('g', 0)", "MN002", "most must be from 1 to 1000, not 0"),
    ("mnemo.complete_events('g', 0, 1, '{}')", "MN012", "lane 0 of subscription 'g' is not leased"),
    ("mnemo.complete_events('g', 64, 1, '{}')", "MN012", "lane 64"),
    ("mnemo.replay_dead_letters('s')", "MN010", "unknown subscription 's'"),
    ("mnemo.discard_dead_letters('s')", "MN010", "unknown subscription 's'"),
    ("mnemo.create_topic('Not a topic')", "MN002", "definition of topic 'Not a topic'"),
    ("mnemo.create_topic(null)", "MN002", "definition of topic null"),
]


def test_mistakes_are_named(bus: Bus) -> None:
    for call, state, said in MISTAKES:
        with pytest.raises(psycopg.Error, match=said) as refused:
            bus.value(f"select {call}")
        assert refused.value.sqlstate == state, call


def test_a_sleeping_consumer_is_woken_by_a_commit(bus: Bus, buses: Buses) -> None:
    listener = buses.open()
    listener.connection.execute("listen mnemo_event")

    def notified() -> int:
        listener.value("select 1")
        return len(list(listener.connection.notifies(timeout=0)))

    bus.publish(1)
    # Nobody has looked for events and found none: nobody sleeps.
    assert notified() == 0
    assert bus.drain() == [1]
    publisher = buses.open(autocommit=False)
    publisher.publish(2)
    assert notified() == 0
    publisher.connection.commit()
    assert notified() == 1
    bus.publish(3)
    assert notified() == 0


def test_an_idle_poll_reads_no_events(bus: Bus) -> None:
    """It costs the same however long the log is."""
    bus.rows("select mnemo.publish('memory.write', '1', 'c' || n) from generate_series(1, 2000) n")
    bus.drain(most=1_000)

    def fetched() -> Any:
        bus.value("select pg_stat_force_next_flush()")
        return bus.value(
            "select sum(seq_tup_read + idx_tup_fetch) from pg_stat_user_tables where relname ~ '^event_[0-9]'"
        )

    before = fetched()
    assert bus.claim() is None
    assert fetched() - before == 0
