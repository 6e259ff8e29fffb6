"""Every sensitive act of the engine leaves its entry, in its own transaction."""

import json
from dataclasses import dataclass
from typing import Any, LiteralString

import pytest

from tests.audit.oracle import entries
from tests.audit.test_chain import problems
from tests.conftest import Connection

_STORE = "select mnemo.attach_store('file:///objects')"
_OBJECT = (
    "insert into mnemo.object (key, owner, attempt, state, bytes, sha256, changed_at)"
    " select database || '/segments/' || database || '/x.npy', database, database, 'dropped', 1, sha256(''),"
    " now() - interval '1 day' from mnemo.identity"
)


@dataclass(frozen=True)
class Act:
    """A statement, the entry that it leaves, and what has to be there before."""

    action: str
    statement: LiteralString
    subject: str | None
    detail: dict[str, Any]
    tenant: str = ""
    before: tuple[LiteralString, ...] = ()

    def __str__(self) -> str:
        return self.action


ACTS = [
    Act("tenant.grant", "select mnemo.grant_tenant('mnemo_app', 'acme')", "mnemo_app", {}, "acme"),
    Act("tenant.grant", "select mnemo.grant_tenant('mnemo_app', '*')", "mnemo_app", {}),
    Act(
        "tenant.revoke",
        "select mnemo.revoke_tenant('mnemo_app', 'acme')",
        "mnemo_app",
        {},
        "acme",
        ("select mnemo.grant_tenant('mnemo_app', 'acme')",),
    ),
    Act(
        "setting.change",
        "select mnemo.configure('{\"archive_grace_days\": 9, \"hot_threshold\": 0.8,"
        " \"half_life_days\": 30}')",
        None,
        {"archive_grace_days": 9, "hot_threshold": 0.8},
    ),
    Act("collection.create", "select mnemo.create_collection('facts')", "facts", {"encoder": "composite"}),
    Act("job.add", "select mnemo.add_job('x', 'mnemo.prune_step', '1 day', '{\"key\": \"secret\"}')", "x",
        {"function": "mnemo.prune_step", "every": "1 day"}),
    Act("job.alter", "select mnemo.alter_job('prune', '{\"arguments\": {\"key\": \"secret\"}}')", "prune",
        {"settings": ["arguments"], "function": "mnemo.prune_step", "enabled": True}),
    Act("job.remove", "select mnemo.remove_job('prune')", "prune", {}),
    Act("audit.set", "select mnemo.set_audited('memory.forget', true)", "memory.forget", {"audited": True}),
    Act("object.delete", "select mnemo.claim_garbage((select database from mnemo.identity),"
        " (select array_agg(key) from mnemo.object), '{}')", None, {"objects": 1}, "",
        (_STORE, "select mnemo.configure('{\"archive_grace_days\": 0}')", _OBJECT)),
    Act("memory.forget", "select mnemo.forget(id) from mnemo.memory", None, {}, "default",
        ("select mnemo.set_audited('memory.forget', true)", "select mnemo.remember('a secret')")),
    Act("memory.forget", "select mnemo.forget_many(array_agg(id)) from mnemo.memory", None, {"memories": 2},
        "default",
        ("select mnemo.set_audited('memory.forget', true)",
         "select mnemo.remember('a secret'), mnemo.remember('another')")),
    Act("quota.set", "select mnemo.set_quota('acme', 10)", "acme",
        {"memories": 10, "bytes": None, "writes_per_minute": None}, "acme"),
    Act("quota.remove", "select mnemo.remove_quota('acme')", "acme", {}, "acme",
        ("select mnemo.set_quota('acme', 10)",)),
]  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=[f"{n}-{act}" for n, act in enumerate(ACTS)])
def test_an_act_is_entered(db: Connection, act: Act) -> None:
    for statement in act.before:
        db.execute(statement)
    count = len(entries(db, act.tenant))
    with db.transaction(force_rollback=True):
        db.execute(act.statement)
        assert len(entries(db, act.tenant)) == count + 1
    assert len(entries(db, act.tenant)) == count
    db.execute(act.statement)
    entry = entries(db, act.tenant)[-1]
    assert entry["action"] == act.action
    assert entry["actor"] == db.info.user
    if act.subject is not None:
        assert entry["subject"] == act.subject
    assert json.loads(entry["detail"]) == act.detail
    assert "secret" not in entry["detail"]
    assert problems(db, act.tenant) == []


def test_a_change_of_a_policy_is_entered_as_its_history_has_it(db: Connection) -> None:
    db.execute("select mnemo.add_ttl_policy('old', '90 days', reason => 'the law')")
    db.execute("select mnemo.alter_ttl_policy('old', '{\"after\": \"30 days\"}', 'another law')")
    db.execute("select mnemo.remove_ttl_policy('old', 'no law')")
    found = [
        (e["subject"], json.loads(e["detail"])) for e in entries(db, "") if e["action"] == "policy.change"
    ]
    history = db.execute(
        "select policy, change, before, after, reason from mnemo.policy_change"
        " where policy = 'old' order by change"
    ).fetchall()
    assert [detail["reason"] for _, detail in found] == ["the law", "another law", "no law"]
    assert found == [
        (policy, {"change": change, "before": before, "after": after, "reason": reason})
        for policy, change, before, after, reason in history
    ]


def test_a_store_is_entered_when_it_is_attached_or_moved(db: Connection) -> None:
    for statement in (_STORE, _STORE, "select mnemo.attach_store('s3://key:secret@b/p?secret=1', true)"):
        db.execute(statement.encode())
    found = [(e["subject"], json.loads(e["detail"])["moved"], e["action"]) for e in entries(db, "")]
    assert found == [("file:///objects", False, "store.attach"), ("s3://b/p", True, "store.attach")]


def test_the_ranking_of_a_collection_is_entered(db: Connection) -> None:
    (ranking,) = (
        db.execute("select mnemo.alter_collection('memories', '{\"candidates\": 7}')").fetchone() or ()
    )
    entry = entries(db, "")[-1]
    assert (entry["action"], entry["subject"]) == ("collection.alter", "memories")
    assert json.loads(entry["detail"]) == {"ranking": ranking}


def test_what_changes_nothing_is_not_entered(db: Connection) -> None:
    db.execute("select mnemo.grant_tenant('mnemo_app', 'acme')")
    before = len(entries(db, "")), len(entries(db, "acme"))
    db.execute("select mnemo.grant_tenant('mnemo_app', 'acme'), mnemo.revoke_tenant('mnemo_app', 'other')")
    db.execute("select mnemo.configure('{\"half_life_days\": 30}'), mnemo.create_collection('memories')")
    db.execute("select mnemo.forget(gen_random_uuid()), mnemo.forget_many('{}')")
    assert (len(entries(db, "")), len(entries(db, "acme"))) == before


def test_forgetting_is_not_entered_unless_asked_for(db: Connection) -> None:
    db.execute("select mnemo.remember('a secret')")
    db.execute("select mnemo.forget(id) from mnemo.memory")
    assert entries(db, "default") == []


def test_every_act_of_the_functions_is_described(db: Connection) -> None:
    rows = db.execute(
        "select distinct m[1]"
        " from pg_proc p, regexp_matches(p.prosrc, 'record_audit\\(\\s*''([a-z._]+)''', 'g') m"
        " where p.pronamespace = 'mnemo'::regnamespace"
    ).fetchall()
    described = {row[0] for row in db.execute("select action from mnemo.audit_action").fetchall()}
    assert {row[0] for row in rows} <= described
