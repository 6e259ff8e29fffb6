"""mnemo vault, as somebody uses it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.vault.test_shredding import backup

pytestmark = pytest.mark.slow

_PROGRAM = (sys.executable, "-c", "from engine.cli import main; main()", "vault")


class Command:
    """mnemo vault on one database and key store."""

    def __init__(self, dsn: str, keys: str | None) -> None:
        self.environment = {**os.environ, "MNEMO_DSN": dsn} | (
            {} if keys is None else {"MNEMO_VAULT__KEYS": keys}
        )

    def __call__(self, *arguments: str | Path, given: bytes = b"") -> bytes:
        """Run it, and return its output; it must succeed."""
        done = self._run(arguments, given)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def refused(self, *arguments: str | Path, given: bytes = b"") -> str:
        """Run it, and return what it says; it must fail."""
        done = self._run(arguments, given)
        assert done.returncode != 0
        assert b"Traceback" not in done.stderr
        return done.stderr.decode()

    def _run(self, arguments: tuple[str | Path, ...], given: bytes) -> "subprocess.CompletedProcess[bytes]":
        argv = [*_PROGRAM, *map(str, arguments)]
        return subprocess.run(argv, input=given, capture_output=True, env=self.environment, check=False)


@pytest.fixture
def vault(dsn: str, keys: str) -> Command:
    """The command on the test's database."""
    return Command(dsn, keys)


def test_the_life_of_an_item(vault: Command, tmp_path: Path) -> None:
    vault("put", "diary", "--metadata", "year=2026", "--metadata", "mood=good", given=b"dear diary")
    assert vault("get", "diary") == b"dear diary"
    vault("get", "diary", "-o", tmp_path / "diary")
    assert (tmp_path / "diary").read_bytes() == b"dear diary"
    assert "there already" in vault.refused("get", "diary", "-o", tmp_path / "diary")
    assert "'diary' already" in vault.refused("put", "diary", given=b"x")
    vault("put", "diary", "--replace", "--metadata", "year=2026", given=b"new")
    (line,) = vault("list", "--metadata", "year=2026", "--json").splitlines()
    assert json.loads(line)["metadata"] == {"year": 2026}
    assert b"diary" in vault("list", "--kind", "memory")
    vault("rotate", "--destroy-old")
    assert vault("get", "diary") == b"new"
    certificate = json.loads(vault("shred", "diary", "--yes"))
    assert [epoch["epoch"] for epoch in certificate["epochs"]] == [1, 2]
    assert "no vault item 'diary'" in vault.refused("get", "diary")
    assert b"active" in vault("keys")


def test_a_directory_is_a_codebase(vault: Command, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_bytes(b"print()")
    (tmp_path / "code" / "link").symlink_to("main.py")
    assert "link is not a regular file" in vault.refused("put", "code", tmp_path / "code")
    vault("put", "code", tmp_path / "code", "--skip-links")
    vault("export", "code", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["main.py"]
    assert "there already" in vault.refused("export", "code", tmp_path / "out")
    assert "is a directory" in vault.refused("put", "x", tmp_path / "code", "--kind", "memory")
    assert json.loads(vault("shred", "--tenant-all", "--yes"))["whole_tenant"] is True


def test_mistakes_are_named(vault: Command, dsn: str) -> None:
    assert "vault.keys" in Command(dsn, None).refused("put", "a", given=b"")
    assert "KEY=VALUE" in vault.refused("put", "a", "--metadata", "x", given=b"")
    assert "no vault item 'a'" in vault.refused("drop", "a")
    assert "--tenant-all" in vault.refused("shred", "--yes")
    assert "--tenant-all" in vault.refused("shred", "a", "--tenant-all", "--yes")
    vault("put", "a", given=b"1")
    assert "nothing was shredded" in vault.refused("shred", "a", given=b"n\n")
    assert vault("get", "a") == b"1"
    assert vault("shred", "--resume") == b""
    vault("drop", "a")
    assert vault("list") == b""


def test_a_copy_is_told_to_adopt(vault: Command, dsn: str, keys: str, databases: Databases) -> None:
    vault("put", "a", given=b"secret")
    with backup(databases, dsn) as copy:
        clone = Command(copy, keys)
        assert "mnemo vault adopt" in clone.refused("shred", "--yes", "a")
        assert clone.refused("adopt", given=b"n\n")
        assert "mnemo vault adopt" in clone.refused("rotate")
        clone("adopt", "--yes")
        clone("adopt", given=b"y\n")
        clone("rotate")
        assert clone("get", "a") == b"secret"
