"""A small database for tests that write; what every database must hold is checked when they end."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory
from tests.support.invariants import check_invariants


@pytest.fixture
def small(database_factory: DatabaseFactory) -> Iterator[Connection]:
    """An autocommit connection to a fresh database of 1,024 bits, sketches of 256."""
    with psycopg.connect(database_factory(1_024, 256), autocommit=True) as connection:
        yield connection
        connection.execute("reset mnemo.tenant")
        check_invariants(connection)
