"""Whatever is in the schema, as another tenant one reads, counts, changes and learns nothing of a tenant's.

Everything is found in the catalog: a table, view or function that comes without a rule fails here.
"""

import contextlib
import itertools
import re
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.tenancy.calls import Call, calls_of, routines
from tests.tenancy.catalog import Relation, digest, held_by, relations, text_of
from tests.tenancy.conftest import Estate
from tests.tenancy.estate import ALPHA, BETA, CANARY

KINDS = ("app", "reader", "vault", "all", "nobody")

# Tables that hold nothing of alpha, and why.
_EMPTY = {f"event_{slot}": "a slot of the ring of events that is not in use yet" for slot in range(1, 8)}

# Relations of no tenant that tenants read: nothing of it tells of somebody else, or what it tells is listed.
_SHARED = {
    "alembic_version": "the version of the schema",
    "archive": "where the objects of archived segments lie, which clients read; how many rows they have",
    "bi_days": "a calendar",
    "collection": "collections are everybody's",
    "policy": "the rules are everybody's",
    "ranged_attribute": "declared attributes are everybody's",
    "setting": "settings are everybody's",
    "tier": "the tiers are everybody's",
    "tier_price": "the price list",
}

# Of beta's own grants, which were made at another time.
_BY_TIME = {"audit", "audit_head", "audit_trail"}

# Functions whose answers differ without saying anything of anybody.
_OTHERWISE = {"publish": "the numbers of events are of all tenants: one sees how much is published in all"}
# Functions that change what is everybody's.
_FOR_ALL = {"collection": ("fix_dimension", "remember", "remember_staged")}

_CHANGES = (
    "delete from {0}",
    "truncate {0}",
    "lock table {0} in access exclusive mode",
    "insert into {0} select * from {0}",
    "create index on {0} ((1))",
    "drop table {0}",
    "alter table {0} disable row level security",
    "alter table {0} no force row level security",
    "drop policy tenant_rows on {0}",
    "create policy mine on {0} using (true)",
    "create rule mine as on select to {0} do instead select 1",
    "create trigger mine before insert on {0} execute function suppress_redundant_updates_trigger()",
    "create statistics on tenant, collection from {0}",
    "comment on table {0} is 'mine'",
)
_OF_A_COLUMN = "update {0} set {1} = {1}"
_OF_A_TENANT = ("update {0} set tenant = '{1}'", "insert into {0} (tenant) values ('{1}')")
_OF_A_SEQUENCE = ("select setval('{0}', 1)", "select nextval('{0}')", "select currval('{0}')")


