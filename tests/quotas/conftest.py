"""Databases for quotas: narrow, since what is counted does not depend on the width."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory

BITS = 1_024


@pytest.fixture
def narrow(database_factory: DatabaseFactory) -> str:
    """Connection string of a fresh database of 1,024 bits."""
    return database_factory(BITS, 256)


@pytest.fixture
def db(narrow: str) -> Iterator[Connection]:
    """An autocommit connection to it."""
    with psycopg.connect(narrow, autocommit=True) as connection:
        yield connection
