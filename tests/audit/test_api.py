"""The audit from Python, from the command line, and from docs/audit.md alone."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from engine import Mnemo
from engine.audit import Anchor
from engine.errors import InvalidArgument, UnknownName
from tests.audit.oracle import entries
from tests.cli.conftest import Run, environment, mnemo
from tests.conftest import Connection

__all__ = ["environment", "mnemo"]
DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
SOME = (
    "select mnemo.record_audit('vault.get', 'Zoë ' || i,"
    " jsonb_build_object('n', i, 'x', 1.50, 'ü', E'\\n\"')) from generate_series(1, 5) i"
)


@pytest.fixture
def program() -> str:
    """The program of docs/audit.md that checks an exported trail."""
    (found,) = re.findall(r"```python\n(import hashlib.*?)```", DOCS.read_text(), re.DOTALL)
    return str(found)


def check(program: str, lines: str) -> tuple[int, str]:
    """Run that program, which knows nothing of Mnemo."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=lines, capture_output=True, text=True, timeout=60
    )
    return done.returncode, (done.stdout + done.stderr).strip()


async def test_the_python_api(narrow: str, db: Connection) -> None:
    async with Mnemo.open(narrow) as opened:
        audit = opened.audit
        assert await audit.head() == Anchor(0, bytes(32))
        assert await audit.verify(expect=await audit.head()) == []
        await audit.record("event.application", "a subject", {"n": 1})
        await audit.record("vault.failure")
        with pytest.raises(InvalidArgument, match="cannot report"):
            await audit.record("vault.shred", "everything")
        found = [entry async for entry in audit.trail()]
        assert [(e.seq, e.action, e.subject, e.detail) for e in found] == [
            (1, "event.application", "a subject", '{"n": 1}'),
            (2, "vault.failure", None, "{}"),
        ]
        assert [entry.seq async for entry in audit.trail(after=1)] == [2]
        assert [entry.seq async for entry in audit.trail(most=1)] == [1]
        head = await audit.head()
        assert head == Anchor(2, found[-1].hash) == Anchor.parse(str(head))
        assert await audit.verify(expect=head) == []
        (problem,) = await audit.verify(expect=Anchor(2, bytes(32)))
        assert (problem.seq, problem.problem) == (2, "has another hash than the anchor")
        db.execute("select mnemo.configure('{\"archive_grace_days\": 9}')")
        assert await audit.chains() == ["", "default"]
        assert [entry.action async for entry in audit.trail(tenant="")] == ["setting.change"]
        assert await audit.prune(datetime.now(UTC)) == 2
        assert [entry.action async for entry in audit.trail()] == ["audit.prune"]
        with pytest.raises(UnknownName):
            await opened._value("select mnemo.record_audit('no.such')")


async def test_a_long_trail_comes_in_pages(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.record_audit('vault.get') from generate_series(1, 2500)")
    async with Mnemo.open(narrow) as opened:
        assert [entry.seq async for entry in opened.audit.trail()] == list(range(1, 2501))
        assert [e.seq async for e in opened.audit.trail(after=900, most=1100)] == list(range(901, 2001))


@pytest.mark.parametrize("text", ["", "7", "7:", ":" + "0" * 64, "x:" + "0" * 64, "-1:" + "0" * 64, "7:00"])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="SEQ:HASH"):
        Anchor.parse(text)


def test_the_commands(narrow: str, db: Connection, mnemo: Run, program: str) -> None:
    db.execute(SOME)
    db.execute("select mnemo.configure('{\"archive_grace_days\": 9}')")
    shown = mnemo("--dsn", narrow, "audit", "list", "--most", "2").out.splitlines()
    assert [line.split()[0] for line in shown] == ["entry", "4", "5"]
    assert "Zoë 5" in shown[-1]
    assert "setting.change" in mnemo("--dsn", narrow, "audit", "list", "--installation").out
    head = mnemo("--dsn", narrow, "audit", "head").out.strip()
    assert head == f"5:{entries(db, 'default')[-1]['hash'].hex()}"
    for options in ((), ("--all",), ("--installation",), ("--expect", head)):
        assert mnemo("--dsn", narrow, "audit", "verify", *options).code == 0
    exported = mnemo("--dsn", narrow, "audit", "list", "--json").out
    assert check(program, exported) == (0, head)

    db.execute("alter table mnemo.audit disable trigger refuse_change")
    db.execute("update mnemo.audit set actor = 'nobody' where tenant = 'default' and seq = 3")
    said = mnemo("--dsn", narrow, "audit", "verify")
    assert (said.code, said.out) == (
        1,
        "tenant default: entry 3: was changed: its hash is not that of its fields\n",
    )
    said = mnemo("--dsn", narrow, "audit", "verify", "--all", "--json")
    assert said.code == 1
    assert [(p["tenant"], p["seq"]) for p in json.loads(said.out)["problems"]] == [("default", 3)]
    code, message = check(program, mnemo("--dsn", narrow, "audit", "list", "--json").out)
    assert (code, message) == (1, "entry 3 was changed, or does not follow the one before it")


