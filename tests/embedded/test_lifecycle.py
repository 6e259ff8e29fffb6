"""Start, stop, status: what a server is and where it listens."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedded import EmbeddedServer, EmbeddedServerError, default_data_dir, server
from tests.embedded.conftest import QUICK, MakeServer


def value(dsn: str, query: str) -> object:
    """The single value of a query."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_first_start_makes_a_safe_private_server(make_server: MakeServer, place: Path) -> None:
    made = make_server(settings={"shared_buffers": "16MB", "mnemo.note": r"it's a \ note"})
    before = made.status()
    assert not before.running
    assert before.pid is None
    assert not (place / "data").exists()

    status = made.start()
    assert status == make_server().start() == make_server().status()
    assert status.running
    assert status.version.startswith("18.")
    assert status.dsn == made.dsn() == before.dsn
    assert value(status.dsn, "select current_database()") == "mnemo"
    for setting, expected in {
        "fsync": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "shared_buffers": "16MB",
        "wal_compression": "lz4",
        "log_parameter_max_length": "256B",
        "mnemo.note": r"it's a \ note",
    }.items():
        assert value(status.dsn, f"select current_setting('{setting}')") == expected, setting
    locale = "select datlocprovider::text || ' ' || datlocale from pg_database where datname = 'mnemo'"
    assert value(status.dsn, locale) == "b C.UTF-8"
    with psycopg.connect(status.dsn) as connection:
        connection.execute("create extension vector")
        connection.execute("create extension pgcrypto")
        connection.execute("create table kept as select 42 as answer")

    target = conninfo_to_dict(made.dsn("postgres"))
    asynchronous = await asyncpg.connect(
        host=target["host"], port=int(str(target["port"])), user=target["user"], database=target["dbname"]
    )
    assert await asynchronous.fetchval("select current_database()") == "postgres"
    await asynchronous.close()

    for private in (status.socket_dir, place / "data" / "pgdata", place / "data" / "log"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700, private
    assert (place / "data").stat().st_mode & stat.S_IRWXO == 0
    assert list((place / "data" / "log").glob("server-*.log"))

    assert made.stop("smart")
    assert not made.stop()
    assert not made.status().running
    made.start()
    assert value(made.dsn(), "select answer from kept") == 42


def test_odd_and_long_directories_get_a_short_socket(make_server: MakeServer, place: Path) -> None:
    data_dir = place / 'it\'s, a "$HOME" `odd` 目录' / ("long" * 30) / "data"
    made = make_server(data_dir)
    status = made.start()
    assert len(str(status.socket_dir)) < 40
    assert stat.S_IMODE(status.socket_dir.stat().st_mode) == 0o700
    assert value(made.dsn(), "select 1") == 1
    made.stop()
    assert not status.socket_dir.exists()


def test_programs_run_in_the_environment_given(make_server: MakeServer) -> None:
    made = make_server()
    made.start()
    argv: list[str | Path] = [made.binary("psql"), made.dsn(), "-X", "-A", "-t", "-c", "select 6 * 7"]
    shown = subprocess.run(argv, env=made.environment(), capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "42"
    with pytest.raises(EmbeddedServerError, match="no program 'oracle'"):
        made.binary("oracle")


def test_port_asks_for_the_password_of_an_owner_only_file(
    make_server: MakeServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    made = make_server(port=port)
    assert made.start().port == port
    assert value(made.dsn(), "select inet_server_addr() is null") is True
    assert value(made.tcp_dsn(), "select host(inet_server_addr())") == "127.0.0.1"
    pgpass = place / "data" / "pgpass"
    assert stat.S_IMODE(pgpass.stat().st_mode) == 0o600
    monkeypatch.delenv("PGPASSWORD", raising=False)
    open_way = make_conninfo(host="127.0.0.1", port=port, dbname="mnemo", user="postgres", passfile="/none")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(open_way)

    make_server().start()
    with pytest.raises(EmbeddedServerError, match=rf"on port {port}, not on port {port - 1}.*mnemo down"):
        make_server(port=port - 1).start()
    made.stop()
    password = pgpass.read_text()
    made.start()
    assert pgpass.read_text() == password
    assert value(made.tcp_dsn("postgres"), "select 1") == 1


@pytest.mark.parametrize("seen_early", [True, False])
def test_port_in_use_is_named(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch, *, seen_early: bool
) -> None:
    if not seen_early:
        monkeypatch.setattr(server, "_check_port_is_free", lambda port: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = make_server(port=port)
        with pytest.raises(EmbeddedServerError, match=rf"port {port}.*choose another port"):
            made.start()
        assert not made.status().running
    assert made.start().running


def test_settings_are_checked(make_server: MakeServer) -> None:
    for wrong, message in [
        ({"port": "1"}, "port belongs to the embedded server"),
        ({"work mem": "1"}, "'work mem' is not the name"),
        ({"work_mem": "1\nfsync = off"}, "must be one line"),
    ]:
        with pytest.raises(EmbeddedServerError, match=message):
            make_server(settings=wrong)
    with pytest.raises(EmbeddedServerError, match="between 1 and 65535, not 0"):
        make_server(port=0)
    with pytest.raises(EmbeddedServerError, match="smart, fast, immediate, not 'slow'"):
        make_server().stop("slow")
    made = make_server(settings={**QUICK, "work_mem": "plenty"})
    with pytest.raises(EmbeddedServerError, match=r"work_mem.*a setting given to the embedded server"):
        made.start()
    assert make_server().start().running


def test_server_outlives_the_process_and_its_terminal(make_server: MakeServer, place: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.embedded import EmbeddedServer\n"
        f"print(EmbeddedServer(Path(sys.argv[1]), settings={QUICK!r}).start().pid, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(place / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        os.killpg(starter.pid, signal.SIGINT)
        assert starter.wait(60) != 0
    made = make_server()
    assert made.status().pid == pid
    assert os.getsid(pid) not in (starter.pid, os.getsid(0))
    assert value(made.dsn(), "select 1") == 1


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_data_dir() == tmp_path / "mnemo" / "data"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_dir() == Path.home() / ".local/share/mnemo/data"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/mnemo/data")


def test_relative_and_linked_directories_are_one(make_server: MakeServer, place: Path) -> None:
    (place / "link").symlink_to(place)
    assert EmbeddedServer(place / "link" / "data").dsn() == make_server().dsn()
