"""What a quota costs a writer, alone and beside others, and how fast a first quota counts what is there."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from psycopg import Connection as PsycopgConnection

from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage

_SIDES = ("without", "with")
_ONE = "select mnemo.remember('a memory of some words ' || %s, mnemo.random_hypervector(%s::text))"
_MANY = (
    "insert into pg_temp.memory_staging (ordinal, content, hdv, collection, importance, tier)"
    " select n, 'a memory of some words ' || n, mnemo.random_hypervector(%s || ' ' || n), 'memories',"
    " 0.8, 'hot'"
    " from generate_series(1, %s) n"
)
_LIMITS = "select mnemo.set_quota('default', 1000000000, 1000000000000, 2000000000)"


def quotas(stage: Stage, options: Options) -> list[Row]:
    """Write the same in turns with a quota and without, one by one, in batches and from several sessions."""
    names = map(str, count())
    databases = {side: stage.database() for side in _SIDES}
    connections = {side: stage.connect(dsn) for side, dsn in databases.items()}
    connections["with"].execute(_LIMITS)
    size = options.scaled(1_000, 20)

    def one(connection: Connection) -> None:
        connection.execute(_ONE, (name := next(names), name))

    def many(connection: Connection) -> None:
        with connection.transaction():
            connection.execute("select mnemo.open_staging()")
            connection.execute(_MANY, (next(names), size))
            connection.execute("select mnemo.remember_staged()")

    rows = [
        _compared("remember with a quota against without", connections, one, options.scaled(1_000, 5), 1),
        _compared(f"a batch of {size} with a quota", connections, many, options.scaled(20, 2), size),
        _beside(stage, databases, options),
    ]
    stored = connections["without"].execute("select count(*) from mnemo.memory").fetchone()
    assert stored is not None
    connections["without"].execute("vacuum analyze mnemo.memory")
    began = time.perf_counter()
    connections["without"].execute(_LIMITS)
    counted = stored[0] / (time.perf_counter() - began)
    rows.append(
        Row("memories counted by a first quota", counted, "rows/s", f"{stored[0]:,} in cache; writers wait")
    )
    return rows


def _compared(
    name: str, connections: dict[str, Connection], write: Callable[[Connection], None], turns: int, size: int
) -> Row:
    seconds: dict[str, list[float]] = {side: [] for side in _SIDES}
    for turn in range(turns):
        for side in _SIDES if turn % 2 else _SIDES[::-1]:
            began = time.perf_counter()
            write(connections[side])
            seconds[side].append(time.perf_counter() - began)
    bare, mine = (statistics.median(seconds[side]) for side in _SIDES)
    return Row(
        name,
        mine / bare,
        "x",
        f"{size / mine:,.0f} against {size / bare:,.0f} memories/s",
        1.1,
        at_least=False,
    )


def _beside(stage: Stage, databases: dict[str, str], options: Options) -> Row:
    sessions, writes = 4, options.scaled(250, 3)
    rates = {}
    for side in _SIDES:
        opened = [stage.connect(databases[side]) for _ in range(sessions)]

        def work(connection: PsycopgConnection[tuple[object, ...]], side: str = side) -> None:
            for number in range(writes):
                connection.execute(_ONE, (number, f"{side} {id(connection)} {number}"))

        began = time.perf_counter()
        with ThreadPoolExecutor(sessions) as threads:
            list(threads.map(work, opened))
        rates[side] = sessions * writes / (time.perf_counter() - began)
    figures = f"{rates['with']:,.0f} against {rates['without']:,.0f} memories/s, one by one"
    name = f"{sessions} sessions writing for one tenant, with a quota"
    return Row(name, rates["without"] / rates["with"], "x", figures)
