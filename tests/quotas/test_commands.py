"""mnemo tenant: what each subcommand changes, says and exits with; the error as Python has it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import QuotaExceeded
from engine.mnemo import Mnemo
from tests.conftest import Connection
from tests.quotas.archiving import value


def tenant(dsn: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from engine.cli import main; main()", "tenant", *options, "--dsn", dsn]
    return subprocess.run(argv, capture_output=True, text=True)


def shown(dsn: str, *options: str) -> list[dict[str, object]]:
    done = tenant(dsn, *options, "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)["tenants"]
    return rows


def test_a_quota_is_set_shown_and_removed(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.remember('a')")
    (row,) = shown(narrow, "quota", "default", "--memories", "5", "--writes-per-minute", "60")
    assert (row["memories"], row["memories_limit"], row["bytes_limit"], row["writes_left"]) == (
        1,
        5,
        None,
        60,
    )
    printed = tenant(narrow, "usage").stdout
    assert printed.split("\n")[1].split() == ["default", "1", "5", "131", "B", "-", "60", "60", "any"]
    assert tenant(narrow, "quota", "default", "--remove", "--bytes", "1").returncode == 2
    assert shown(narrow, "quota", "default", "--remove") == []


def test_a_recount_says_by_how_much_the_counters_were_off(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', memories => 5)")
    db.execute("update mnemo.quota set memories_used = 2, bytes_used = 10")
    done = tenant(narrow, "usage", "--recount")
    assert done.stderr == "mnemo: default: off by -2 memories and -10 bytes\n"
    assert value(db, "select memories_used from mnemo.quota") == 0


def test_stores_are_named_by_url_or_directory(narrow: str, tmp_path: Path) -> None:
    (row,) = shown(narrow, "store", "eu", "s3://eu", str(tmp_path))
    assert row["stores"] == ["s3://eu", tmp_path.as_uri()]
    assert shown(narrow, "usage", "eu") == [row]
    assert tenant(narrow, "store", "eu", "s3://eu", "--any").returncode == 2
    assert shown(narrow, "store", "eu", "--any") == []
    refused = tenant(narrow, "store", "eu", "s3://eu/../us")
    assert refused.returncode == 1
    assert "'s3://eu/../us' is no URL of an object store" in refused.stderr


def test_roles_are_granted_listed_and_revoked(narrow: str) -> None:
    assert "mnemo_reader may now act for acme" in tenant(narrow, "grant", "mnemo_reader", "acme").stderr
    assert "mnemo_reader could already act for acme" in tenant(narrow, "grant", "mnemo_reader", "acme").stderr
    (role,) = json.loads(tenant(narrow, "list", "--json").stdout)["roles"]
    assert (role["tenant"], role["role"]) == ("acme", "mnemo_reader")
    assert "acme" in tenant(narrow, "list").stdout
    assert (
        "mnemo_reader may no longer act for acme" in tenant(narrow, "revoke", "mnemo_reader", "acme").stderr
    )
    assert "mnemo_reader could not act for acme" in tenant(narrow, "revoke", "mnemo_reader", "acme").stderr
    assert tenant(narrow, "grant", "nobody_of_that_name", "acme").returncode == 1


async def test_o10_python_raises_an_exception_of_its_own(narrow: str, db: Connection) -> None:
    db.execute("select mnemo.set_quota('acme', memories => 1)")
    async with Mnemo.open(narrow, tenant="acme") as mnemo:
        await mnemo.remember("a")
        with pytest.raises(
            QuotaExceeded, match="tenant 'acme' has a quota of 1 memories: 1 are used and 1 more"
        ):
            await mnemo.remember("b")
