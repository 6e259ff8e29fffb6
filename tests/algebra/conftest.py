"""One migrated database for each width that the algebra is tested at."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.algebra.database import Algebra
from tests.support.databases import Databases

WIDTHS = {1_024: 512, 16_384: 1_024, 32_768: 2_048}


@pytest.fixture(scope="module", params=WIDTHS)
def algebra(databases: Databases, request: pytest.FixtureRequest) -> Iterator[Algebra]:
    """The SQL functions of a database of 1,024, then 16,384, then 32,768 bits; for reading."""
    bits: int = request.param
    with (
        databases.migrated(bits, WIDTHS[bits]) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        yield Algebra(connection, bits, WIDTHS[bits])


@pytest.fixture(scope="module", params=WIDTHS)
def bits(request: pytest.FixtureRequest) -> int:
    """1,024, then 16,384, then 32,768."""
    width: int = request.param
    return width
