"""Whoever gets past the triggers, as a superuser does, is found."""

from typing import LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.audit.oracle import entries, entry_hash, is_chain
from tests.audit.test_chain import problems
from tests.conftest import Connection

TABLES = ("audit", "audit_head", "audit_checkpoint")
CHANGES: dict[str, LiteralString] = {
    "at": "at + interval '1 microsecond'",
    "actor": "'somebody else'",
    "login": "'somebody else'",
    "client": "'10.0.0.1'",
    "application": "coalesce(application, '') || ' '",
    "action": "'vault.put'",
    "subject": "subject || 'x'",
    "detail": "'{\"n\": 2}'",
    "previous": "sha256('x')",
    "hash": "sha256('x')",
}


@pytest.fixture
def chain(db: Connection) -> Connection:
    """A connection of a superuser who turned the triggers off; the chain of 'default' has seven entries."""
    db.execute(
        "select mnemo.record_audit('vault.get', 'item ' || i, '{\"n\": 1}') from generate_series(1, 7) i"
    )
    db.execute("select mnemo.record_audit('vault.get', 'item', '{}', 'other')")
    assert problems(db) == []
    for table in TABLES:
        db.execute(sql.SQL("alter table mnemo.{} disable trigger all").format(sql.Identifier(table)))
    return db


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("seq", [1, 4, 7])
def test_a_changed_column_is_found(chain: Connection, column: str, seq: int) -> None:
    statement = sql.SQL("update mnemo.audit set {} = {} where tenant = 'default' and seq = %s")
    chain.execute(statement.format(sql.Identifier(column), sql.SQL(CHANGES[column])), [seq])
    assert (seq, "was changed: its hash is not that of its fields") in problems(chain)
    assert problems(chain, "other") == []


def test_an_entry_moved_to_another_chain_is_found(chain: Connection) -> None:
    chain.execute("update mnemo.audit set tenant = 'other', seq = 2 where tenant = 'default' and seq = 7")
    assert [seq for seq, _ in problems(chain, "other")] == [2, 2, 1]
    assert problems(chain) == [(7, "the head is this entry, the last one is 6")]


def test_null_and_empty_are_two_values(chain: Connection) -> None:
    chain.execute("select mnemo.record_audit('vault.get', null, '{}', 'nulls')")
    chain.execute("update mnemo.audit set subject = '' where tenant = 'nulls'")
    assert [seq for seq, _ in problems(chain, "nulls")] == [1]


@pytest.mark.parametrize(
    ("gone", "found"),
    [
        ([1], (2, "entry 1 before it is missing")),
        ([4], (5, "entry 4 before it is missing")),
        ([2, 3, 4], (5, "entries 2 to 4 before it are missing")),
        ([7], (7, "the head is this entry, the last one is 6")),
        ([1, 2, 3, 4, 5, 6, 7], (7, "the head is here, and no entry is")),
    ],
)
def test_removed_entries_are_found(chain: Connection, gone: list[int], found: tuple[int, str]) -> None:
    chain.execute("delete from mnemo.audit where tenant = 'default' and seq = any (%s)", [gone])
    assert problems(chain) == [found]


def test_a_gap_that_was_closed_is_found(chain: Connection) -> None:
    chain.execute("delete from mnemo.audit where tenant = 'default' and seq = 3")
    for seq in (4, 5, 6, 7):
        chain.execute("update mnemo.audit set seq = seq - 1 where tenant = 'default' and seq = %s", [seq])
    chain.execute("update mnemo.audit_head set seq = 6 where tenant = 'default'")
    changed = "was changed: its hash is not that of its fields"
    assert problems(chain) == [
        (3, changed),
        (3, "does not link to the entry before it"),
        (4, changed),
        (5, changed),
        (6, changed),
    ]


def test_swapped_entries_are_found(chain: Connection) -> None:
    for before, after in ((3, 100), (5, 3), (100, 5)):
        chain.execute(
            "update mnemo.audit set seq = %s where tenant = 'default' and seq = %s", [after, before]
        )
    assert {3, 5} <= {seq for seq, problem in problems(chain) if problem.startswith("was changed")}


def test_an_inserted_entry_with_the_hash_it_must_have_is_found(chain: Connection) -> None:
    chain.execute("update mnemo.audit set seq = seq + 100 where tenant = 'default' and seq > 3")
    chain.execute("update mnemo.audit set seq = seq - 99 where tenant = 'default' and seq > 100")
    third = entries(chain, "default")[2]
    forged = {**third, "seq": 4, "subject": "forged", "previous": third["hash"]}
    insert(chain, forged)
    found = problems(chain)
    assert (4, "was changed: its hash is not that of its fields") not in found
    assert (5, "does not link to the entry before it") in found


def test_an_appended_entry_without_the_head_is_found(chain: Connection) -> None:
    last = entries(chain, "default")[-1]
    insert(chain, {**last, "seq": 8, "previous": last["hash"]})
    assert problems(chain) == [(7, "the head is this entry; more follow, up to 8")]


def test_a_head_that_is_missing_or_another_is_found(chain: Connection) -> None:
    chain.execute("update mnemo.audit_head set hash = sha256('x') where tenant = 'default'")
    assert problems(chain) == [(7, "the head has another hash than the last entry")]
    chain.execute("delete from mnemo.audit_head where tenant = 'default'")
    assert problems(chain) == [(7, "the head of the chain is missing")]


