"""A database made from sql/ alone, without migrations: what the migrations must arrive at."""

from pathlib import Path

import psycopg

from engine.schema.files import read, sql_files
from engine.schema.parameters import Parameters


def build(dsn: str, tree: Path, parameters: Parameters) -> None:
    """Load every file of a source tree, in order, beside the version table that migrations keep."""
    with psycopg.connect(dsn) as connection:
        connection.execute("set local check_function_bodies = off")
        connection.execute("create schema mnemo")
        connection.execute(
            "create table mnemo.alembic_version"
            " (version_num varchar(32) constraint alembic_version_pkc primary key)"
        )
        for path in sql_files(tree):
            connection.execute(read(path, parameters).encode())
