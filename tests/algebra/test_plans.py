"""X3, X4: what the planner makes of the algebra."""

from psycopg.sql import SQL, Composable

from tests.conftest import Connection


def plan(connection: Connection, query: Composable) -> str:
    """Return a plan as text."""
    explained = connection.execute(SQL("explain (verbose, costs off) {}").format(query))
    return "\n".join(row[0] for row in explained)


def test_x3_sketch_matches_the_index_expression(connection: Connection) -> None:
    connection.execute("create temp table t (hdv bit(16384))")
    connection.execute(
        "create index i on t using hnsw ((substring(hdv from 1 for 1536)::bit(1536)) public.bit_hamming_ops)"
    )
    connection.execute("set enable_seqscan = off")
    query = SQL(
        "select 1 from t order by mnemo.sketch(hdv) <~> mnemo.sketch(mnemo.tie_hypervector()) limit 1"
    )
    assert "Index Scan using i" in plan(connection, query)


def test_x4_calls_are_inlined_and_the_tie_is_a_constant(connection: Connection) -> None:
    connection.execute("create temp table t (hdv bit(16384))")
    calls = SQL("mnemo.hamming(hdv, mnemo.tie_hypervector()), mnemo.bind(hdv, mnemo.tie_hypervector())")
    shown = plan(connection, SQL("select {} from t").format(calls))
    assert "<~>" in shown
    for name in ("hamming(", "bind(", "tie_hypervector("):
        assert name not in shown


def test_x4_bundles_run_in_parallel(connection: Connection) -> None:
    connection.execute(
        "create table public.t as"
        " select mnemo.random_hypervector(n::text) as hdv, n % 5 + 1 as weight"
        " from generate_series(1, 2000) as n"
    )
    query = SQL("select mnemo.bundle(hdv), mnemo.bundle(hdv, weight) from public.t")
    serial = connection.execute(query).fetchone()
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        connection.execute(SQL("set {} = 0").format(SQL(setting)))
    assert "Partial Aggregate" in plan(connection, query)
    assert connection.execute(query).fetchone() == serial
