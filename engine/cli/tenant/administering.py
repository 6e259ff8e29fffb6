"""What the subcommands of mnemo tenant share: a connection, and tenants as tables."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from rich.console import Console

from engine.cli.output import as_line, print_json, print_table, size
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors

Row = dict[str, Any]
_USAGE: LiteralString = (
    "select * from mnemo.tenant_usage u"
    " where %(tenant)s::text is null or u.tenant = %(tenant)s order by u.tenant"
)


@contextmanager
def administering(settings: Settings) -> Iterator["psycopg.Cursor[Row]"]:
    """Yield a cursor of one transaction; errors are those of Mnemo."""
    served = kept_server(settings)
    with (
        translate_errors(),
        psycopg.connect(served.dsn, application_name="mnemo tenant") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        yield cursor


def usage(cursor: "psycopg.Cursor[Row]", tenant: str | None) -> list[Row]:
    """Return the quotas, usage and stores of a tenant, or of all that have any."""
    return cursor.execute(_USAGE, {"tenant": tenant}).fetchall()


def print_usage(rows: Sequence[Row], *, json: bool) -> None:
    """Print what tenants hold of what they may."""
    if json:
        print_json({"tenants": rows})
        return
    columns = [("tenant", False), ("memories", True), ("of", True), ("bytes", True), ("of", True)]
    columns += [("writes/min", True), ("left", True), ("stores", False)]
    cells = [
        (
            as_line(row["tenant"]),
            _number(row["memories"]),
            _number(row["memories_limit"]),
            "-" if row["bytes"] is None else size(row["bytes"]),
            "-" if row["bytes_limit"] is None else size(row["bytes_limit"]),
            _number(row["writes_per_minute"]),
            _number(row["writes_left"]),
            _stores(row),
        )
        for row in rows
    ]
    print_table(Console(), columns, cells)


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _stores(row: Row) -> str:
    named = ", ".join(as_line(url) for url in row["stores"] or ["any"])
    return f"{named} (kept in the database: the store in use is another)" if row["held"] else named
