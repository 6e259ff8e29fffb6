"""The log stays short, drops nothing that somebody has still to get, and takes no more than fits."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.events.conftest import Bus, Buses
from tests.support.locks import sessions

HOUR_S = 3_600


def trim(bus: Bus) -> int:
    """Run the job to its end; return the steps it took."""
    steps = 0
    while bus.value("select mnemo.trim_events()"):
        steps += 1
    return steps


def kept(bus: Bus) -> list[Any]:
    """Return the payloads of the log."""
    return [row.payload for row in bus.rows("select payload from mnemo.event order by seq")]


def log_bytes(bus: Bus) -> int:
    """Return the size of the log on disk, indexes apart."""
    size = bus.value("select sum(pg_relation_size(relid)) from pg_partition_tree('mnemo.event')")
    return int(size)


@pytest.fixture
def short(bus: Bus) -> Bus:
    """A bus that keeps four events and four hours."""
    bus.connection.execute(
        "update mnemo.setting set value = 4 where name in ('event_keep_count', 'event_keep_hours')"
    )
    return bus


def fill(bus: Bus, hours: range) -> None:
    """Publish one event an hour; the job runs after each."""
    for hour in hours:
        bus.at(hour * HOUR_S)
        bus.publish(hour, f"c{hour}")
        trim(bus)


def test_the_log_keeps_what_settings_say_once_all_have_it(short: Bus) -> None:
    fill(short, range(5))
    assert kept(short) == [0, 1, 2, 3, 4]
    assert sorted(short.drain()) == [0, 1, 2, 3, 4]
    fill(short, range(5, 6))
    short.drain()
    trim(short)
    for hour in range(6, 40):
        fill(short, range(hour, hour + 1))
        short.drain()
        trim(short)
        # A slot takes two here, and goes as a whole.
        assert set(range(hour - 3, hour + 1)) <= set(kept(short))
        assert len(kept(short)) <= 7


def test_neither_count_nor_age_alone_drops_events(short: Bus) -> None:
    fill(short, range(3))
    short.drain()
    short.at(1_000 * HOUR_S)
    trim(short)
    assert kept(short) == [0, 1, 2]
    for n in range(100):
        short.publish(n)
    short.drain()
    trim(short)
    assert kept(short)[-100:] == list(range(100))
    assert 0 not in kept(short)[:-100]


@pytest.mark.parametrize("holds", ["group", "half a batch", "lease", "straggler"])
def test_what_a_group_has_not_got_is_kept(short: Bus, buses: Buses, holds: str) -> None:
    short.subscribe("slow")
    short.subscribe("elsewhere", ["memory.forget"])
    straggler = buses.open(autocommit=False)
    straggler.at(0)
    if holds == "straggler":
        straggler.publish("straggler", "x")
    fill(short, range(2))
    if holds == "half a batch":
        short.publish("more", "c0")
        short.publish("more", "c1")
        batch = short.claim(1, "slow")
        assert batch is not None
        first = batch.payloads[0]
        short.complete(batch, name="slow")
    elif holds == "lease":
        short.claim(1, "slow")
    elif holds == "straggler":
        assert sorted(short.drain("slow")) == [0, 1]
        straggler.connection.commit()
    for hour in range(2, 50):
        fill(short, range(hour, hour + 1))
        short.drain()
    trim(short)
    got = short.drain("slow")
    if holds == "lease":
        # Its consumer is taken for dead, so the event is parked.
        short.at(50 * HOUR_S)
        got += short.drain("slow")
    expected: list[Any] = list(range(2 if holds == "straggler" else 0, 50))
    if holds == "half a batch":
        expected = [*expected[:first], *expected[first + 1 :], "more", "more"]
    elif holds == "straggler":
        expected.append("straggler")
    assert sorted(got, key=str) == sorted(expected, key=str)
    trim(short)
    assert len(kept(short)) < 40


def test_truncation_frees_the_file(short: Bus) -> None:
    short.rows(
        "select mnemo.publish('memory.write', to_jsonb(repeat('x', 500)), 'c' || n)"
        " from generate_series(1, 5000) n"
    )
    short.drain(most=1_000)
    assert log_bytes(short) > 2_500_000
    short.at(5 * HOUR_S)
    assert trim(short) == 1
    short.publish("new")
    short.publish("newer")
    short.publish("newer still")
    short.publish("newest")
    assert trim(short) == 1
    assert log_bytes(short) == 8_192
    assert len(kept(short)) == 4


def test_a_full_ring_goes_on_in_its_last_slot(short: Bus) -> None:
    fill(short, range(60))
    assert len(short.rows("select distinct slot from mnemo.event")) == 8
    assert sorted(short.drain()) == list(range(60))
    assert trim(short) > 5
    fill(short, range(60, 63))
    assert sorted(short.drain()) == [60, 61, 62]


def test_an_event_that_comes_while_the_slot_is_locked_stays(short: Bus) -> None:
    """The publisher chose the slot before it was turned away from: it is looked at once it is locked."""
    short.subscribe("slow")
    with sessions(short.dsn) as (a, b):
        for session in (a, b):
            session.run("select set_config('mnemo.clock', '2027-01-01', false)")
        fill(short, range(3))
        short.drain()
        short.drain("slow")
        slot = short.value("select min(slot) from mnemo.event")
        a.run(
            "insert into mnemo.event (seq, xid, at, slot, lane, topic, tenant, context, payload) values"
            " (nextval('mnemo.event_seq'), pg_current_xact_id(), mnemo.now(), %s, 1, 'memory.write',"
            " 'default', 'c', '\"late\"') returning 1",
            slot,
        )
        short.at(100 * HOUR_S)
        for n in range(10):
            short.publish(n, f"c{n}")
        short.drain()
        short.drain("slow")
        before = kept(short)
        # It waits for the publisher a moment, and leaves the slot for the next time.
        trim(short)
        assert set(before) - set(kept(short)) == set()
        a.commit()
    trim(short)
    assert short.drain("slow") == ["late"]
    trim(short)
    assert "late" in kept(short)
    short.drain()
    trim(short)
    assert "late" not in kept(short)


def test_a_log_restored_from_another_server_goes_on(bus: Bus) -> None:
    for n in range(6):
        bus.publish(n)
    batch = bus.claim(2)
    assert batch is not None
    bus.complete(batch)
    bus.publish(6)
    # There, transactions had ids that this server reaches much later.
    bus.connection.execute(
        "create function pg_temp.far(text) returns text language sql"
        r" return regexp_replace($1, '(\d+)', '9\1000000', 'g')"
    )
    bus.connection.execute("update mnemo.event set xid = pg_temp.far(xid::text)::xid8")
    bus.connection.execute("update mnemo.event_head set snapshot = pg_temp.far(snapshot::text)::pg_snapshot")
    bus.connection.execute(
        "update mnemo.event_cursor set done = pg_temp.far(done::text)::pg_snapshot,"
        " upto = pg_temp.far(upto::text)::pg_snapshot"
    )
    bus.publish(7)
    assert bus.drain() == [2, 3, 4, 5, 6, 7]
    bus.publish(8)
    assert bus.drain() == [8]
    assert bus.lag()[2:] == (0, None, 0, 0, 0)


def test_trimming_needs_a_fresh_snapshot(bus: Bus, buses: Buses) -> None:
    old = buses.open(autocommit=False)
    old.connection.execute("set transaction isolation level repeatable read")
    with pytest.raises(psycopg.Error, match="read committed"):
        old.value("select mnemo.trim_events()")


def test_a_full_backlog_refuses_events_until_it_is_shorter(bus: Bus) -> None:
    bus.subscribe("elsewhere", ["memory.forget"])
    bus.value("update mnemo.setting set value = 50 where name = 'event_backlog_most' returning 1")
    bus.value("select mnemo.trim_events()")
    # Neither other topics nor what is done already count.
    for n in range(60):
        bus.publish(n, topic="consolidation.trigger")
        bus.publish(n)
        bus.drain()
    for n in range(50):
        bus.publish(n, f"c{n}")
    for topic in ("memory.write", "consolidation.trigger"):
        for _ in range(2):
            with pytest.raises(psycopg.Error, match="subscription 'g' is 50 events behind") as refused:
                bus.publish("too many", topic=topic)
            assert refused.value.sqlstate == "MN011"
            assert "event_backlog_most" in (refused.value.diag.message_hint or "")
    with pytest.raises(psycopg.Error, match="'g'"):
        bus.value("select mnemo.publish_all('memory.write', '{a}', null, %s)", [Jsonb(1)])
    batch = bus.claim(1)
    assert batch is not None
    with pytest.raises(psycopg.Error, match="'g'"):
        bus.publish("too many")
    bus.complete(batch)
    bus.publish("fits")
    with pytest.raises(psycopg.Error, match="'g'"):
        bus.publish("too many")
    # Parked events are still to be done.
    batch = bus.claim(1)
    assert batch is not None
    bus.complete(batch, [], {batch.seqs[0]: "no"})
    with pytest.raises(psycopg.Error, match="'g'"):
        bus.publish("too many")
    bus.value("select mnemo.unsubscribe('g')")
    bus.publish("nobody minds")


def test_a_refused_write_is_undone_as_a_whole(bus: Bus) -> None:
    bus.value("update mnemo.setting set value = 1 where name = 'event_backlog_most' returning 1")
    bus.value("select mnemo.trim_events()")
    write = (
        "select mnemo.remember('x', mnemo.random_hypervector('x')), mnemo.publish('memory.write', '1', 'c')"
    )
    with pytest.raises(psycopg.Error, match="'g'"):
        bus.rows(f"{write} from generate_series(1, 5)")
    assert bus.value("select count(*) from mnemo.memory") == 0
