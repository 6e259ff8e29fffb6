"""A server of the test's own, which it may stop and whose files it may take away."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServer
from tests.support.databases import Databases
from tests.support.server import SETTINGS

TIERS = ("hot", "warm", "cold")
BITS = 1_024


class OwnServer:
    """An embedded server whose tiers lie in tablespaces, and one migrated database on it."""

    def __init__(self, folder: Path) -> None:
        self.embedded = EmbeddedServer(folder / "server", settings=SETTINGS)
        self.embedded.start()
        self.root = folder / "tiers"
        self._databases = Databases(self.embedded.dsn("postgres"), folder)

    def shell(self, command: str) -> None:
        """Run a command as the server does, which may be as another user."""
        with psycopg.connect(self.embedded.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"copy (select where false) to program '{command}'".encode())

    def __enter__(self) -> "OwnServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.embedded.stop()

    def database(self, tablespaces: bool = False) -> str:
        """Make a migrated database, with a tablespace a tier or without, and return its connection string."""
        if tablespaces:
            with psycopg.connect(self.embedded.dsn("postgres"), autocommit=True) as connection:
                for tier in TIERS:
                    self.shell(f"mkdir -p {self.root}/{tier}")
                    connection.execute(
                        f"create tablespace mnemo_{tier} location '{self.root}/{tier}'".encode()
                    )
        return self._databases.dsn(self._databases.template(BITS, 256))


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    """One server for the tests of a module."""
    folder = Path(tempfile.mkdtemp(prefix="mnemo-resilience-"))
    folder.chmod(0o777)
    try:
        with OwnServer(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
