"""The asynchronous iterator: what it acknowledges, gives back, parks, and survives."""

import asyncio
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from engine import Mnemo
from engine.errors import InvalidArgument, UnknownName
from engine.events import Event, run_consumers
from tests.conftest import DatabaseFactory
from tests.events.conftest import Bus

PATIENCE_S = 60


@pytest.fixture
async def mnemo(database_factory: DatabaseFactory) -> AsyncIterator[Mnemo]:
    """An open Mnemo with a subscription g to memory.write that tries again at once."""
    async with Mnemo.open(database_factory(1_024, 256)) as opened:
        await opened.subscribe("g", ["memory.write"], backoff=timedelta(0))
        yield opened


async def publish(mnemo: Mnemo, *payloads: Any, context: str | None = "c") -> None:
    """Publish events to memory.write."""
    for payload in payloads:
        await mnemo.publish("memory.write", payload, context=context)


async def take(mnemo: Mnemo, count: int) -> list[Event]:
    """Consume so many events and stop."""
    got: list[Event] = []
    async with asyncio.timeout(PATIENCE_S), mnemo.consume("g") as events:
        while len(got) < count:
            got.append(await anext(events))
    return got


async def test_leaving_the_block_acknowledges_what_was_asked_for(mnemo: Mnemo) -> None:
    await publish(mnemo, 0, 1, 2, 3)
    assert [event.payload for event in await take(mnemo, 2)] == [0, 1]
    rest = await take(mnemo, 2)
    assert [(event.payload, event.attempt) for event in rest] == [(2, 1), (3, 1)]


async def test_an_event_brings_its_hypervector(mnemo: Mnemo) -> None:
    hdv = np.random.default_rng(1).integers(0, 256, 128, np.uint8)
    memory = await mnemo.remember("words", hdv=hdv, context="c")
    await mnemo.publish("memory.write", {"mine": True}, context="c", memory_id=memory)
    async with asyncio.timeout(PATIENCE_S), mnemo.consume("g") as events:
        async for event in events:
            if event.payload == {"mine": True}:
                break
    assert event.memory_id == memory
    assert event.hdv is not None
    assert event.hdv.tobytes() == hdv.tobytes()


async def test_an_error_in_the_body_fails_that_event_and_goes_on_to_the_caller(mnemo: Mnemo) -> None:
    await publish(mnemo, 0, 1, 2)

    async def work() -> None:
        async with mnemo.consume("g") as events:
            async for event in events:
                event.payload / (event.payload - 1)

    with pytest.raises(ZeroDivisionError):
        await work()
    again = await take(mnemo, 2)
    assert [(event.payload, event.attempt) for event in again] == [(1, 2), (2, 1)]


async def test_retry_parks_the_event_and_its_context_and_goes_on(mnemo: Mnemo) -> None:
    await mnemo.subscribe("g", ["memory.write"], backoff=timedelta(hours=1), max_attempts=2)
    await publish(mnemo, 0, 1, 2)
    await publish(mnemo, "other", context="d")
    async with asyncio.timeout(PATIENCE_S), mnemo.consume("g") as events:
        got: list[Any] = []
        while len(got) < 2:
            event = await anext(events)
            got.append(event.payload)
            if event.payload == 0:
                await event.retry("not now\0")
    assert sorted(got, key=str) == [0, "other"]
    with psycopg.connect(mnemo.dsn) as connection:
        parked = connection.execute(
            "select payload, attempts, error from mnemo.event_retry order by place"
        ).fetchall()
    assert parked == [(0, 1, "not now\ufffd"), (1, 0, None), (2, 0, None)]


async def test_a_cancelled_consumer_gives_everything_back(mnemo: Mnemo) -> None:
    await publish(mnemo, 0, 1)
    begun = asyncio.Event()

    async def work() -> None:
        async with mnemo.consume("g") as events:
            async for _ in events:
                begun.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(event.payload, event.attempt) for event in await take(mnemo, 2)] == [(0, 1), (1, 1)]


async def test_a_consumer_that_waits_is_woken(mnemo: Mnemo) -> None:
    async with asyncio.timeout(PATIENCE_S), mnemo.consume("g") as events:
        for n in range(3):
            waiting = asyncio.create_task(anext(events))
            await publish(mnemo, n)
            assert (await waiting).payload == n


