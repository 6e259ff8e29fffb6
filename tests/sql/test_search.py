"""H5, M4: what a search returns, against NumPy; tiers, isolation, filters, and what it leaves alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from tests.conftest import Connection, DatabaseFactory
from tests.support.databases import Databases
from tests.support.memories import (
    Draft,
    Vectors,
    bit_text,
    brute_force,
    bulk_load,
    clustered,
    remember_all,
)

BITS, SKETCH_BITS = 1_024, 256
HOT, WARM, COLD = 4_000, 900, 300
TIERS = ["hot"] * HOT + ["warm"] * WARM + ["cold"] * COLD


def search(
    connection: Connection,
    query: Vectors,
    k: int = 10,
    columns: LiteralString = "distance, memory_id",
    **options: Any,
) -> list[tuple[Any, ...]]:
    named = SQL("").join(SQL(", {} => %s").format(Identifier(name)) for name in options)
    values = [Jsonb(value) if isinstance(value, dict) else value for value in options.values()]
    return connection.execute(
        SQL("select {} from mnemo.search(%s::varbit, %s{})").format(SQL(columns), named),
        [bit_text(query), k, *values],
    ).fetchall()


def noisy(vector: Vectors, rng: np.random.Generator, share: float = 0.1) -> Vectors:
    return vector ^ np.packbits(rng.random(8 * vector.size) < share)


@dataclass
class Stored:
    """A database of clustered memories in three tiers, the first half of whose rows repeat in places."""

    connection: Connection
    vectors: Vectors
    cluster: Any
    ids: list[UUID]
    attributes: list[dict[str, Any]]

    def nearest(self, query: Vectors, k: int, among: Sequence[bool] | None = None) -> list[tuple[int, UUID]]:
        chosen = range(len(self.ids)) if among is None else [n for n, yes in enumerate(among) if yes]
        return brute_force(query, self.vectors[list(chosen)], [self.ids[n] for n in chosen], k)


@pytest.fixture(scope="module")
def stored(databases: Databases) -> Iterator[Stored]:
    """Read only: 5,200 memories in three tiers."""
    rng = np.random.default_rng(11)
    vectors, cluster = clustered(rng, len(TIERS), BITS, 40)
    vectors[50:80] = vectors[20:50]  # Duplicates, and so ties by id.
    order = rng.permutation(len(TIERS))
    attributes = [{"n": int(order[n]), "cluster": int(cluster[n])} for n in range(len(TIERS))]
    drafts = [Draft("x", vectors[n], attributes=attributes[n], tier=tier) for n, tier in enumerate(TIERS)]
    with (
        databases.migrated(BITS, SKETCH_BITS) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        ids = bulk_load(connection, drafts[:HOT]) + remember_all(connection, drafts[HOT:])
        connection.execute("analyze")
        yield Stored(connection, vectors, cluster, ids, attributes)


def test_h5_exact_search_is_brute_force(stored: Stored) -> None:
    rng = np.random.default_rng(1)
    queries = [*stored.vectors[[20, 35, 79, 4_500, 5_199]], *rng.integers(0, 256, (3, BITS // 8), np.uint8)]
    for query in queries:
        for k in (1, 2, 10, 4_096):
            assert search(stored.connection, query, k, exact=True) == stored.nearest(query, k)


def test_h5_k_beyond_what_there_is_returns_all(database_factory: DatabaseFactory) -> None:
    vectors = np.random.default_rng(2).integers(0, 256, (30, BITS // 8), np.uint8)
    with psycopg.connect(database_factory(BITS, SKETCH_BITS), autocommit=True) as connection:
        assert search(connection, vectors[0]) == []
        tiers = ["hot", "warm", "cold"]
        drafts = [Draft("x", vector, tier=tiers[n % 3]) for n, vector in enumerate(vectors)]
        ids = remember_all(connection, drafts)
        for exact in (False, True):
            found = search(connection, vectors[3], 4_096, exact=exact)
            assert found == brute_force(vectors[3], vectors, ids, 30)


@pytest.mark.parametrize(
    "condition",
    [
        {"n": {"$lt": 5}},
        {"n": {"$lt": 52}},
        {"n": {"$lt": 520}},
        {"n": {"$lt": 2_600}},
        {"n": {"$gte": 0}},
        {"cluster": 3},
        {"cluster": {"$ne": 3}},
        {"$nor": [{"cluster": 3}, {"n": {"$gte": 100}}]},
        {"cluster": {"$in": [3, 4]}, "n": {"$lt": 2_600}},
        {"n": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("max_scan_tuples", [1, 20_000])
def test_m4_filters_return_k_whenever_k_match(
    stored: Stored, condition: dict[str, Any], max_scan_tuples: int
) -> None:
    """Near and far from what the filter matches; also where the index gives up early."""
    rng = np.random.default_rng(3)
    connection = stored.connection
    (passes,) = connection.execute(
        "select array_agg(d @@ mnemo.filter_jsonpath(%s) order by place)"
        " from unnest(%s::jsonb[]) with ordinality as u (d, place)",
        [Jsonb(condition), [Jsonb(one) for one in stored.attributes]],
    ).fetchone() or ([],)
    matching = {memory for memory, yes in zip(stored.ids, passes, strict=True) if yes}
    inside, outside = (int(np.argmax(stored.cluster == c)) for c in (3, 17))
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local hnsw.max_scan_tuples = {max_scan_tuples}".encode())
        for query in (noisy(stored.vectors[inside], rng), noisy(stored.vectors[outside], rng)):
            for k in (1, 10, 200):
                found = search(connection, query, k, filter=condition)
                assert len(found) == min(k, len(matching))
                assert {memory for _, memory in found} <= matching
                assert found == sorted(found)
                expected = stored.nearest(query, k, passes)
                assert search(connection, query, k, filter=condition, exact=True) == expected


@pytest.mark.parametrize("deleted", [120, 400])
def test_h5_deleted_neighbours_do_not_hide_the_others(
    database_factory: DatabaseFactory, deleted: int
) -> None:
    """Of 2,000 the nearest go, most of the query's cluster of about 200 or all of it.

    k memories come back before vacuum, after it, and after a rewrite.
    """
    rng = np.random.default_rng(5)
    vectors, _ = clustered(rng, 2_000, BITS, 10)
    query = noisy(vectors[0], rng)
    with psycopg.connect(database_factory(BITS, SKETCH_BITS), autocommit=True) as connection:
        ids = bulk_load(connection, [Draft("x", one, attributes={"a": 1}) for one in vectors])
        gone = {memory for _, memory in brute_force(query, vectors, ids, deleted)}
        assert connection.execute(
            "select count(*) from unnest(%s::uuid[]) as g where mnemo.forget(g)", [list(gone)]
        ).fetchone() == (deleted,)
        left = [n for n, memory in enumerate(ids) if memory not in gone]
        expected = brute_force(query, vectors[left], [ids[n] for n in left], 50)
        for upkeep in ("select", "vacuum mnemo.memory_hot", "vacuum full mnemo.memory_hot"):
            connection.execute(upkeep.encode())
            for condition in ({}, {"a": 1}):
                found = search(connection, query, 50, filter=condition)
                assert len(found) == 50
                # What is left of no cluster is at random distances, which no sketch can order.
                assert deleted == 400 or len(set(found) & set(expected)) >= 45
            assert search(connection, query, 50, exact=True) == expected


def test_h5_tenants_collections_and_contexts_are_apart(database_factory: DatabaseFactory) -> None:
    rng = np.random.default_rng(6)
    vectors, _ = clustered(rng, 3_000, BITS, 10)
    with psycopg.connect(database_factory(BITS, SKETCH_BITS), autocommit=True) as connection:
        connection.execute("select mnemo.create_collection('other')")
        context = np.where(np.arange(3_000) % 100 == 1, "small", "large")
        ids = bulk_load(
            connection, [Draft("x", one, context=str(c)) for one, c in zip(vectors, context, strict=True)]
        )
        few = rng.integers(0, 3_000, 30)
        other = remember_all(connection, [Draft("y", vectors[n], collection="other") for n in few])
        connection.execute("set mnemo.tenant = 'one percent'")
        tenant = remember_all(connection, [Draft("z", vectors[n]) for n in few])

        for query in (noisy(vectors[0], rng), noisy(vectors[1], rng)):
            theirs = brute_force(query, vectors[few], tenant, 20)
            connection.execute("set mnemo.tenant = 'one percent'")
            assert search(connection, query, 20) == theirs
            assert search(connection, query, 20, collection="other") == []
            assert search(connection, query, 20, context="small") == []
            connection.execute("set mnemo.tenant = 'nobody'")
            assert search(connection, query, exact=True) == []
            connection.execute("reset mnemo.tenant")
            assert search(connection, query, 20, collection="other") == brute_force(
                query, vectors[few], other, 20
            )
            for name in ("small", "large"):
                of = np.flatnonzero(context == name)
                nearest = brute_force(query, vectors[of], [ids[n] for n in of], 20)
                assert search(connection, query, 20, context=name, exact=True) == nearest
                found = search(connection, query, 20, context=name)
                assert len(found) == 20
                # A small context is compared whole.
                assert name == "large" or found == nearest
                assert {memory for _, memory in found} <= {ids[n] for n in of}


def flipped(vector: Vectors, bits: int) -> Vectors:
    mask = np.zeros(8 * vector.size, np.uint8)
    mask[:bits] = 1
    return vector ^ np.packbits(mask)


def test_h5_stops_at_the_tier_where_all_k_are_confident(database_factory: DatabaseFactory) -> None:
    """Confident within 31 of 1,024 bits: 500 of 16,384, rounded down."""
    cue = np.random.default_rng(8).integers(0, 256, BITS // 8, np.uint8)
    placed = [("hot", 5), ("hot", 31), ("hot", 32), ("warm", 0), ("warm", 33), ("cold", 1)]
    with psycopg.connect(database_factory(BITS, SKETCH_BITS), autocommit=True) as connection:
        remember_all(connection, [Draft("x", flipped(cue, bits), tier=tier) for tier, bits in placed])

        def hits(k: int, **options: Any) -> list[tuple[Any, ...]]:
            return search(connection, cue, k, "tier, distance", **options)

        assert hits(1) == [("hot", 5)]
        assert hits(2) == [("hot", 5), ("hot", 31)]
        # The third of hot is past the distance; with warm, three are within it: cold is not asked.
        assert hits(3) == [("warm", 0), ("hot", 5), ("hot", 31)]
        assert hits(4) == [("warm", 0), ("cold", 1), ("hot", 5), ("hot", 31)]
        assert hits(9) == sorted(placed, key=lambda place: place[1])
        assert hits(1, exact=True) == [("warm", 0)]
        connection.execute("update mnemo.collection set confidence_distance = 0")
        assert hits(1) == [("warm", 0)]
        rows = search(connection, cue, 6, "tier, distance, similarity, score, key, content", exact=True)
        assert [row[2] for row in rows] == [1 - row[1] / BITS for row in rows]
        assert [row[3:] for row in rows] == [(row[2], None, "x") for row in rows]


def test_h5_search_writes_nothing_and_leaks_no_setting(stored: Stored) -> None:
    query = stored.vectors[5]
    settings = (
        "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings"
        " where name like 'hnsw.%' or name like 'enable_%' or name in ('plan_cache_mode', 'search_path')"
    )
    # A session of its own, whose first statement is the search: pgvector is not loaded before.
    with psycopg.connect(stored.connection.info.dsn, autocommit=False) as connection:
        connection.read_only = True
        for k, condition, exact in (
            (10, {}, False),
            (2_000, {}, False),
            (9, {"n": {"$lt": 520}}, False),
            (9, {}, True),
        ):
            assert len(search(connection, query, k, filter=condition, exact=exact)) == k
            shown = dict(
                pair.split("=", 1)
                for (line,) in connection.execute(settings.encode())
                for pair in line.split(" ")
                if "=" in pair
            )
            assert shown["hnsw.ef_search"] == "40"
            assert shown["hnsw.iterative_scan"] == "off"
            assert shown["plan_cache_mode"] == "auto"
            assert shown["enable_seqscan"] == shown["enable_sort"] == shown["enable_bitmapscan"] == "on"
        assert connection.execute("select pg_current_xact_id_if_assigned()").fetchone() == (None,)
        connection.execute("set local hnsw.ef_search = 77")
        search(connection, query)
        assert connection.execute("show hnsw.ef_search").fetchone() == ("77",)
    assert stored.connection.execute(
        "select provolatile from pg_proc where proname = 'search' and pronamespace = 'mnemo'::regnamespace"
    ).fetchone() == ("s",)


def test_h5_recall_logs_one_row_with_what_it_returned(database_factory: DatabaseFactory) -> None:
    vectors = np.random.default_rng(9).integers(0, 256, (40, BITS // 8), np.uint8)
    with psycopg.connect(database_factory(BITS, SKETCH_BITS), autocommit=True) as connection:
        remember_all(connection, [Draft("x", one) for one in vectors])
        connection.execute("set mnemo.clock = '2030-01-01 00:00:00+00'")
        call = "select memory_id from mnemo.recall(%s::varbit, %s)"
        returned = [row[0] for row in connection.execute(call.encode(), [bit_text(vectors[0]), 7])]
        assert returned == [memory for _, memory in search(connection, vectors[0], 7)]
        log = connection.execute("select memory_ids, at = mnemo.now() from mnemo.access_log").fetchall()
        assert log == [(returned, True)]
        connection.execute("set mnemo.tenant = 'nobody'")
        assert connection.execute(call.encode(), [bit_text(vectors[0]), 7]).fetchall() == []
        assert connection.execute("select count(*) from mnemo.access_log").fetchone() == (1,)


@pytest.mark.parametrize("value", ["0", "-1", "1001", "ten", "1e2", "99999999999999999999", "10.5", "off"])
def test_h5_ef_search_out_of_range_is_refused(stored: Stored, value: str) -> None:
    with stored.connection.transaction(force_rollback=True):
        stored.connection.execute("select set_config('mnemo.ef_search', %s, true)", [value])
        with pytest.raises(psycopg.Error, match=f"mnemo.ef_search .* not '{value}'") as refused:
            search(stored.connection, stored.vectors[0])
    assert refused.value.sqlstate == "MN002"


def test_h5_ef_search_widens_the_search(stored: Stored) -> None:
    """More candidates find more of the nearest; 1,000 of 4,000 find nearly all."""
    rng = np.random.default_rng(10)
    queries = [noisy(stored.vectors[n], rng, 0.25) for n in range(0, 4_000, 200)]
    connection, recall = stored.connection, {}
    with connection.transaction(force_rollback=True):
        for ef in (20, 1_000):
            connection.execute("select set_config('mnemo.ef_search', %s, true)", [str(ef)])
            found = [
                len(set(search(connection, query)) & set(stored.nearest(query, 10))) for query in queries
            ]
            recall[ef] = np.mean(found) / 10
    assert recall[20] < recall[1_000]
    assert recall[1_000] >= 0.99


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("'101'::varbit", "MN001", "hypervector has 3 bits, this database stores 1024"),
        ("null", "MN001", "hypervector has no bits, this database stores 1024"),
        ("mnemo.random_hypervector('q'), 0", "MN002", "k must be between 1 and 4096, not 0"),
        ("mnemo.random_hypervector('q'), 100000", "MN002", "k must be between 1 and 4096, not 100000"),
        ("mnemo.random_hypervector('q'), null", "MN002", "k must be between 1 and 4096, not null"),
        ("mnemo.random_hypervector('q'), -1", "MN002", "k must be between 1 and 4096, not -1"),
        ("mnemo.random_hypervector('q'), 1, 'nope'", "MN004", "unknown collection 'nope'"),
        ("mnemo.random_hypervector('q'), 1, null", "MN004", "unknown collection null"),
        ("mnemo.random_hypervector('q'), filter => '{\"a\": {\"$x\": 1}}'", "MN003", "unknown operator $x"),
        ("mnemo.random_hypervector('q'), filter => '[]'", "MN003", "expected an object"),
    ],
)
@pytest.mark.parametrize("function", ["search", "recall"])
def test_h5_bad_input_is_named_and_logs_nothing(
    stored: Stored, function: str, arguments: LiteralString, sqlstate: str, message: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        stored.connection.execute(
            SQL("select * from mnemo.{}({})").format(Identifier(function), SQL(arguments))
        )
    assert refused.value.sqlstate == sqlstate
    assert message in str(refused.value)
    assert stored.connection.execute("select count(*) from mnemo.access_log").fetchone() == (0,)
