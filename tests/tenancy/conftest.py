"""Two tenants, of whom one has something everywhere, and people of every kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.databases import Databases
from tests.tenancy.estate import ALPHA, BETA, BITS, SKETCH_BITS, Handles, plant, prepare
from tests.tenancy.people import People, people_of


@dataclass(frozen=True)
class Estate:
    """A database with everything of alpha in it, one without, and roles that act for beta in both."""

    dsn: str
    without: str
    alpha: Handles
    people: People
    roles: dict[str, str]

    def conninfo(self, kind: str, tenant: str | None = None, dsn: str | None = None) -> str:
        """Connection string of one of the roles, to the one database or the other."""
        return self.people.conninfo(self.roles[kind], tenant, dsn)


@pytest.fixture(scope="module")
def estate(databases: Databases) -> Iterator[Estate]:
    """One for the tests of a module, which leave alpha's things as they are."""
    with (
        databases.migrated(BITS, SKETCH_BITS) as dsn,
        databases.migrated(BITS, SKETCH_BITS) as without,
        people_of(dsn) as people,
    ):
        with psycopg.connect(dsn, autocommit=True) as connection:
            prepare(connection)
            alpha = plant(dsn)
            connection.execute("analyze")
        roles = {
            "app": people.role("mnemo_app", tenants=[BETA]),
            "reader": people.role("mnemo_reader", tenants=[BETA]),
            "vault": people.role("mnemo_vault", tenants=[BETA]),
            "all": people.role("mnemo_app", "mnemo_reader", "mnemo_vault", tenants=[BETA]),
            "nobody": people.role(),
            "alpha": people.role("mnemo_app", "mnemo_reader", "mnemo_vault", tenants=[ALPHA]),
        }
        with psycopg.connect(without, autocommit=True) as connection:
            prepare(connection)
            for kind in ("app", "reader", "vault", "all"):
                connection.execute("select mnemo.grant_tenant(%s, %s)", [roles[kind], BETA])
        yield Estate(dsn, without, alpha, people, roles)


@pytest.fixture
def people(dsn: str) -> Iterator[People]:
    """Who makes the people of the test's own database."""
    with people_of(dsn) as made:
        yield made
