"""Login roles with no more rights than somebody of their kind has."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from os import getpid

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

PASSWORD = "not a secret"
_numbers = count()


class People:
    """Makes login roles for one database, and drops them again."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._made: list[str] = []

    def role(self, *memberships: str, tenants: Sequence[str] = (), login: bool = True) -> str:
        """Make a role that is a member of others and may act for tenants; return its name."""
        name = f"mnemo_test_{getpid()}_person_{next(_numbers)}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            made = sql.SQL("create role {} {} password {}").format(
                sql.Identifier(name), sql.SQL("login" if login else "nologin"), PASSWORD
            )
            connection.execute(made)
            self._made.append(name)
            for group in memberships:
                granted = sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(name))
                connection.execute(granted)
            for tenant in tenants:
                connection.execute("select mnemo.grant_tenant(%s, %s)", [name, tenant])
        return name

    def login(self, *memberships: str, tenants: Sequence[str] = (), tenant: str | None = None) -> str:
        """Make a login role; return the connection string with which it comes, asking for a tenant."""
        role = self.role(*memberships, tenants=tenants)
        return self.conninfo(role, tenant)

    def conninfo(self, role: str, tenant: str | None = None, dsn: str | None = None) -> str:
        """Return the connection string of a login role, asking for a tenant."""
        options = "" if tenant is None else f"-c mnemo.tenant={tenant}"
        return make_conninfo(dsn or self.dsn, user=role, password=PASSWORD, options=options)

    def drop(self, role: str) -> None:
        """Drop a role."""
        self._made.remove(role)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in ("drop owned by {} cascade", "drop role {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(role)))

    def close(self) -> None:
        """Drop all that are left."""
        for role in reversed(self._made.copy()):
            self.drop(role)


@contextmanager
def people_of(dsn: str) -> Iterator[People]:
    """Yield who makes the people of a database."""
    people = People(dsn)
    try:
        yield people
    finally:
        people.close()
