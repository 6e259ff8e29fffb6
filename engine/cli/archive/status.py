"""mnemo archive status."""

from datetime import UTC, datetime
from typing import Any

import click
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.text import Text

from engine.cli.options import with_settings
from engine.cli.output import as_line, print_json, print_table, size
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors

_SEGMENTS = "select * from mnemo.segments s where s.tier in ('cold', 'archive') order by s.segment"
_STORE = "select i.store, i.database, i.since from mnemo.identity i where i.is_current"
_OBJECTS = (
    "select o.state, count(*) as objects, sum(o.bytes)::bigint as bytes from mnemo.object o"
    " group by o.state order by o.state"
)
_COPIES = "select * from mnemo.copy_status"
_REQUESTS = (
    "select r.tier, r.reason, count(*) as memories, sum(r.failures)::bigint as failures,"
    " min(r.requested_at) as oldest, max(r.error) as error"
    " from mnemo.restore_request r group by r.tier, r.reason order by r.tier, r.reason"
)

Row = dict[str, Any]


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, json: bool) -> None:
    """Show the segments and what is being done to them.

    The cold segments and the archived ones, what waits to be restored or copied, and the objects in the
    store by state; none of it asks the store. mnemo verify compares the two.
    """
    served = kept_server(settings)
    with (
        translate_errors(),
        psycopg.connect(served.dsn, autocommit=True, application_name="mnemo archive") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        status: Row = {
            "store": cursor.execute(_STORE).fetchone(),
            "segments": cursor.execute(_SEGMENTS).fetchall(),
            "objects": cursor.execute(_OBJECTS).fetchall(),
            "restores": cursor.execute(_REQUESTS).fetchall(),
            "copies": cursor.execute(_COPIES).fetchone(),
        }
    if json:
        print_json(status)
    else:
        _print(Console(), status)


def _print(console: Console, status: Row) -> None:
    columns = [("segment", True), ("state", False), ("memories", True), ("dead", True), ("database", True)]
    columns += [("objects", True), ("age", True), ("failures", True), ("worker", False)]
    rows = [
        (
            str(row["segment"]),
            row["state"],
            f"{_memories(row):,}",
            f"{row['dead_rows']:,}",
            size(row["database_bytes"]),
            "-" if row["object_bytes"] is None else size(row["object_bytes"]),
            _age(row["archived_at"] or row["created_at"]),
            str(row["failures"]),
            as_line(row["worker"] or ""),
        )
        for row in status["segments"]
    ]
    print_table(console, columns, rows)
    for row in status["segments"]:
        if row["error"] is not None:
            _say(console, f"segment {row['segment']}", row["error"])
    for row in status["restores"]:
        waiting = f"{row['memories']:,} memories to {row['tier']} ({row['reason']})"
        failed = f", {row['failures']} failures: {row['error']}" if row["error"] else ""
        _say(console, "to be restored", waiting + failed)
    copies = status["copies"]
    if copies["policy"] is not None or copies["sets"]:
        waiting = f"{copies['pending']:,} writes wait" + (
            ", and older memories" if copies["queueing"] else ""
        )
        failed = f", {copies['failures']} failures: {copies['error']}" if copies["error"] else ""
        _say(console, "copies", f"{copies['rows']:,} rows in {copies['sets']:,} sets; {waiting}{failed}")
    for row in status["objects"]:
        _say(console, f"objects {row['state']}", f"{row['objects']:,}, {size(row['bytes'])}")
    if status["store"] is not None:
        _say(console, "store", f"{status['store']['store']}, as {status['store']['database']}")


def _memories(row: Row) -> int:
    if row["state"] == "emptied":
        return 0
    held: int = (
        row["memories_estimated"] if row["archived_rows"] is None else row["archived_rows"] - row["dead_rows"]
    )
    return held


def _say(console: Console, what: str, text: str) -> None:
    console.print(Text(f"{what}: ", style="bold").append(as_line(text), style="default"), soft_wrap=True)


def _age(at: datetime) -> str:
    days = (datetime.now(UTC) - at).total_seconds() / 86_400
    return f"{days:.1f} d"