def test_alpha_has_something_everywhere(estate: Estate) -> None:
    with psycopg.connect(estate.dsn) as connection:
        held = held_by(connection, ALPHA)
    assert {name for name, rows in held.items() if rows == 0} == set(_EMPTY)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_reads_or_counts(estate: Estate, kind: str) -> None:
    """Every relation: refused, or without a row of alpha; what is shared is listed above."""
    leaks, shared = [], set()
    with (
        psycopg.connect(estate.dsn, autocommit=True) as superuser,
        psycopg.connect(estate.conninfo(kind), autocommit=True) as connection,
    ):
        for each in relations(superuser):
            rows = _rows(connection, each)
            if rows is None:
                continue
            if CANARY in str(rows) or any(str(one) in str(rows) for one in estate.alpha.ids):
                leaks.append(each.name)
            if "tenant" in each.columns:
                place = each.columns.index("tenant")
                leaks += [each.name for row in rows if row[place] not in (BETA, None)]
            elif each.kind != "v" and rows:
                shared.add(each.name)
    assert leaks == []
    assert shared <= set(_SHARED)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_reads_as_if_there_were_no_other_tenant(estate: Estate, kind: str) -> None:
    """Each relation says to beta, who has nothing, what it says where nobody has anything."""
    told = {}
    with (
        psycopg.connect(estate.dsn, autocommit=True) as superuser,
        psycopg.connect(estate.conninfo(kind), autocommit=True) as beside_alpha,
        psycopg.connect(estate.conninfo(kind, dsn=estate.without), autocommit=True) as by_itself,
    ):
        for each in relations(superuser):
            rows = _rows(beside_alpha, each)
            if rows is not None and each.name not in _SHARED.keys() | _BY_TIME:
                told[each.name] = (rows, _rows(by_itself, each))
    assert {name: pair for name, pair in told.items() if pair[0] != pair[1]} == {}
    if kind == "all":
        assert told.keys() >= {"memories", "bi_tiers", "tenant_usage", "vault_items", "memory_hot"}


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_writes(estate: Estate, kind: str) -> None:
    """Every table and view: rows of alpha can be neither changed, nor taken, nor added."""
    done = []
    with (
        psycopg.connect(estate.dsn, autocommit=True) as superuser,
        psycopg.connect(estate.conninfo(kind), autocommit=True) as connection,
    ):
        before = digest(superuser, BETA)
        for each in relations(superuser):
            tries: list[tuple[str, ...]] = [(change,) for change in _CHANGES]
            tries += [(_OF_A_COLUMN, column) for column in each.columns]
            if "tenant" in each.columns:
                tries += itertools.product(_OF_A_TENANT, (ALPHA, BETA))
            if each.kind == "S":
                tries = [(statement,) for statement in _OF_A_SEQUENCE]
            done += [
                each.name for statement, *names in tries if _succeeds(connection, each, statement, *names)
            ]
        assert digest(superuser, BETA) == before
    # What succeeds changes beta's rows alone, of which there are none.
    assert set(done) <= {"memories"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_function_tells_or_changes_anything(estate: Estate, kind: str) -> None:
    """Every function, asked for alpha's things: it answers, or fails, as it does where alpha has nothing."""
    problems, called = [], set()
    with (
        psycopg.connect(estate.dsn, autocommit=True) as beside_alpha,
        psycopg.connect(estate.without, autocommit=True) as by_itself,
    ):
        before = digest(beside_alpha, BETA)
        for routine in routines(beside_alpha):
            for call in calls_of(routine, estate.alpha):
                called.add(routine.name)
                outcome, changed = _outcome(beside_alpha, estate.roles[kind], call, before)
                other, _ = _outcome(by_itself, estate.roles[kind], call, None)
                if any(routine.name not in _FOR_ALL.get(table, ()) for table in changed):
                    problems.append(f"{call.shown} changes {changed}")
                if CANARY in outcome:
                    problems.append(f"{call.shown} tells {outcome[:300]}")
                if routine.name not in _OTHERWISE and _masked(outcome) != _masked(other):
                    problems.append(f"{call.shown}: {_masked(outcome)[:300]} / {_masked(other)[:300]}")
    assert called >= {"remember", "search", "vault_get", "begin_export", "grant_tenant"}
    assert not problems, "\n".join(problems)


def _outcome(
    connection: psycopg.Connection[Any], role: str, call: Call, before: dict[str, str] | None
) -> tuple[str, list[str]]:
    """What a role is told, and what of others it has changed; all of it is rolled back."""
    changed: list[str] = []
    with connection.transaction(force_rollback=True):
        connection.execute("set local statement_timeout = '20s'")
        connection.execute(sql.SQL("set local session authorization {}").format(sql.Identifier(role)))
        try:
            with connection.transaction():
                rows = connection.execute(call.statement, call.values).fetchall()
                connection.execute("set constraints all immediate")
        except psycopg.Error as error:
            return f"{error.sqlstate} {text_of(error)}", changed
        connection.execute("reset session authorization")
        if before is not None:
            after = digest(connection, BETA)
            changed = [name for name in after if after[name] != before.get(name)]
    return str(rows), changed


def _masked(outcome: str) -> str:
    """An outcome without what is new each time: ids, times, hashes."""
    outcome = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", outcome)
    outcome = re.sub(r"datetime\.datetime\((?:[^()]|\([^()]*\))*\)", "<time>", outcome)
    return re.sub(r"\d{4}-\d\d-\d\d[ T][\d:.+-]+", "<time>", outcome)


def _rows(connection: psycopg.Connection[Any], relation: Relation) -> list[Any] | None:
    try:
        return connection.execute(sql.SQL("select * from {}").format(relation.identifier)).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.errors.InsufficientPrivilege:
        return None


def _succeeds(connection: psycopg.Connection[Any], relation: Relation, statement: str, *names: str) -> bool:
    """Whether a statement is not refused; what it does is rolled back."""
    told = ""
    with contextlib.suppress(psycopg.Error), connection.transaction(force_rollback=True):
        connection.execute("set local lock_timeout = '5s'")
        try:
            connection.execute(statement.format(relation.identifier.as_string(), *names).encode())
        except psycopg.Error as error:
            told = text_of(error)
            raise
        return True
    assert CANARY not in told
    return False
