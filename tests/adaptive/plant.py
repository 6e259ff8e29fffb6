"""A hot tier played in plain Python: a least-recently-used cache under Zipf accesses."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, LiteralString

import numpy as np

from tests.conftest import Connection

START = 1_900_000_000
PERIOD_S = 300


def clock(connection: Connection, seconds: float) -> None:
    """Set the time of the database."""
    connection.execute("select set_config('mnemo.clock', to_timestamp(%s)::text, false)", [START + seconds])


def one(connection: Connection, query: LiteralString, *arguments: Any) -> Any:
    """Return the first row, or its only column."""
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def capacity(connection: Connection) -> int:
    """Return the capacity that the database gives the hot tier."""
    return int(one(connection, "select capacity_rows from mnemo.policy where name = 'hot-capacity'"))


class Cache:
    """So many items, used by a Zipf law, of which the most recently used are hot."""

    def __init__(self, items: int, seed: int, exponent: float = 0.9) -> None:
        self._random = np.random.default_rng(seed)
        share = 1 / np.arange(1, items + 1) ** exponent
        self._share = share / share.sum()
        self.held: OrderedDict[int, None] = OrderedDict()

    def use(self, capacity: int, accesses: int) -> int:
        """Use items one after another; return how many of them were hot."""
        hits = 0
        self._evict(capacity)
        for item in self._random.choice(len(self._share), accesses, p=self._share).tolist():
            hits += item in self.held
            self.held[item] = None
            self.held.move_to_end(item)
            self._evict(capacity)
        return hits

    def _evict(self, capacity: int) -> None:
        while len(self.held) > capacity:
            self.held.popitem(last=False)


def hit_rate(items: int, capacity: int) -> float:
    """Return the hit rate of a cache of that capacity, measured apart from everything else."""
    cache = Cache(items, seed=99)
    cache.use(capacity, 20_000)
    return cache.use(capacity, 60_000) / 60_000


def fill(connection: Connection, items: int) -> None:
    """Give the database that many activity rows; the tests decide which of them are hot."""
    connection.execute(
        "insert into mnemo.activity (bucket, id, segment, tier, tenant, collection,"
        " ltp, ltp_at, entered_tier_at)"
        " select mnemo.bucket_of(i), i, 1, 'warm', 'default', 'memories', 0.8, mnemo.now(), mnemo.now()"
        " from (select uuidv7() as i from generate_series(1, %s)) as g",
        [items],
    )


def report(connection: Connection, held: int, hits: int, accesses: int) -> None:
    """Tell the database how many are hot and what was used, as consolidation and folding would."""
    connection.execute(
        "with row as (select id, row_number() over (order by id) <= %s as hot from mnemo.activity)"
        " update mnemo.activity a set tier = case when r.hot then 'hot' else 'warm' end,"
        " segment = case when r.hot then 0 else 1 end"
        " from row r where r.id = a.id and (a.tier = 'hot') <> r.hot",
        [held],
    )
    count(connection, hot=hits, warm=accesses - hits)


def count(connection: Connection, **accesses: int) -> None:
    """Count accesses by tier, on the present day of the database."""
    connection.execute(
        "insert into mnemo.access_daily as d"
        " select (mnemo.now() at time zone 'UTC')::date, 'default', 'memories', c.*"
        " from unnest(%s::text[], %s::bigint[]) as c on conflict (day, tenant, collection, tier)"
        " do update set accesses = d.accesses + excluded.accesses",
        [list(accesses), list(accesses.values())],
    )


def look(connection: Connection) -> None:
    """Take a sample and tune once, as the jobs would."""
    for work in (1, 0):
        assert one(connection, "select mnemo.telemetry_step()") == work
        assert one(connection, "select mnemo.adapt_step()") == work


def tune(
    connection: Connection, periods: range, accesses: int, plant: Callable[[int], tuple[int, int]]
) -> list[int]:
    """Let periods pass, in which the plant says what a capacity holds and hits; return all capacities."""
    seen = [capacity(connection)]
    for period in periods:
        clock(connection, period * PERIOD_S)
        if period:
            held, hits = plant(seen[-1])
            report(connection, held, hits, accesses)
        look(connection)
        seen.append(capacity(connection))
    return seen
