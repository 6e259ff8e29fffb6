"""Directories that cannot be used: each says what to do, and nothing is changed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.embedded import EmbeddedServer, EmbeddedServerError, account, install
from tests.embedded.conftest import MakeServer
from tests.embedded.test_lifecycle import value

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches accounts")
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def test_foreign_directory(make_server: MakeServer, place: Path) -> None:
    (place / "thesis.txt").write_text("mine")
    mode = place.stat().st_mode
    with pytest.raises(EmbeddedServerError, match=r"is not empty.*'thesis.txt'.*--data-dir"):
        make_server(place).start()
    assert place.stat().st_mode == mode
    assert [entry.name for entry in place.iterdir()] == ["thesis.txt"]


def test_path_through_a_file(make_server: MakeServer, place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(EmbeddedServerError, match=r"file/data.*Not a directory.*--data-dir"):
        make_server(place / "file" / "data").start()


@as_user
def test_unwritable_directory(make_server: MakeServer, place: Path) -> None:
    (place / "closed").mkdir(mode=0o500)
    with pytest.raises(EmbeddedServerError, match=r"Permission denied.*--data-dir"):
        make_server(place / "closed" / "data").start()
    with pytest.raises(EmbeddedServerError, match=r"--data-dir"):
        EmbeddedServer(Path("/root/mnemo")).start()


@as_root
def test_root_runs_the_server_as_the_owner_of_the_directory(make_server: MakeServer, place: Path) -> None:
    (place / "data").mkdir()
    os.chown(place / "data", 65534, 65534)
    status = make_server().start()
    assert Path(f"/proc/{status.pid}").stat().st_uid == 65534
    assert (place / "data" / "pgdata").stat().st_uid == 65534


@as_root
def test_the_server_account_cannot_change_what_root_runs(make_server: MakeServer, place: Path) -> None:
    made = make_server()
    status = made.start()
    assert Path(f"/proc/{status.pid}").stat().st_uid != 0
    program = made.binary("psql")
    for path in (program, *program.parents, place / "data", place / "data" / "mnemo.conf"):
        found = path.stat()
        assert found.st_uid == 0, path
        assert path == Path("/") or not found.st_mode & 0o022 or found.st_mode & 0o1000, path


def _other_major(pgdata: Path) -> None:
    (pgdata / "PG_VERSION").write_text("17\n")


def _no_version(pgdata: Path) -> None:
    (pgdata / "PG_VERSION").unlink()


def _no_control_file(pgdata: Path) -> None:
    (pgdata / "global" / "pg_control").unlink()


def _spoilt_control_file(pgdata: Path) -> None:
    path = pgdata / "global" / "pg_control"
    path.write_bytes(b"\x5a" * 64 + path.read_bytes()[64:])


def _no_log(pgdata: Path) -> None:
    for path in (pgdata / "pg_wal").iterdir():
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_major, r"PostgreSQL 17, and this Mnemo carries PostgreSQL 18.*pg_dump"),
        (_no_version, r"PG_VERSION is missing; move it away"),
        (_no_control_file, r"pg_control is missing; move it away"),
        (_spoilt_control_file, r"incompatible with server.*damaged; restore it from a backup"),
        (_no_log, r"checkpoint record.*damaged; restore it from a backup"),
    ],
    ids=["other major", "no version", "no control file", "spoilt control file", "no log"],
)
def test_damaged_directory(
    cluster_copy: Path, make_server: MakeServer, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(cluster_copy / "pgdata")
    made = make_server(cluster_copy)
    with pytest.raises(EmbeddedServerError, match=message):
        made.start()
    assert not made.status().running


def test_half_made_cluster_is_made_anew(make_server: MakeServer, place: Path) -> None:
    half = place / "data" / "pgdata.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (place / "data" / "server.lock").touch()
    made = make_server()
    made.start()
    assert value(made.dsn(), "select 1") == 1


def test_missing_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "PACKAGE", "no-such-package")
    with pytest.raises(EmbeddedServerError, match=r"not installed.*pip install"):
        install.ensure(account.own_account(), place / "postgresql")


@pytest.mark.slow
def test_two_processes_install_at_once(place: Path) -> None:
    if os.geteuid() == 0:
        script = "from engine.embedded.account import system_account as account\n"
    else:
        script = "from engine.embedded.account import own_account as account\n"
    script += "import sys; from pathlib import Path; from engine.embedded.install import ensure\n"
    script += "print(ensure(account(), Path(sys.argv[1])).version)"
    base = place / "postgresql"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(base)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [out.decode().strip()[:3] for out, _ in said] == ["18.", "18."], said
    assert sorted(entry.name.partition("-")[0] for entry in base.iterdir()) == ["install.lock", "pg0"]
    for name in ("vector.control", "pgcrypto.control"):
        assert list(base.glob(f"*/share/extension/{name}"))
    shutil.rmtree(base)
