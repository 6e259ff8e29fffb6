"""Databases for the audit: narrow, since nothing here depends on the width."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory


@pytest.fixture
def narrow(database_factory: DatabaseFactory) -> str:
    """Connection string of a fresh database of 1,024 bits."""
    return database_factory(1_024, 256)


@pytest.fixture
def db(narrow: str) -> Iterator[Connection]:
    """An autocommit connection to it."""
    with psycopg.connect(narrow, autocommit=True) as connection:
        yield connection
