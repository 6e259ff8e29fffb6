"""The server that everything is measured on: the embedded one with its default settings, on a new folder."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine.database.parameters import register
from engine.embedded import EmbeddedServer
from engine.migrate import upgrade

BITS = 16_384
Connection = psycopg.Connection[tuple[Any, ...]]
_SHOWN = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "work_mem",
    "maintenance_work_mem", "max_parallel_workers_per_gather", "max_parallel_maintenance_workers",
    "max_wal_size",
)  # fmt: skip


class Stage:
    """A running server, and databases with Mnemo installed in them."""

    def __init__(self, server: EmbeddedServer, sketch_bits: int) -> None:
        self._server = server
        self._sketch_bits = sketch_bits
        self._names = (f"bench_{n}" for n in itertools.count())
        self._opened: list[Connection] = []

    def database(self) -> str:
        """Make a database, migrate it and return its connection string."""
        name = next(self._names)
        with psycopg.connect(self._server.dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        upgrade(self._server.dsn(name), bits=BITS, sketch_bits=self._sketch_bits)
        return self._server.dsn(name)

    def connect(self, dsn: str, **settings: object) -> Connection:
        """Open an autocommit connection with session settings; it is closed with the stage."""
        connection = psycopg.connect(dsn, autocommit=True)
        self._opened.append(connection)
        register(connection)
        for name, value in settings.items():
            set_to(connection, name, value)
        return connection

    def close(self) -> None:
        """Close the connections."""
        for connection in self._opened:
            connection.close()


@contextmanager
def running(sketch_bits: int) -> Iterator[Stage]:
    """Start a server for the time of the context."""
    # The server may run as another user, who must be able to reach its folder.
    folder = Path(tempfile.mkdtemp(prefix="mnemo-bench-"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "server")
    stage = Stage(server, sketch_bits)
    try:
        server.start()
        try:
            yield stage
        finally:
            stage.close()
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_to(connection: Connection, name: str, value: object) -> None:
    """Change a setting of the session."""
    connection.execute("select set_config(%s, %s, false)", (name, str(value)))


def only(connection: Connection, statement: str, *parameters: Any) -> Any:
    """Return the one value that a statement yields."""
    row = connection.execute(statement, parameters).fetchone()
    assert row is not None
    return row[0]


def settings_of(connection: Connection) -> dict[str, str]:
    """Return the settings that the figures depend on."""
    return {name: only(connection, "select current_setting(%s)", name) for name in _SHOWN}
