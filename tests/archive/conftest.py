"""A small database for each test."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


@pytest.fixture
def db(small_dsn: str) -> Iterator[Connection]:
    """A connection to it."""
    with psycopg.connect(small_dsn, autocommit=True) as connection:
        yield connection
