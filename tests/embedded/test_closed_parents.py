"""Root's directories behind parents that the server's account cannot enter, such as /root."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServerError, account
from tests.embedded.conftest import QUICK, MakeServer
from tests.embedded.test_lifecycle import value

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches accounts")


@pytest.fixture
def closed(place: Path) -> Path:
    """A directory that only root can enter."""
    folder = place / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("name", ["data", "a 'name' that needs a short socket directory"])
def test_a_closed_parent_makes_no_difference(make_server: MakeServer, closed: Path, name: str) -> None:
    data_dir = closed / name
    data_dir.mkdir(mode=0o700)
    made = make_server(data_dir, settings={**QUICK, "fsync": "on"})
    before = made.dsn()
    first = made.start()
    assert first == made.start() == made.status()
    assert first.dsn == before
    assert value(before, "show shared_buffers") == "16MB"
    with psycopg.connect(before, autocommit=True) as connection:
        connection.execute("create extension vector")
        connection.execute("create table kept as select generate_series(1, 1000) as n")
        connection.execute("alter system set work_mem = '5MB'")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        second = made.start()
    assert (second.pid != first.pid, second.dsn) == (True, before)
    assert value(before, "select count(*) from kept") == 1000
    assert made.stop()
    assert not made.status().running

    third = make_server(data_dir).start()
    assert third.running
    assert value(before, "select count(*) from kept") == 1000
    assert value(before, "show work_mem") == "5MB"
    assert list((data_dir / "log").glob("server-*.log"))
    for private in (closed, third.socket_dir, data_dir / "pgdata", data_dir / "log"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700, private
    assert Path(f"/proc/{third.pid}").stat().st_uid != 0


def test_starts_at_once_behind_a_closed_parent(make_server: MakeServer, closed: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.embedded import EmbeddedServer\n"
        f"server = EmbeddedServer(Path(sys.argv[1]), settings={QUICK!r})\n"
        "import psycopg; status = server.start(); psycopg.connect(status.dsn).close(); print(status.pid)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(closed / "data")], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    pids = {process.communicate(timeout=120)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert pids == {f"{make_server(closed / 'data').status().pid}\n".encode()}


def test_a_parent_closed_or_opened_later(cluster_copy: Path, make_server: MakeServer) -> None:
    made = make_server(cluster_copy)
    place, named = cluster_copy.parent, "show data_directory"
    made.start()
    assert value(made.dsn(), named) == f"{cluster_copy}/pgdata"
    place.chmod(0o700)
    assert made.status().running
    assert made.stop()
    made.start()
    assert value(made.dsn(), named) != f"{cluster_copy}/pgdata"
    place.chmod(0o755)
    assert made.status().running
    assert made.stop()
    made.start()
    assert value(made.dsn(), named) == f"{cluster_copy}/pgdata"


def test_refused_where_there_is_no_proc(
    make_server: MakeServer, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "DESCRIPTORS", Path("/proc/no/such"))
    made = make_server(closed / "data")
    with pytest.raises(EmbeddedServerError, match=rf"user mnemo.*cannot enter.*`chmod o\+x {closed}`"):
        made.start()
    assert not made.status().running
    closed.chmod(0o701)
    assert made.start().running
