"""A small database for tests of the lifecycle, checked when they end."""

from collections.abc import Iterator

import pytest

from tests.conftest import DatabaseFactory
from tests.lifecycle.world import World, world
from tests.support.invariants import check_invariants


@pytest.fixture
def small_world(database_factory: DatabaseFactory) -> Iterator[World]:
    """An empty database of 1,024 bits, sketches of 256, and its model."""
    with world(database_factory(1_024, 256)) as made:
        yield made
        check_invariants(made.connection)
