"""Databases for tests: one template for each pair of widths, one copy for each test."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine import migrate
from engine.sources import source_dir
from migrations.freeze import desired_tree, freeze, frozen_tree


class Databases:
    """Makes and drops the databases of one session on one server."""

    def __init__(self, server_dsn: str, work_dir: Path) -> None:
        self.server_dsn = server_dsn
        self._work_dir = work_dir
        self._templates: dict[tuple[int, int | None], str] = {}
        self._names = (f"mnemo_test_{os.getpid()}_{n}" for n in itertools.count())

    def dsn(self, database: str) -> str:
        """Return the connection string of one database."""
        return make_conninfo(self.server_dsn, dbname=database)

    def name(self) -> str:
        """Return a name that nothing on the server has yet."""
        return next(self._names)

    def create(self, template: str = "template0", encoding: str = "UTF8") -> str:
        """Create a database and return its name."""
        name = self.name()
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        if encoding != "UTF8":
            statement += sql.SQL(" encoding {} locale 'C'").format(encoding)
        self._run(statement)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def template(self, bits: int, sketch_bits: int | None) -> str:
        """Return the name of the migrated database of these widths, made on first use."""
        widths = (bits, sketch_bits)
        if widths not in self._templates:
            name = self.create()
            with working_migrations(self._work_dir):
                migrate.upgrade(self.dsn(name), bits=bits, sketch_bits=sketch_bits)
            self._templates[widths] = name
        return self._templates[widths]

    @contextmanager
    def migrated(self, bits: int = 16_384, sketch_bits: int | None = None) -> Iterator[str]:
        """Yield the connection string of a fresh migrated database."""
        with self._temporary(self.template(bits, sketch_bits)) as dsn:
            yield dsn

    @contextmanager
    def empty(self, encoding: str = "UTF8") -> Iterator[str]:
        """Yield the connection string of a fresh database without anything of Mnemo."""
        with self._temporary("template0", encoding) as dsn:
            yield dsn

    def close(self) -> None:
        """Drop the templates."""
        for name in self._templates.values():
            self.drop(name)

    @contextmanager
    def _temporary(self, template: str, encoding: str = "UTF8") -> Iterator[str]:
        name = self.create(template, encoding)
        try:
            yield self.dsn(name)
        finally:
            self.drop(name)

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.server_dsn, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def working_migrations(work_dir: Path) -> Iterator[None]:
    """Let `upgrade` install sql/ as it is now, also while nobody has frozen the latest edits.

    Only tests/migration tells whether the frozen copies are up to date; every other test is about sql/.
    """
    sql_tree, migrations = source_dir("sql"), source_dir("migrations")
    if frozen_tree(migrations / "frozen") == desired_tree(sql_tree):
        yield
        return
    copy = work_dir / "migrations"
    shutil.copytree(migrations, copy, dirs_exist_ok=True)
    (head,) = migrate.heads()
    freeze(head, sql_tree, copy / "frozen")
    with mock.patch.object(migrate, "source_dir", return_value=copy):
        yield
