"""Search behind row-level security: every tenant gets its k memories, few or many, by the indexes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.support.databases import Databases
from tests.support.memories import Draft, Vectors, bit_text, brute_force, clustered, stage
from tests.tenancy.people import people_of

BITS, SKETCH_BITS = 16_384, 1_536
ROWS, QUERIES, K = 20_000, 30, 10
FLOOR = 0.97
# Rows of each tenant among the first so many.
SHARES = {"half": 10_000, "hundredth": 200, "thousandth": 20, "others": 9_780}


@dataclass(frozen=True)
class Filled:
    """One tier with the memories of four tenants, and how to come there."""

    tier: str
    dsn: str
    server: str
    apps: dict[str, str]
    vectors: Vectors
    queries: Vectors
    ids: dict[str, list[UUID]]
    rows: dict[str, np.ndarray[Any, np.dtype[np.int64]]]

    def recall(self, connection: psycopg.Connection[Any], tenant: str) -> float:
        """Recall@10 of all queries against brute force; each search must find k memories."""
        found = 0
        for query in self.queries:
            rows = connection.execute(_SEARCH, [bit_text(query)]).fetchall()
            assert len(rows) == K
            best = brute_force(query, self.vectors[self.rows[tenant]], self.ids[tenant], K)
            found += len({row[0] for row in rows} & {memory_id for _, memory_id in best})
        return found / (K * QUERIES)


_SEARCH = "select memory_id from mnemo.search(%s::varbit, 10)"


@pytest.fixture(scope="module", params=["hot", "warm"])
def filled(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Filled]:
    """20,000 memories in a tier, of tenants in no order, loaded at once."""
    rng = np.random.default_rng(7)
    vectors, _ = clustered(rng, ROWS + QUERIES, BITS, 50)
    owners = rng.permutation(np.repeat(list(SHARES), list(SHARES.values())))
    rows = {tenant: np.flatnonzero(owners == tenant) for tenant in SHARES}
    ids: dict[str, list[UUID]] = {}
    with databases.migrated(BITS, SKETCH_BITS) as dsn, people_of(dsn) as people:
        with psycopg.connect(dsn, autocommit=True) as connection, connection.transaction():
            into = connection.execute("select mnemo.begin_bulk_load(%s)", [request.param]).fetchone()
            for tenant, own in rows.items():
                connection.execute("select set_config('mnemo.tenant', %s, true)", [tenant])
                stage(connection, [Draft("x", vectors[n], context=f"c{n % 100}", tier=request.param,
                                         attributes={"percent": int(n) % 100}) for n in own])  # fmt: skip
                written = connection.execute("select mnemo.remember_staged(%s)", into).fetchone()
                assert written is not None
                ids[tenant] = written[0]
            connection.execute("select mnemo.finish_bulk_load(%s)", [request.param])
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("vacuum analyze mnemo.memory, mnemo.activity")
        apps = {tenant: people.role("mnemo_app", tenants=[tenant]) for tenant in SHARES}
        server = people.role("mnemo_app", tenants=["*"])
        yield Filled(request.param, dsn, server, apps, vectors[:ROWS], vectors[ROWS:], ids, rows)


@pytest.mark.parametrize("tenant", SHARES)
def test_every_tenant_gets_k_of_the_nearest(filled: Filled, tenant: str) -> None:
    with people_of(filled.dsn) as people:
        login = people.conninfo(filled.apps[tenant])
        with psycopg.connect(login, autocommit=True) as connection:
            assert filled.recall(connection, tenant) >= FLOOR


def test_one_session_for_big_and_small_tenants(filled: Filled) -> None:
    """A server that acts for all of them in turn: what was planned for one is not what the next one gets."""
    with (
        people_of(filled.dsn) as people,
        psycopg.connect(people.conninfo(filled.server), autocommit=True) as connection,
    ):
        for _ in range(6):
            for tenant in ("half", "thousandth", "hundredth"):
                connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
                assert len(connection.execute(_SEARCH, [bit_text(filled.queries[0])]).fetchall()) == K
        for tenant in ("thousandth", "half", "hundredth", "others"):
            connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
            assert filled.recall(connection, tenant) >= FLOOR


# What is asked, by whom, and the index that must find the answer.
_ASKED: list[tuple[str, LiteralString, str]] = [
    ("half", "select mnemo.search(%s::varbit)", "sketch"),
    ("hundredth", "select mnemo.search(%s::varbit)", "context"),
    ("thousandth", "select mnemo.search(%s::varbit)", "context"),
    ("half", "select mnemo.search(%s::varbit, context => 'c7')", "context"),
    ("half", "select mnemo.search(%s::varbit, filter => '{\"percent\": 7}')", "attributes"),
    ("others", "select mnemo.search(%s::varbit, filter => '{\"percent\": 7}')", "attributes"),
]


def test_indexes_are_used_behind_row_level_security(filled: Filled) -> None:
    """An app is answered by the indexes of the tier: read from the plans of what the functions ask."""
    told: list[str] = []
    with psycopg.connect(filled.dsn, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        connection.execute("load 'auto_explain'")
        for setting in ("log_nested_statements = on", "log_analyze = on", "log_timing = off",
                        "log_level = notice", "log_min_duration = 0"):  # fmt: skip
            connection.execute(f"set auto_explain.{setting}".encode())
        # One session for all, in turns, as a server of an application has it.
        connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(filled.server)))
        for tenant, query, index in _ASKED * 2:
            connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
            told.clear()
            connection.execute(query, [bit_text(filled.queries[0])])
            used = _indexes(told, filled.tier)
            assert index in used, (tenant, query, used)
            assert "every row" not in used, (tenant, query)


def _indexes(plans: list[str], tier: str) -> set[str]:
    used = set()
    for line in "\n".join(plans).splitlines():
        scan = re.search(rf"(?:Scan using|Index Scan on) memory_{tier}_(\w+)", line)
        if scan and "never executed" not in line:
            used.add(scan[1])
        elif f"Seq Scan on memory_{tier}" in line and "never executed" not in line:
            used.add("every row")
    return used
