"""Consumers of events: asynchronous iterators that lease, acknowledge and give back."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb

from engine.database.errors import translate_errors
from engine.database.parameters import PackedBitsLoader
from engine.database.pool import Connection, Pool
from engine.errors import ConnectionFailed, InvalidArgument
from engine.events.event import Event

logger = logging.getLogger(__name__)

_CLAIM = (
    "select lane, lease, seq, topic, tenant, context, memory_id, at, attempt, payload, hdv"
    " from mnemo.claim_events(%s, %s)"
)
_COMPLETE = "select mnemo.complete_lanes(%s, %s)"
_VISIBILITY = "select extract(epoch from (mnemo.subscription_named(%s)).visibility)::float8"
# A sleeper looks again after so long even when nobody woke it; soon at first: somebody may be committing.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.005, 0.5
# What a server that went away is given before the next attempt.
_RECONNECT_S = 0.5

Handler = Callable[[Event], Awaitable[object]]


@dataclass
class _Lane:
    """A leased lane: how many of its events are still to come, and what became of the others."""

    lease: int
    waiting: int = 0
    done: list[int] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


class Consumer:
    """One member of a group of consumers, for `async with` and `async for`.

    Asking for the next event acknowledges the one before. An exception in the body of the block lets that
    event fail and goes on to the caller; `await event.retry(reason)` lets it fail and goes on to the next.
    Acknowledgements are sent in batches: when a consumer dies, others get some of its events again. Leaving
    the block gives back what was not asked for.

    Raises:
        UnknownName: there is no such subscription.
    """

    def __init__(
        self, pool: Pool, subscription: str, *, most: int = 100, stopping: asyncio.Event | None = None
    ) -> None:
        if not 1 <= most <= 1_000:
            raise InvalidArgument(f"most must be from 1 to 1000, not {most}")
        self._pool = pool
        self._subscription = subscription
        self._most = most
        self._stopping = stopping or asyncio.Event()
        self._connection: Connection | None = None
        self._visibility = 0.0
        self._batch: deque[tuple[int, Event]] = deque()
        self._lanes: dict[int, _Lane] = {}
        self._renewed = 0.0
        self._current: tuple[int, Event] | None = None
        self._parked: set[tuple[str, str | None]] = set()

    async def __aenter__(self) -> Self:
        """Take a connection of the pool, and keep it."""
        with translate_errors():
            self._connection = await self._pool.getconn()
            try:
                self._connection.adapters.register_loader("varbit", PackedBitsLoader)
                await self._connection.execute("listen mnemo_event")
                row = await (await self._connection.execute(_VISIBILITY, (self._subscription,))).fetchone()
            except BaseException:
                await self._give_back()
                raise
        assert row is not None
        self._visibility = row[0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle what was begun; an exception counts against the event it came from, a cancellation not."""
        try:
            if kind is None:
                self._acknowledge()
            elif self._current is not None and isinstance(error, Exception):
                self._fail(self._current[1], f"{type(error).__name__}: {error}")
            if not isinstance(error, ConnectionFailed):
                await self._settle()
        finally:
            await self._give_back()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Return itself."""
        return self

    async def __anext__(self) -> Event:
        """Acknowledge the event before and return the next one; wait for it where there is none."""
        self._acknowledge()
        while not self._stopping.is_set():
            while self._batch:
                if time.monotonic() - self._renewed > self._visibility / 3:
                    await self._settle(keep=True)
                    continue
                lane, event = self._batch.popleft()
                self._lanes[lane].waiting -= 1
                if event.context is None or (event.tenant, event.context) not in self._parked:
                    self._current = (lane, event)
                    return event
            await self._settle()
            await self._claim()
        raise StopAsyncIteration

    def _acknowledge(self) -> None:
        if self._current is not None:
            lane, event = self._current
            self._lanes[lane].done.append(event.seq)
            self._current = None

    def _fail(self, event: Event, reason: str) -> None:
        if self._current is not None and event is self._current[1]:
            lane, self._current = self._current[0], None
            # PostgreSQL's text cannot hold a NUL.
            self._lanes[lane].errors[event.seq] = reason.replace("\0", "\ufffd")[:2_000]
            self._parked.add((event.tenant, event.context))

    async def _claim(self) -> None:
        """Lease events; return without any when it is time to stop."""
        wait = _FIRST_WAIT_S
        connection = self._open()
        while not self._stopping.is_set():
            with translate_errors():
                async with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
                    await cursor.execute(_CLAIM, (self._subscription, self._most))
                    rows = await cursor.fetchall()
            if rows:
                self._renewed = time.monotonic()
                for row in rows:
                    self._lanes.setdefault(row[0], _Lane(row[1])).waiting += 1
                    self._batch.append((row[0], self._event(row)))
                return
            with translate_errors():
                async for _ in connection.notifies(timeout=wait, stop_after=1):
                    wait = _FIRST_WAIT_S
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def _event(self, row: TupleRow) -> Event:
        seq, topic, tenant, context, memory_id, at, attempt, payload, hdv = row[2:]
        return Event(seq, topic, tenant, context, memory_id, at, attempt, payload, hdv, self._fail)

    async def _settle(self, *, keep: bool = False) -> None:
        """Acknowledge what was done, park what failed; give the rest back, or with `keep` lease it anew."""
        if not self._lanes:
            return
        settled = [
            {
                "lane": number,
                "lease": lane.lease,
                "done": lane.done,
                "failed": list(lane.errors),
                "errors": list(lane.errors.values()),
                "keep": keep and lane.waiting > 0,
            }
            for number, lane in self._lanes.items()
        ]
        with translate_errors():
            cursor = await self._open().execute(_COMPLETE, (self._subscription, Jsonb(settled)))
            row = await cursor.fetchone()
        lost = set(row[0]) if row is not None else set()
        if lost:
            logger.warning("the lease on %d lanes ended: their events are delivered again", len(lost))
        self._renewed = time.monotonic()
        self._lanes = {
            number: _Lane(lane.lease, lane.waiting)
            for number, lane in self._lanes.items()
            if keep and lane.waiting and number not in lost
        }
        self._batch = deque(entry for entry in self._batch if entry[0] in self._lanes)
        if not keep:
            self._parked.clear()

    def _open(self) -> Connection:
        if self._connection is None:
            raise InvalidArgument("a consumer is to be used in its async with block")
        return self._connection

    async def _give_back(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            if not connection.closed and not connection.broken:
                await connection.execute("unlisten mnemo_event")
            await self._pool.putconn(connection)


async def run_consumers(
    pool: Pool,
    subscription: str,
    handler: Handler,
    *,
    workers: int = 4,
    most: int = 100,
    stopping: asyncio.Event | None = None,
) -> None:
    """Give each event of a subscription to `handler`, in so many tasks, until `stopping` is set.

    What the handler raises lets the event fail; a lost server is tried again. Each task keeps a connection
    of the pool.
    """
    stop = stopping or asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            try:
                async with Consumer(pool, subscription, most=most, stopping=stop) as events:
                    async for event in events:
                        try:
                            await handler(event)
                        except Exception as error:
                            logger.exception("event %d of %s failed", event.seq, event.topic)
                            await event.retry(f"{type(error).__name__}: {error}")
            except ConnectionFailed as error:
                logger.warning("the server of subscription %s is gone: %s", subscription, error)
                await asyncio.sleep(_RECONNECT_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