async def test_a_lost_lease_is_no_error_and_the_events_come_again(
    mnemo: Mnemo, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(mnemo, 0, 1)
    async with asyncio.timeout(PATIENCE_S), mnemo.consume("g") as events:
        first = await anext(events)
        with psycopg.connect(mnemo.dsn, autocommit=True) as connection:
            connection.execute("update mnemo.event_cursor set leased_until = mnemo.now() where lease > 0")
            taken = connection.execute("select seq from mnemo.claim_events('g')").fetchall()
            connection.execute("update mnemo.event_cursor set leased_until = mnemo.now() where lease > 0")
        assert taken == [(first.seq,)]
        got = [(await anext(events)).payload for _ in range(3)]
    assert got[0] == 1
    assert sorted(got[1:]) == [0, 1]
    assert "delivered again" in caplog.text


async def test_mistakes(mnemo: Mnemo) -> None:
    with pytest.raises(UnknownName, match="unknown subscription 'nobody'"):
        await mnemo.consume("nobody").__aenter__()
    with pytest.raises(InvalidArgument, match="most must be from 1 to 1000, not 0"):
        mnemo.consume("g", most=0)
    with pytest.raises(InvalidArgument, match="async with"):
        await anext(mnemo.consume("g"))
    with pytest.raises(UnknownName, match="unknown topic 'no'"):
        await mnemo.publish("no", {})


async def test_four_workers_keep_the_order_of_each_context_and_share_the_rest(mnemo: Mnemo) -> None:
    """Publishers write at the same time; what one context publishes in turn arrives in turn."""
    count, contexts = 1_200, 24
    got: dict[int, list[int]] = defaultdict(list)
    busy: set[int] = set()
    together = 0
    stopping = asyncio.Event()

    async def handle(event: Event) -> None:
        nonlocal together
        context, number = event.payload
        assert context not in busy
        busy.add(context)
        together = max(together, len(busy))
        await asyncio.sleep(0)
        busy.discard(context)
        got[context].append(number)
        if sum(map(len, got.values())) == count:
            stopping.set()

    async def write(first: int) -> None:
        for number in range(count // contexts):
            for context in range(first, contexts, 4):
                await mnemo.publish("memory.write", [context, number], context=f"c{context}")

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(run_consumers(mnemo._pool, "g", handle, workers=4, most=7, stopping=stopping))
        for first in range(4):
            group.create_task(write(first))
    assert got == {context: list(range(count // contexts)) for context in range(contexts)}
    assert together > 1


async def test_what_a_handler_raises_is_tried_again_and_dead_in_the_end(
    mnemo: Mnemo, caplog: pytest.LogCaptureFixture
) -> None:
    await mnemo.subscribe("g", ["memory.write"], backoff=timedelta(0), max_attempts=3)
    await publish(mnemo, *range(10))
    attempts: list[int] = []
    done: list[int] = []
    stopping = asyncio.Event()

    async def handle(event: Event) -> None:
        if event.payload == 4:
            attempts.append(event.attempt)
            raise ValueError("cannot do 4")
        done.append(event.payload)
        if event.payload == 9:
            stopping.set()

    async with asyncio.timeout(PATIENCE_S):
        await run_consumers(mnemo._pool, "g", handle, workers=2, stopping=stopping)
    assert attempts == [1, 2, 3]
    assert done == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    with psycopg.connect(mnemo.dsn) as connection:
        dead = connection.execute("select payload, error from mnemo.dead_letters").fetchall()
    assert dead == [(4, "ValueError: cannot do 4")]
    assert caplog.text.count("failed") == 3
    assert await mnemo.replay_dead_letters("g") == 1
    assert [event.payload for event in await take(mnemo, 1)] == [4]


@pytest.mark.crash
def test_a_killed_consumer_loses_nothing(database_factory: DatabaseFactory, tmp_path: Path) -> None:
    bus = Bus(database_factory(1_024, 256))
    bus.subscribe()
    for n in range(200):
        bus.publish(n, f"c{n % 5}")
    path = tmp_path / "done"
    program = [sys.executable, "-m", "tests.events.worker", bus.dsn, str(path), "120"]
    assert subprocess.run(program, check=False, timeout=PATIENCE_S).returncode == -signal.SIGKILL
    assert bus.lag().leased == 1
    bus.connection.execute(
        "update mnemo.event_cursor set leased_until = mnemo.now() where leased_until > mnemo.now()"
    )
    done = [int(line) for line in path.read_text(encoding="utf-8").split()]
    assert 120 not in done
    done += bus.drain()
    assert set(done) == set(range(200))
    # Only the batch it died of is delivered twice.
    assert len(done) <= 220
    for context in range(5):
        first = list(dict.fromkeys(n for n in done if n % 5 == context))
        assert first == sorted(first)
    bus.connection.close()
