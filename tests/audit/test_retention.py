"""Retention removes the oldest entries, and what is left goes on verifying."""

import json
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.oracle import entries, is_chain
from tests.audit.test_chain import problems
from tests.conftest import Connection
from tests.support.locks import sessions


def fill(db: Connection, count: int, tenant: str = "default") -> None:
    """Add entries, each in a transaction of its own."""
    for n in range(count):
        db.execute("select mnemo.record_audit('vault.get', %s, '{}', %s)", [str(n), tenant])


def time_of(db: Connection, seq: int) -> datetime:
    """When an entry was made."""
    (at,) = (e["at"] for e in entries(db, "default") if e["seq"] == seq)
    assert isinstance(at, datetime)
    return at


def prune(db: Connection, before: datetime, most: int | None = None) -> int:
    """Remove entries; return how many."""
    ((removed,),) = db.execute("select mnemo.prune_audit(%s, 'default', %s)", [before, most]).fetchall()
    return int(removed)


def test_what_is_left_verifies_and_says_what_went(db: Connection) -> None:
    fill(db, 10)
    sixth = entries(db, "default")[5]
    before = time_of(db, 7)
    assert prune(db, before) == 6
    left = entries(db, "default")
    assert [entry["seq"] for entry in left] == [7, 8, 9, 10, 11]
    assert is_chain(left, sixth["hash"], 6)
    assert left[-1]["action"] == "audit.prune"
    said = json.loads(left[-1]["detail"])
    assert (said["seq"], said["hash"], said["entries"]) == (6, sixth["hash"].hex(), 6)
    assert db.execute("select tenant, seq, hash from mnemo.audit_checkpoint").fetchall() == [
        ("default", 6, sixth["hash"])
    ]
    assert problems(db) == []
    assert prune(db, before) == 0


def test_again_and_again_down_to_the_last(db: Connection) -> None:
    fill(db, 5)
    assert prune(db, time_of(db, 3)) == 2
    fill(db, 2)
    assert prune(db, time_of(db, 5) + timedelta(microseconds=1), most=2) == 2
    assert prune(db, time_of(db, 5) + timedelta(microseconds=1)) == 1
    assert problems(db) == []
    ((now,),) = db.execute("select clock_timestamp()").fetchall()
    prune(db, now)
    assert [entry["action"] for entry in entries(db, "default")] == ["audit.prune"]
    assert problems(db) == []


def test_anchors(db: Connection) -> None:
    fill(db, 6)
    hashes = {entry["seq"]: entry["hash"] for entry in entries(db, "default")}
    prune(db, time_of(db, 4))

    def verify(seq: int) -> list[tuple[int, str]]:
        query = "select * from mnemo.verify_audit('default', %s, %s)"
        return db.execute(query, [seq, hashes[seq]]).fetchall()

    assert [verify(seq) for seq in (3, 4, 6)] == [[], [], []]
    removed = "the anchor was removed by retention, which went up to 3: keep a newer one"
    assert verify(2) == [(2, removed)]


def test_a_beginning_that_does_not_verify_stays(db: Connection) -> None:
    fill(db, 6)
    fill(db, 3, "other")
    before = time_of(db, 5)
    db.execute("alter table mnemo.audit disable trigger refuse_change")
    db.execute("update mnemo.audit set subject = 'x' where tenant = 'default' and seq = 2")
    with pytest.raises(psycopg.errors.DataCorrupted, match="entry 2 was changed"):
        prune(db, before)
    assert len(entries(db, "default")) == 6
    # The job leaves it, and goes on with the other chains.
    db.execute("update mnemo.setting set value = 1e-9 where name = 'audit_keep_days'")
    db.execute("set client_min_messages = error")
    while db.execute("select mnemo.prune_audit_step('{}')").fetchone() != (0,):
        pass
    assert len(entries(db, "default")) == 6
    assert [entry["action"] for entry in entries(db, "other")][-1] == "audit.prune"
    assert problems(db, "other") == []


def test_the_job_keeps_what_is_young_and_can_be_off(db: Connection) -> None:
    fill(db, 3)
    assert db.execute("select mnemo.prune_audit_step('{}')").fetchone() == (0,)
    assert db.execute("select function, enabled from mnemo.job where name = 'prune_audit'").fetchone() == (
        "mnemo.prune_audit_step",
        True,
    )
    db.execute("select mnemo.configure('{\"audit_keep_days\": 0}')")
    assert db.execute("select mnemo.prune_audit_step('{}')").fetchone() == (0,)
    assert len(entries(db, "default")) == 3


@pytest.mark.parametrize(
    "forged",
    [
        # A checkpoint alone, an entry alone, and both for another entry than the last that goes.
        ["insert into mnemo.audit_checkpoint select at, seq, tenant, hash from mnemo.audit where seq = 3"],
        [
            "select mnemo.record_audit('audit.prune', null, jsonb_build_object('seq', seq, 'hash',"
            " encode(hash, 'hex')), 'default') from mnemo.audit where seq = 3"
        ],
        [
            "insert into mnemo.audit_checkpoint select at, seq, tenant, hash from mnemo.audit where seq = 2",
            "select mnemo.record_audit('audit.prune', null, jsonb_build_object('seq', seq, 'hash',"
            " encode(hash, 'hex')), 'default') from mnemo.audit where seq = 2",
        ],
    ],
)
def test_an_owner_cannot_delete_without_the_trace(db: Connection, forged: list[str]) -> None:
    fill(db, 5)
    for statement in forged:
        db.execute(statement.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        db.execute("delete from mnemo.audit where tenant = 'default' and seq <= 3")


def test_a_middle_cannot_be_deleted_with_the_trace(db: Connection) -> None:
    fill(db, 5)
    db.execute(
        "insert into mnemo.audit_checkpoint select at, seq, tenant, hash from mnemo.audit where seq = 3"
    )
    db.execute(
        "select mnemo.record_audit('audit.prune', null, jsonb_build_object('seq', seq, 'hash',"
        " encode(hash, 'hex')), 'default') from mnemo.audit where seq = 3"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        db.execute("delete from mnemo.audit where tenant = 'default' and seq = 3")


def test_who_adds_an_entry_waits_for_retention(narrow: str, db: Connection) -> None:
    fill(db, 3)
    with sessions(narrow, 2) as (one, two):
        assert one.run("select mnemo.prune_audit(%s)", time_of(db, 3)) == 2
        waiting = two.start("select 1 from mnemo.record_audit('vault.get', 'late')")
        assert not waiting.done()
        one.commit()
        waiting.result()
        two.commit()
    assert [entry["seq"] for entry in entries(db, "default")] == [3, 4, 5]
    assert problems(db) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 5)), max_size=6))
def test_any_sequence_of_entries_and_retention_verifies(
    db: Connection, steps: list[tuple[int, int, int]]
) -> None:
    for count, place, most in steps:
        fill(db, count)
        there = entries(db, "default")
        if place < len(there):
            assert prune(db, there[place]["at"], most) == min(place, most)
        left = entries(db, "default")
        cut = db.execute("select hash, seq from mnemo.audit_checkpoint where tenant = 'default'").fetchone()
        assert is_chain(left, *(cut or ()))
        assert problems(db) == []
