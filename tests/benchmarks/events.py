"""The event bus: events a second from publishers through four workers, and how long one takes."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import psycopg

from engine.config import Settings
from engine.database.pool import Pool, make_pool
from engine.events import Event, run_consumers
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Stage

_WORKERS = 4
_CONTEXTS = 1_000
_SUBSCRIBE = "select mnemo.subscribe('bench', '{consolidation.trigger}')"
# What a write says of itself, but for the hypervector, which is joined to events of memory.write only.
_BATCH = (
    "select mnemo.publish_all('consolidation.trigger', array_agg('c' || (n %% %s)), null,"
    " array_agg(jsonb_build_object('ltp', 0.8, 'sent', extract(epoch from clock_timestamp()))))"
    " from generate_series(1, %s) n"
)
_SINGLE = (
    "select mnemo.publish('consolidation.trigger',"
    " jsonb_build_object('ltp', 0.8, 'sent', extract(epoch from clock_timestamp())), %s)"
)
# The least a published event can cost: one row, two indexes, one commit, and nobody who reads it.
_BARE_TABLE = (
    "create table public.bare (like mnemo.event); create index on public.bare (xid, lane);"
    " create index on public.bare (lane, seq)"
)
_BARE = (
    "insert into public.bare (seq, xid, at, slot, lane, topic, tenant, context, payload)"
    " values (nextval('mnemo.event_seq'), pg_current_xact_id(), now(), 0, 1, 'consolidation.trigger',"
    " 'default', %s, jsonb_build_object('ltp', 0.8, 'sent', extract(epoch from clock_timestamp())))"
)


@dataclass
class Arrivals:
    """When events arrived, and how long they took, in seconds."""

    expected: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    took: list[float] = field(default_factory=list)

    async def note(self, event: Event) -> None:
        """Note one."""
        self.took.append(time.time() - float(event.payload["sent"]))
        if len(self.took) >= self.expected:
            self.stopping.set()


async def events(stage: Stage, options: Options) -> list[Row]:
    """Publish singly and in batches, and consume through four workers, all at once."""
    dsn = stage.database()
    connection = stage.connect(dsn)
    connection.execute(_SUBSCRIBE)
    connection.execute(_BARE_TABLE)
    pool = make_pool(dsn, Settings(dsn=dsn))
    async with pool:
        batches = options.scaled(200, 2)
        batched = await _throughput(pool, batches * 1_000, _publisher(dsn, "batches", batches))
        singles = options.scaled(40_000, 200)
        single = await _throughput(pool, singles, _publisher(dsn, "singles", singles))
        began = time.perf_counter()
        await _publisher(dsn, "bare", singles)()
        bare = singles / (time.perf_counter() - began)
        paced = options.scaled(5_000, 50)
        arrivals = Arrivals(paced)
        sending = asyncio.ensure_future(_publisher(dsn, "paced", paced)())
        await run_consumers(pool, "bench", arrivals.note, workers=_WORKERS, stopping=arrivals.stopping)
        published = await sending
    p50, p99 = np.percentile(np.array(arrivals.took) * 1_000, [50, 99])
    publish = np.array([float(ms) for ms in published.split()])
    return [
        Row(
            "events through 4 workers, published in batches",
            batched,
            "/s",
            f"{batches:,} transactions of 1,000",
            10_000,
        ),
        Row(
            "events through 4 workers, published singly",
            single,
            "/s",
            f"{singles:,} transactions, 32 connections; bare inserts, nobody reading: {bare:,.0f} /s",
            10_000,
        ),
        Row(
            "publishing one event, p50",
            float(np.median(publish)),
            "ms",
            f"p99 {np.percentile(publish, 99):.2f} ms, in an open transaction",
            1,
            at_least=False,
        ),
        Row(
            "an event from publisher to handler, p50",
            float(p50),
            "ms",
            f"p99 {p99:.1f} ms, at 500 a second, each committed",
        ),
    ]


async def _throughput(pool: Pool, count: int, publisher: Callable[[], Awaitable[str]]) -> float:
    arrivals = Arrivals(count)
    began = time.perf_counter()
    sending = asyncio.ensure_future(publisher())
    await run_consumers(pool, "bench", arrivals.note, workers=_WORKERS, stopping=arrivals.stopping)
    seconds = time.perf_counter() - began
    await sending
    return count / seconds


def _publisher(dsn: str, how: str, count: int) -> Callable[[], Awaitable[str]]:
    """Return what runs publishers in a process of their own and returns what they print."""

    async def run() -> str:
        program = [sys.executable, "-m", "tests.benchmarks.events", dsn, how, str(count)]
        process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the publishers ended with {process.returncode}")
        return out.decode()

    return run


async def _publish(dsn: str, how: str, count: int) -> None:
    if how == "paced":
        for ms in await _paced(dsn, count):
            print(ms)
        return
    connections = 2 if how == "batches" else 32
    share = count // connections
    await asyncio.gather(*(
        _send(dsn, how, count - share * (connections - 1) if n == 0 else share) for n in range(connections)
    ))  # fmt: skip


async def _send(dsn: str, how: str, count: int) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for n in range(count):
            if how == "batches":
                await connection.execute(_BATCH, (_CONTEXTS, 1_000))
            else:
                statement = _BARE if how == "bare" else _SINGLE
                await connection.execute(statement, (f"c{n % _CONTEXTS}",))


async def _paced(dsn: str, count: int) -> list[float]:
    """Publish 500 a second; return how many milliseconds each took, its commit apart."""
    took = []
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        began = time.perf_counter()
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / 500 - time.perf_counter()))
            await connection.execute("begin")
            sent = time.perf_counter()
            await connection.execute(_SINGLE, (f"c{n % _CONTEXTS}",))
            took.append((time.perf_counter() - sent) * 1_000)
            await connection.commit()
    return took


if __name__ == "__main__":
    asyncio.run(_publish(sys.argv[1], sys.argv[2], int(sys.argv[3])))
