"""The commands about restoring, compacting, collecting and attaching, on a directory store."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from engine.cli.group import group
from tests.conftest import DatabaseFactory
from tests.support.archives import keys_in


class Commands:
    """Runs commands on one database and store."""

    def __init__(self, dsn: str, store: Path) -> None:
        self._env = {"MNEMO_DSN": dsn, "MNEMO_ARCHIVE__URL": str(store)}

    def run(self, *arguments: str, code: int = 0) -> str:
        """Return what a command prints on standard output; what is wrong where it fails."""
        result = CliRunner().invoke(group, arguments, env=self._env)
        assert result.exit_code == code, result.output
        return result.stderr + str(result.exception) if code else result.stdout

    def json(self, *arguments: str) -> Any:
        """Return what a command prints with --json."""
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


def test_an_archive_by_commands(small_dsn: str, tmp_path: Path) -> None:
    store = tmp_path / "objects"
    mnemo = Commands(small_dsn, store)
    with psycopg.connect(small_dsn, autocommit=True) as db:
        db.execute(
            "select mnemo.remember('number ' || n, key => 'k' || n, tier => 'cold')"
            " from generate_series(1, 20) n"
        )
        assert mnemo.json("archive", "run", "--now")["memories"] == 20
        asked = ("recall", "number 7", "--archive", "-k", "1")
        assert "mnemo restore" in mnemo.run(*asked, "--explain")
        (hit,) = mnemo.json(*asked, "--explain")["hits"]
        assert (hit["tier"], [reason["part"] for reason in hit["reasons"]]) == ("archive", ["note"])
        assert mnemo.json("restore", "--key", "k1", "--key", "k2")["restored"] == 2
        assert mnemo.json("restore", "--key", "k1")["restored"] == 0
        (shown,) = [
            line.split() for line in mnemo.run("archive", "status").splitlines() if " archived " in line
        ]
        assert shown[2:4] == ["18", "2"]
        assert "'nobody'" in mnemo.run("restore", "--key", "nobody", code=1)
        assert "--copies" in mnemo.run("restore", "--copies", "--all", code=2)
        db.execute("select mnemo.forget(k.id) from mnemo.memory_key k where k.key ~ '^k[3-9]$'")
        (one,) = mnemo.json("archive", "compact")["compactions"]
        assert (one["rows"], one["memories"]) == (20, 11)
        assert mnemo.json("archive", "compact") == {"compactions": []}
        assert mnemo.json("archive", "gc") == {"dry_run": False, "objects": [], "waiting": 3}
        db.execute("select mnemo.configure('{\"archive_grace_days\": 0}')")
        before = keys_in(store)
        planned = mnemo.json("archive", "gc", "--dry-run")
        assert (len(planned["objects"]), planned["waiting"]) == (3, 0)
        assert keys_in(store) == before
        mnemo.run("archive", "gc")
        assert before - keys_in(store) == {found["key"] for found in planned["objects"]}
        elsewhere = str(tmp_path / "elsewhere")
        assert elsewhere in mnemo.run("archive", "attach", "--store", elsewhere, code=1)
        attached = mnemo.json("archive", "attach", "--adopt")
        assert (attached["store"], attached["adopted"]) == (store.as_uri(), 0)
        assert mnemo.json("restore", "--all", "--tier", "cold")["restored"] == 11
        tiers = db.execute("select tier, count(*) from mnemo.activity group by 1 order by 1").fetchall()
        assert tiers == [("cold", 11), ("warm", 2)]
