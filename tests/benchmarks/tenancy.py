"""What row-level security costs: the same as an app of one tenant, and in a database without any."""

import statistics
from collections.abc import Callable, Mapping
from itertools import count

import numpy as np
import psycopg

from engine.hypervector import Hypervectors
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Connection, Stage
from tests.benchmarks.timing import ask_in_turns
from tests.support.memories import Draft, bit_text, clustered
from tests.support.memories import stage as staged
from tests.tenancy.people import people_of

_TENANTS = ("most", "few")
_ASK = {
    "search": "select memory_id from mnemo.search(%s::varbit)",
    "recall": "select memory_id from mnemo.recall(%s::varbit)",
}
# As it was before there were roles: functions run as their caller, a superuser, whom no policy confines.
_UNCONFINED = """
do $$
declare
    v_routine regprocedure;
begin
    for v_routine in
        select p.oid from pg_proc p where p.pronamespace = 'mnemo'::regnamespace and p.prosecdef
    loop
        execute format('alter routine %s security invoker', v_routine);
    end loop;
end
$$
"""


def tenancy(stage: Stage, options: Options) -> list[Row]:
    """Ask and write in turns, with row-level security and without, for a tenant of 99 % and one of 1 %."""
    size = options.scaled(30_000, 300)
    rng = np.random.default_rng(3)
    drawn, _ = clustered(rng, size + options.queries, BITS, 50)
    vectors, queries = drawn[:size], [bit_text(query) for query in drawn[size:]]
    owners = np.where(rng.permutation(size) < size // 100, "few", "most")
    with_roles, without = stage.database(), stage.database()
    for dsn in (with_roles, without):
        _load(stage.connect(dsn), vectors, owners)
    stage.connect(without).execute(_UNCONFINED.encode())
    rows = []
    with people_of(with_roles) as people:
        for tenant, share in (("most", 99), ("few", 1)):
            confined = stage.connect(people.login("mnemo_app", tenants=[tenant]), **{"mnemo.tenant": tenant})
            sides = {"with": confined, "without": stage.connect(without, **{"mnemo.tenant": tenant})}
            for name in _ASK:
                rows.append(_asked(name, share, sides, queries))
            rows.append(_written(share, sides, options))
            confined.close()
    return rows


def _load(
    connection: Connection, vectors: Hypervectors, owners: "np.ndarray[tuple[int], np.dtype[np.str_]]"
) -> None:
    with connection.transaction():
        into = connection.execute("select mnemo.begin_bulk_load('hot')").fetchone()
        for tenant in _TENANTS:
            connection.execute("select set_config('mnemo.tenant', %s, true)", (tenant,))
            staged(connection, [Draft("a memory", vectors[n]) for n in np.flatnonzero(owners == tenant)])
            connection.execute("select mnemo.remember_staged(%s)", into)
        connection.execute("select mnemo.finish_bulk_load('hot')")
    connection.execute("vacuum analyze mnemo.memory, mnemo.activity, mnemo.memory_key")


def _asked(name: str, share: int, sides: Mapping[str, Connection], queries: list[str]) -> Row:
    def asking(connection: Connection) -> Callable[[bytes], list[int]]:
        def ask(query: bytes) -> list[int]:
            return [row[0].int for row in connection.execute(_ASK[name].encode(), (query.decode(),))]

        return ask

    answers = ask_in_turns(
        {side: asking(connection) for side, connection in sides.items()},
        [query.encode() for query in queries],
    )
    mine, bare = answers["with"].p50_ms, answers["without"].p50_ms
    title = f"{name} behind row-level security, tenant of {share} %"
    return Row(title, mine / bare, "x", f"p50 {mine:.2f} against {bare:.2f} ms", 1.15, at_least=False)


def _written(share: int, sides: Mapping[str, Connection], options: Options) -> Row:
    names = map(str, count())
    text = "select mnemo.remember('a memory ' || %s, mnemo.random_hypervector(%s::text))"

    def writing(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[bytes], list[int]]:
        def write(_: bytes) -> list[int]:
            connection.execute(text, (name := next(names), f"{share} {name}"))
            return []

        return write

    answers = ask_in_turns(
        {side: writing(connection) for side, connection in sides.items()},
        [b""] * options.scaled(300, 5),
        warm_up=5,
    )
    mine, bare = (statistics.median(answers[side].seconds) * 1000 for side in ("with", "without"))
    title = f"remember behind row-level security, tenant of {share} %"
    return Row(title, mine / bare, "x", f"p50 {mine:.2f} against {bare:.2f} ms", 1.15, at_least=False)
