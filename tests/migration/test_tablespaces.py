"""Tiers in tablespaces of their own, where the operator made them."""

from collections.abc import Iterator

import psycopg
import pytest

from engine import migrate
from tests.support.databases import Databases

TIERS = ("hot", "warm", "cold")


@pytest.fixture
def tiers_dsn(databases: Databases) -> Iterator[str]:
    """An empty database on a server that has the three tablespaces, each in its own directory there."""
    with psycopg.connect(databases.server_dsn, autocommit=True) as server:
        # The directories must be the server's: it may run elsewhere, or as another user.
        server.execute("create temp table made (path text)")
        server.execute("copy made from program 'mktemp -d /tmp/mnemo-tiers-XXXXXX'")
        row = server.execute("select path from made").fetchone()
        assert row is not None
        root = row[0]
        for tier in TIERS:
            server.execute(f"copy (select) to program 'mkdir {root}/{tier}'")
            server.execute(f"create tablespace mnemo_{tier} location '{root}/{tier}'")
        try:
            with databases.empty() as dsn:
                yield dsn
        finally:
            for tier in TIERS:
                server.execute(f"drop tablespace mnemo_{tier}")
            server.execute(f"copy (select) to program 'rm -r {root}'")


def relations(connection: psycopg.Connection, name: str) -> dict[str, str | None]:
    """Return relation -> tablespace (None: the database's own) of a table and all that hangs on it."""
    rows = connection.execute(
        "with t as (select oid, reltoastrelid from pg_class where oid = %s::regclass)"
        " select c.relname, s.spcname from pg_class c left join pg_tablespace s on s.oid = c.reltablespace"
        " where c.oid in (select oid from t union select reltoastrelid from t"
        " union select indexrelid from pg_index, t where indrelid in (t.oid, t.reltoastrelid))",
        [f"mnemo.{name}"],
    ).fetchall()
    return dict(rows)


def test_partitions_and_their_indexes_live_in_the_tablespace_of_their_tier(tiers_dsn: str) -> None:
    migrate.upgrade(tiers_dsn)
    with psycopg.connect(tiers_dsn) as connection:
        partitions = connection.execute("select relation, tier from mnemo.segment").fetchall()
        assert {tier for _, tier in partitions} == set(TIERS)
        for relation, tier in partitions:
            found = relations(connection, relation)
            assert len(found) >= 4, "the table, its key, its TOAST table and the index of that"
            assert set(found.values()) == {f"mnemo_{tier}"}, relation
        # Nothing else moved.
        assert set(relations(connection, "activity").values()) == {None}


def test_without_tablespaces_everything_is_in_the_databases_own(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        elsewhere = connection.execute(
            "select relname from pg_class where reltablespace <> 0 and relnamespace = 'mnemo'::regnamespace"
        ).fetchall()
    assert elsewhere == []
