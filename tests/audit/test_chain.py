"""Entries, their hashes and their order, against hashlib."""

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.audit.oracle import entries, is_chain
from tests.conftest import Connection
from tests.support.locks import sessions

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | TEXT
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ACT = st.tuples(
    st.none() | TEXT, st.dictionaries(TEXT, VALUE, max_size=4), st.sampled_from(["", "a", "Zoë 東"])
)


def problems(db: Connection, tenant: str = "default") -> list[tuple[Any, ...]]:
    """What the database finds wrong."""
    return db.execute("select * from mnemo.verify_audit(%s)", [tenant]).fetchall()


def test_an_entry_says_who_did_what_and_when(db: Connection) -> None:
    db.execute("create role mnemo_audit_someone")
    try:
        db.execute("set application_name = 'a test'")
        db.execute("grant mnemo_owner to mnemo_audit_someone")
        db.execute("set role mnemo_audit_someone")
        db.execute("select mnemo.record_audit('vault.get', 'item 1', '{\"kind\": \"private\"}', 'acme')")
        db.execute("reset role")
        (entry,) = entries(db, "acme")
    finally:
        db.execute("reset role")
        db.execute("drop owned by mnemo_audit_someone")
        db.execute("drop role mnemo_audit_someone")
    assert (entry["actor"], entry["login"]) == ("mnemo_audit_someone", db.info.user)
    assert (entry["application"], entry["action"], entry["subject"]) == ("a test", "vault.get", "item 1")
    assert (entry["tenant"], entry["seq"], json.loads(entry["detail"])) == ("acme", 1, {"kind": "private"})
    late = db.execute("select clock_timestamp() - %s between '0' and '1 minute'", [entry["at"]]).fetchone()
    assert late == (True,)


def test_time_is_real_whatever_the_engine_says(db: Connection) -> None:
    db.execute("set mnemo.clock = '2000-01-01'")
    db.execute("select mnemo.record_audit('vault.get')")
    assert entries(db, "default")[0]["at"].year > 2000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, min_size=1, max_size=6))
def test_every_chain_is_the_one_that_is_documented(db: Connection, acts: list[tuple[Any, ...]]) -> None:
    before = {tenant: len(entries(db, tenant)) for _, _, tenant in acts}
    # Sessions of other settings write the same.
    db.execute("set timezone = 'Asia/Kathmandu'; set datestyle = 'german'; set extra_float_digits = -5")
    for subject, detail, tenant in acts:
        db.execute("select mnemo.record_audit('vault.get', %s, %s, %s)", [subject, Jsonb(detail), tenant])
    db.execute("reset timezone; reset datestyle; reset extra_float_digits")
    for tenant, count in before.items():
        found = entries(db, tenant)
        assert is_chain(found)
        assert [entry["subject"] for entry in found[count:]] == [s for s, _, t in acts if t == tenant]
        assert problems(db, tenant) == []


def test_an_act_that_is_undone_leaves_no_entry_and_no_gap(db: Connection) -> None:
    db.execute("select mnemo.record_audit('vault.get', 'first')")
    with db.transaction(force_rollback=True):
        db.execute("select mnemo.record_audit('vault.get', 'undone')")
    db.execute("select mnemo.record_audit('vault.get', 'second')")
    assert [(entry["seq"], entry["subject"]) for entry in entries(db, "default")] == [
        (1, "first"),
        (2, "second"),
    ]
    assert problems(db) == []


def test_writers_of_a_tenant_follow_each_other_and_others_do_not_wait(narrow: str, db: Connection) -> None:
    with sessions(narrow, 3) as (one, two, three):
        one.run("select 1 from mnemo.record_audit('vault.get', 'one')")
        waiting = two.start("select 1 from mnemo.record_audit('vault.get', 'two')")
        assert not waiting.done()
        three.run("select 1 from mnemo.record_audit('vault.get', 'three', '{}', 'other')")
        three.commit()
        one.commit()
        waiting.result()
        two.commit()
    assert [entry["subject"] for entry in entries(db, "default")] == ["one", "two"]
    assert is_chain(entries(db, "default"))
    assert is_chain(entries(db, "other"))


@pytest.mark.slow
def test_thousands_of_entries_of_writers_at_once_are_one_chain(narrow: str, db: Connection) -> None:
    with sessions(narrow, 8) as writers:
        for writer in writers:
            writer.connection.autocommit = True
        for n in range(40):
            done = [
                writer.start(
                    "select count(mnemo.record_audit('vault.get', %s || i::text))"
                    " from generate_series(1, 10) i",
                    f"{n} of {place}: ",
                )
                for place, writer in enumerate(writers)
            ]
            for future in done:
                future.result()
    found = entries(db, "default")
    assert len(found) == 8 * 40 * 10
    assert is_chain(found)
    assert problems(db) == []


def test_the_first_entries_of_two_sessions_meet(narrow: str, db: Connection) -> None:
    with sessions(narrow, 2) as (one, two):
        one.run("select 1 from mnemo.record_audit('vault.get', 'one', '{}', 'new')")
        waiting = two.start("select 1 from mnemo.record_audit('vault.get', 'two', '{}', 'new')")
        one.rollback()
        waiting.result()
        two.commit()
    assert [entry["subject"] for entry in entries(db, "new")] == ["two"]
    assert problems(db, "new") == []


def test_acts_can_be_turned_off_but_not_unnoticed(db: Connection) -> None:
    db.execute("select mnemo.set_audited('vault.get', false)")
    db.execute("select mnemo.record_audit('vault.get')")
    assert entries(db, "default") == []
    db.execute("select mnemo.set_audited('vault.get', true)")
    db.execute("select mnemo.record_audit('vault.get')")
    assert len(entries(db, "default")) == 1
    assert [(e["action"], e["subject"], json.loads(e["detail"])) for e in entries(db, "")] == [
        ("audit.set", "vault.get", {"audited": False}),
        ("audit.set", "vault.get", {"audited": True}),
    ]


@pytest.mark.parametrize(
    ("call", "state"),
    [
        ("select mnemo.record_audit('no.such')", "MN010"),
        ("select mnemo.record_audit(null)", "MN010"),
        ("select mnemo.set_audited('no.such', true)", "MN010"),
        ("select mnemo.set_audited('vault.get', null)", "MN002"),
        ("select mnemo.set_audited('audit.set', false)", "MN002"),
        ("select mnemo.set_audited('audit.prune', false)", "MN002"),
        ("select mnemo.report_audit('vault.shred')", "MN002"),
        ("select mnemo.report_audit('event.application', 'x', '[]')", "MN002"),
        ("select mnemo.report_audit('event.application', 'x', null)", "MN002"),
        ("select mnemo.report_audit('event.application', repeat('x', 4001))", "MN002"),
        ("select mnemo.verify_audit('default', 1)", "MN002"),
        ("select mnemo.prune_audit(clock_timestamp() + interval '1 hour')", "MN002"),
        ("select mnemo.prune_audit(null)", "MN002"),
        ("select mnemo.prune_audit(clock_timestamp(), 'default', 0)", "MN002"),
    ],
)
def test_mistakes_are_refused(db: Connection, call: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(call.encode())
    assert raised.value.sqlstate == state


def test_applications_report_what_only_they_know(db: Connection) -> None:
    db.execute("select mnemo.report_audit('vault.failure', 'item', '{\"error\": \"SealBroken\"}')")
    assert [(e["action"], e["subject"]) for e in entries(db, "default")] == [("vault.failure", "item")]