def test_retention_by_hand(narrow: str, db: Connection, mnemo: Run, program: str) -> None:
    db.execute(SOME)
    assert "0 entries" in mnemo("--dsn", narrow, "audit", "prune", "--days", "1").err
    assert "5 entries were removed" in mnemo("--dsn", narrow, "audit", "prune", "--days", "0", "--all").err
    assert mnemo("--dsn", narrow, "audit", "verify", "--all").code == 0
    head = mnemo("--dsn", narrow, "audit", "head").out.strip()
    assert check(program, mnemo("--dsn", narrow, "audit", "list", "--json").out) == (0, head)


@pytest.mark.parametrize(
    "options", [("--all", "--installation"), ("--all", "--expect", "1:00"), ("--expect", "1:00")]
)
def test_wrong_options_are_refused(narrow: str, mnemo: Run, options: tuple[str, ...]) -> None:
    assert mnemo("--dsn", narrow, "audit", "verify", *options).code != 0


@pytest.mark.parametrize("change", ["drop", "swap", "edit", "forge"])
def test_the_documented_program_finds_what_was_done_to_an_export(
    narrow: str, db: Connection, mnemo: Run, program: str, change: str
) -> None:
    db.execute(SOME)
    lines = mnemo("--dsn", narrow, "audit", "list", "--json").out.splitlines()
    match change:
        case "drop":
            del lines[2]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "edit":
            lines[1] = lines[1].replace("vault.get", "vault.put")
        case _:
            lines[1] = json.dumps(json.loads(lines[1]) | {"client": ""})
    assert check(program, "\n".join(lines))[0] == 1


def test_the_view_is_of_this_tenant(db: Connection) -> None:
    db.execute(
        "select mnemo.record_audit('vault.get', 'mine'), mnemo.record_audit('vault.get', 'x', '{}', 'y')"
    )
    assert db.execute("select seq, subject from mnemo.audit_trail").fetchall() == [(1, "mine")]


@pytest.mark.parametrize("tenant", ["", "b"])
def test_a_role_of_one_tenant_sees_its_audit_alone(narrow: str, db: Connection, tenant: str) -> None:
    role = f"mnemo_audit_of_a_{'b' if tenant else 'all'}"
    db.execute("select mnemo.record_audit('vault.get', t, '{}', t) from unnest('{a, b}'::text[]) t")
    db.execute("select mnemo.set_audited('vault.put', true)")
    db.execute(f"create role {role}".encode())
    try:
        db.execute(f"grant mnemo_app, mnemo_vault to {role}".encode())
        db.execute("select mnemo.grant_tenant(%s, 'a')", [role])
        with psycopg.connect(narrow, autocommit=True) as own:
            own.execute(f"set role {role}".encode())
            seen = own.execute("select tenant, seq from mnemo.audit order by seq").fetchall()
            assert seen == [("a", 1), ("a", 2)]
            assert own.execute("select * from mnemo.verify_audit()").fetchall() == []
            own.execute("select mnemo.report_audit('event.application', 'mine')")
            assert own.execute("select actor from mnemo.audit where seq = 3").fetchall() == [(role,)]
            with pytest.raises(psycopg.Error) as raised:
                own.execute("select * from mnemo.verify_audit(%s)", [tenant])
            assert raised.value.sqlstate == "MN015"
            for forbidden in (
                "insert into mnemo.audit select * from mnemo.audit",
                "update mnemo.audit_head set seq = 0",
                "delete from mnemo.audit",
                "truncate mnemo.audit",
                "select mnemo.record_audit('vault.shred')",
                "select mnemo.prune_audit(now())",
                "select mnemo.set_audited('vault.get', false)",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    own.execute(forbidden.encode())
        assert db.execute("select * from mnemo.verify_audit('a')").fetchall() == []
    finally:
        db.execute(f"drop owned by {role}".encode())
        db.execute(f"drop role {role}".encode())