def test_the_oldest_do_not_go_by_a_forged_checkpoint(chain: Connection) -> None:
    chain.execute(
        "insert into mnemo.audit_checkpoint (tenant, seq, hash, at)"
        " select tenant, seq, hash, at from mnemo.audit where tenant = 'default' and seq = 3"
    )
    chain.execute("delete from mnemo.audit where tenant = 'default' and seq <= 3")
    assert problems(chain) == [(3, "no entry says that the entries up to this one were removed")]


def test_only_an_anchor_finds_a_tail_taken_with_its_head(chain: Connection) -> None:
    seq, anchor = chain.execute("select seq, hash from mnemo.audit_head where tenant = 'default'").fetchall()[
        0
    ]
    chain.execute("delete from mnemo.audit where tenant = 'default' and seq > 5")
    chain.execute(
        "update mnemo.audit_head h set seq = a.seq, hash = a.hash from mnemo.audit a"
        " where a.tenant = h.tenant and h.tenant = 'default' and a.seq = 5"
    )
    assert problems(chain) == []
    verify = "select * from mnemo.verify_audit('default', %s, %s)"
    assert chain.execute(verify, [seq, anchor]).fetchall() == [(7, "the anchor is missing")]
    chain.execute("select mnemo.record_audit('vault.get', 'another') from generate_series(1, 2)")
    assert problems(chain) == []
    assert chain.execute(verify, [seq, anchor]).fetchall() == [(7, "has another hash than the anchor")]


def test_only_an_anchor_finds_a_chain_computed_anew(chain: Connection) -> None:
    anchor = entries(chain, "default")[-1]
    previous = bytes(32)
    for entry in entries(chain, "default"):
        entry |= {"previous": previous, "subject": "innocent"}
        previous = entry_hash(entry)
        chain.execute("delete from mnemo.audit where tenant = 'default' and seq = %s", [entry["seq"]])
        insert(chain, entry)
    chain.execute("update mnemo.audit_head set hash = %s where tenant = 'default'", [previous])
    assert is_chain(entries(chain, "default"))
    assert problems(chain) == []
    found = chain.execute("select * from mnemo.verify_audit('default', 7, %s)", [anchor["hash"]]).fetchall()
    assert found == [(7, "has another hash than the anchor")]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("replica", [False, True])
def test_nobody_changes_the_audit_while_its_triggers_are_on(
    db: Connection, table: str, replica: bool
) -> None:
    db.execute("select mnemo.record_audit('vault.get') from generate_series(1, 3)")
    assert db.execute("select mnemo.prune_audit(clock_timestamp(), 'default', 1)").fetchone() == (1,)
    if replica:
        db.execute("set session_replication_role = replica")
    statements = ["delete from mnemo.{}", "truncate mnemo.{}"]
    if table == "audit":
        statements += ["update mnemo.{} set subject = 'x'", "delete from mnemo.{} where seq = 2"]
    for statement in statements:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            db.execute(sql.SQL(statement).format(sql.Identifier(table)))
    assert problems(db) == []


def test_the_doctor_tells(chain: Connection) -> None:
    def finding(deep: bool) -> tuple[str, str]:
        query = "select status, detail from mnemo.doctor(%s) where \"check\" = 'audit'"
        ((status, detail),) = chain.execute(query, [deep]).fetchall()
        return status, detail

    assert finding(False)[0] == "fail"
    assert "trigger check_delete of mnemo.audit is off" in finding(False)[1]
    chain.execute("alter table mnemo.audit enable always trigger check_delete")
    for table in TABLES:
        enable = sql.SQL("alter table mnemo.{} enable always trigger refuse_change")
        chain.execute(enable.format(sql.Identifier(table)))
    assert finding(True)[0] == "ok"
    chain.execute("alter table mnemo.audit disable trigger refuse_change")
    chain.execute("update mnemo.audit set subject = 'x' where seq = 2")
    chain.execute("alter table mnemo.audit enable always trigger refuse_change")
    assert finding(False)[0] == "ok"
    assert finding(True) == (
        "fail",
        "entry 2 of 'default' was changed: its hash is not that of its fields",
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seqs=st.permutations(list(range(1, 8))), kept=st.integers(0, 7))
def test_no_other_order_and_no_other_selection_verifies(
    chain: Connection, seqs: list[int], kept: int
) -> None:
    """Any selection of the entries, in any order, numbered from 1 on: only whole beginnings are chains."""
    with chain.transaction(force_rollback=True):
        whole = entries(chain, "default")
        chain.execute("delete from mnemo.audit where tenant = 'default'")
        for seq, place in enumerate(seqs[:kept], start=1):
            insert(chain, {**whole[place - 1], "seq": seq}, hashed=False)
        is_beginning = seqs[:kept] == list(range(1, kept + 1))
        found = chain.execute("select * from mnemo.audit_problems('default', 0, 100)").fetchall()
        assert (found == []) == is_beginning == is_chain(entries(chain, "default"))
        assert (problems(chain) == []) == (is_beginning and kept == 7)


def insert(db: Connection, entry: dict[str, object], *, hashed: bool = True) -> None:
    """Write an entry past everything, by default with the hash it must have."""
    if hashed:
        entry = {**entry, "hash": entry_hash(entry)}
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in entry)
    values = sql.SQL(", ").join(sql.Placeholder(name) for name in entry)
    db.execute(sql.SQL("insert into mnemo.audit ({}) values ({})").format(columns, values), entry)
