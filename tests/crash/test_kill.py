"""Kill -9 of the server and of its client, in the middle of writing: what was acknowledged is there, once."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServer
from engine.migrate import upgrade
from tests.crash.matrix import quick_place
from tests.support.databases import working_migrations
from tests.support.invariants import check_invariants

pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A durable server of its own, with an empty installation."""
    with tempfile.TemporaryDirectory(prefix="mnemo-crash-", dir=quick_place()) as folder:
        made = EmbeddedServer(Path(folder) / "data", settings={"shared_buffers": "64MB"})
        with working_migrations(Path(folder)):
            upgrade(made.start().dsn, bits=1024, sketch_bits=256)
        yield made
        made.stop("immediate")


class Writer:
    """The client process, and what it has said."""

    def __init__(self, dsn: str, mode: str) -> None:
        argv = [sys.executable, "-m", "tests.crash.writer", dsn, mode]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.stored: set[str] = set()
        self.forgotten: set[str] = set()

    def listen(self, lines: int | None = None) -> None:
        """Read that many lines, or all until the process ends."""
        assert self.process.stdout is not None
        for heard, line in enumerate(self.process.stdout, 1):
            what, *keys = line.split()
            if what != "begun":
                (self.stored if what == "stored" else self.forgotten).update(keys)
            if heard == lines:
                return

    def end(self) -> None:
        """Wait for the process, reading what it still says."""
        self.listen()
        self.process.communicate()


def keys_of(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        keys = [key for (key,) in connection.execute("select key from mnemo.memory").fetchall()]
    assert len(keys) == len(set(keys))
    return set(keys)


def kill_server(server: EmbeddedServer) -> None:
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("heard", [1, 8, 23])
def test_a_killed_server_keeps_what_it_acknowledged(server: EmbeddedServer, heard: int) -> None:
    writer = Writer(server.dsn(), "rows")
    writer.listen(heard)
    kill_server(server)
    # It would try again and again.
    writer.process.kill()
    writer.end()
    server.start()
    present = keys_of(server.dsn())
    assert writer.stored - present <= {f"{key.split('-')[0]}-{i}" for key in writer.stored for i in (18, 19)}
    assert not writer.forgotten & present
    # At most the batch in flight was stored without being acknowledged, and then as a whole.
    extra = {key.split("-")[0] for key in present - writer.stored}
    assert len(extra) <= 1
    assert all(sum(key.startswith(f"{batch}-") for key in present) == 20 for batch in extra)
    with psycopg.connect(server.dsn()) as connection:
        check_invariants(connection)


@pytest.mark.parametrize("heard", [2, 11])
def test_a_killed_client_leaves_whole_batches(server: EmbeddedServer, heard: int) -> None:
    writer = Writer(server.dsn(), "rows")
    writer.listen(heard)
    writer.process.kill()
    writer.end()
    present = keys_of(server.dsn())
    assert writer.stored - present <= {f"{key.split('-')[0]}-{i}" for key in writer.stored for i in (18, 19)}
    assert len({key.split("-")[0] for key in present - writer.stored}) <= 1
    with psycopg.connect(server.dsn()) as connection:
        check_invariants(connection)


@pytest.mark.parametrize("victim", ["server", "client"])
def test_a_killed_bulk_load_leaves_nothing(server: EmbeddedServer, victim: str) -> None:
    writer = Writer(server.dsn(), "bulk")
    writer.listen(1)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        held = "select count(*) from pg_locks where mode = 'ShareRowExclusiveLock' and granted"
        while connection.execute(held).fetchone() == (0,):
            assert writer.process.poll() is None
    if victim == "server":
        kill_server(server)
    else:
        writer.process.kill()
    writer.end()
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        # The killed client's backend may still hold its locks; this waits for them.
        connection.execute("begin; lock table mnemo.memory in access exclusive mode; commit")
        check_invariants(connection)
        loads = "select count(*) from pg_class where relname like '%\\_load%'"
        assert connection.execute(loads).fetchone() == (0,)
    assert keys_of(server.dsn()) == set()
