"""Killed servers, stale files, starts at once: the next start recovers."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from engine.embedded import cluster, processes
from tests.embedded.conftest import QUICK, MakeServer
from tests.embedded.test_lifecycle import value

pytestmark = pytest.mark.crash


@contextmanager
def bystander(owner: int) -> Iterator[int]:
    """A process of the server's user that has nothing to do with the server."""
    user = owner if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "600"], user=user, cwd="/") as process:
        yield process.pid
        process.kill()


def test_kill_9_loses_nothing_committed(cluster_copy: Path, make_server: MakeServer) -> None:
    made = make_server(cluster_copy, settings={**QUICK, "fsync": "on"})
    status = made.start()
    with psycopg.connect(made.dsn(), autocommit=True) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
        assert status.pid is not None
        os.kill(status.pid, signal.SIGKILL)
        again = made.start()
    assert again.pid != status.pid
    assert value(made.dsn(), "select count(*) from kept") == 1000


def test_kill_9_with_a_busy_client(
    cluster_copy: Path, make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ORPHAN_PATIENCE_S", 0.5)
    made = make_server(cluster_copy)
    status = made.start()
    assert status.pid is not None
    connection = psycopg.connect(made.dsn(), autocommit=True)
    # Never looks whether the postmaster lives, and so keeps the shared memory.
    endless = "do $$ declare i bigint := 0; begin loop i := i + 1; end loop; end $$"

    def run() -> None:
        with suppress(psycopg.OperationalError):
            connection.execute(endless)

    client = threading.Thread(target=run)
    client.start()
    busy = "select count(*) from pg_stat_activity where state = 'active' and query like 'do $$%'"
    while value(made.dsn(), busy) == 0:
        pass
    orphan = connection.info.backend_pid
    os.kill(status.pid, signal.SIGKILL)
    assert made.start().pid != status.pid
    assert orphan not in processes.server_processes(cluster_copy / "pgdata")
    client.join(60)
    assert not client.is_alive()
    connection.close()
    assert value(made.dsn(), "select 1") == 1


@pytest.mark.parametrize("remains", ["living", "dead", "empty", "nonsense"])
def test_stale_pid_file(cluster_copy: Path, make_server: MakeServer, remains: str) -> None:
    made = make_server(cluster_copy)
    status = made.start()
    path = cluster_copy / "pgdata" / "postmaster.pid"
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    rest = path.read_text().partition("\n")[2]
    with bystander(path.stat().st_uid) as pid:
        first = {"living": pid, "dead": processes.IMPOSSIBLE_PID - 1}.get(remains)
        text = f"{first}\n{rest}" if first else {"empty": "", "nonsense": "\0\0\n"}[remains]
        path.write_text(text)
        (status.socket_dir / f".s.PGSQL.{status.port}.lock").write_text(text)
        assert not made.status().running
        assert not made.stop()
        again = made.start()
        assert again.running
        assert again.pid != pid
        os.kill(pid, 0)
    assert value(made.dsn(), "select 1") == 1


def test_starts_at_once_give_one_server(make_server: MakeServer, place: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.embedded import EmbeddedServer\n"
        f"server = EmbeddedServer(Path(sys.argv[1]), settings={QUICK!r})\n"
        "import psycopg; status = server.start(); psycopg.connect(status.dsn).close(); print(status.pid)"
    )
    many = [
        subprocess.Popen([sys.executable, "-c", script, str(place / "data")], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    pids = {process.communicate(timeout=120)[0] for process in many}
    assert [process.returncode for process in many] == [0, 0, 0, 0]
    assert pids == {f"{make_server().status().pid}\n".encode()}


def test_killed_starter_leaves_nothing_half_done(make_server: MakeServer, place: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.embedded import EmbeddedServer\n"
        f"EmbeddedServer(Path(sys.argv[1]), settings={QUICK!r}).start()"
    )
    made = make_server()
    for seen in ("server.lock", "pgdata.new", "pgdata"):
        with subprocess.Popen([sys.executable, "-c", script, str(place / "data")]) as starter:
            while not (place / "data" / seen).exists() and starter.poll() is None:
                pass
            starter.kill()
    assert made.start().running
    assert value(made.dsn(), "select 1") == 1
