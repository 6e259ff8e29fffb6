"""Fixtures: one server a session, one database a test."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

import psycopg
import pytest

from tests.support import goldens
from tests.support.databases import Databases
from tests.support.server import running_server

pytest_plugins = ("tests.support.object_servers",)

Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseFactory(Protocol):
    """Makes a fresh migrated database of these widths and returns its connection string."""

    def __call__(self, bits: int = 16_384, sketch_bits: int | None = None) -> str:
        """Make one; it is dropped when the test ends."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that rewrites the goldens."""
    parser.addoption("--update-goldens", action="store_true", help="rewrite tests/golden from this run")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text (second argument) with the file of that name (first) in tests/golden."""
    return partial(goldens.compare, update=bool(request.config.getoption("--update-goldens")))


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """Connection string of a superuser on the session's server, to a database that is not for tests."""
    with running_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def databases(server_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The session's databases."""
    made = Databases(server_dsn, tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture
def database_factory(databases: Databases) -> Iterator[DatabaseFactory]:
    """Makes fresh migrated databases of these widths, by default those of an installation."""
    with ExitStack() as stack:

        def make(bits: int = 16_384, sketch_bits: int | None = None) -> str:
            return stack.enter_context(databases.migrated(bits, sketch_bits))

        yield make


@pytest.fixture
def dsn(databases: Databases) -> Iterator[str]:
    """A fresh migrated database: 16,384 bits, sketches of 1,536."""
    with databases.migrated() as made:
        yield made


@pytest.fixture
def empty_dsn(databases: Databases) -> Iterator[str]:
    """A fresh database without anything of Mnemo."""
    with databases.empty() as made:
        yield made


@pytest.fixture
def connection(dsn: str) -> Iterator[Connection]:
    """An autocommit connection to the test's own database."""
    with psycopg.connect(dsn, autocommit=True) as opened:
        yield opened


@pytest.fixture
async def aconnection(dsn: str) -> AsyncIterator[AsyncConnection]:
    """An asynchronous autocommit connection to the test's own database."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_dsn(databases: Databases) -> Iterator[str]:
    """A migrated database shared by a module's tests: for those that only read, or clean up."""
    with databases.migrated() as made:
        yield made


@pytest.fixture(scope="module")
def module_connection(module_dsn: str) -> Iterator[Connection]:
    """An autocommit connection to the module's shared database."""
    with psycopg.connect(module_dsn, autocommit=True) as opened:
        yield opened
