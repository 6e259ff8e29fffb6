"""mnemo events."""

from json import dumps
from typing import Any

import click
import psycopg
from psycopg.rows import dict_row
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import as_line, notify, print_json, print_table
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors

_LAG = "select * from mnemo.bus_lag l where %s::text is null or l.subscription = %s order by l.subscription"
_TAIL = "select * from mnemo.tail_events(%s)"
_DEAD = "select * from mnemo.dead_letters d where %s::text is null or d.subscription = %s order by d.id"
_REPLAY = "select mnemo.replay_dead_letters(%s) as replayed"

Row = dict[str, Any]


@click.command()
@click.argument("action", type=click.Choice(["lag", "tail", "dead", "replay"]), default="lag")
@click.argument("subscription", required=False)
@click.option("--most", type=click.IntRange(1, 10_000), default=20, show_envvar=True, help="Events for tail.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, action: str, subscription: str | None, most: int, json: bool) -> None:
    """Show the event bus, or try dead letters again.

    lag shows how far behind each subscription is, tail the newest events, dead the dead letters of all
    subscriptions or of one. replay delivers those of a SUBSCRIPTION again. Of all tenants.
    """
    if action == "replay" and subscription is None:
        raise click.UsageError("mnemo events replay takes the name of a subscription")
    if action == "tail" and subscription is not None:
        raise click.UsageError("mnemo events tail takes no subscription")
    served = kept_server(settings)
    with (
        translate_errors(),
        psycopg.connect(served.dsn, autocommit=True, application_name="mnemo events") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        if subscription is not None:
            cursor.execute("select mnemo.subscription_named(%s)", (subscription,))
        match action:
            case "tail":
                cursor.execute(_TAIL, (most,))
            case "replay":
                cursor.execute(_REPLAY, (subscription,))
            case _:
                cursor.execute(_LAG if action == "lag" else _DEAD, (subscription, subscription))
        rows = cursor.fetchall()
    if action == "replay":
        notify(f"{rows[0]['replayed']} dead letters will be delivered again")
    elif json:
        print_json({"events" if action == "tail" else action: rows})
    else:
        {"lag": _print_lag, "tail": _print_tail, "dead": _print_dead}[action](Console(), rows)


def _print_lag(console: Console, rows: list[Row]) -> None:
    columns = [("subscription", False), ("backlog", True), ("oldest", True), ("leased", True)]
    columns += [("parked", True), ("dead", True), ("topics", False)]
    cells = [
        (
            as_line(row["subscription"]),
            f"{row['backlog']:,}",
            "-" if row["oldest_seconds"] is None else f"{row['oldest_seconds']:,.1f} s",
            f"{row['leased']}",
            f"{row['parked']:,}",
            f"{row['dead']:,}",
            ", ".join(row["topics"]),
        )
        for row in rows
    ]
    print_table(console, columns, cells)


def _print_tail(console: Console, rows: list[Row]) -> None:
    columns = [("event", True), ("at", False), ("topic", False), ("tenant", False), ("context", False)]
    cells = [(f"{row['seq']}", _time(row["at"]), row["topic"], *_what(row)) for row in rows]
    print_table(console, [*columns, ("payload", False)], cells)


def _print_dead(console: Console, rows: list[Row]) -> None:
    columns = [("id", True), ("subscription", False), ("event", True), ("attempts", True), ("topic", False)]
    cells = [
        (
            f"{row['id']}",
            as_line(row["subscription"]),
            f"{row['seq']}",
            f"{row['attempts']}",
            row["topic"],
            *_what(row),
            as_line(row["error"] or ""),
        )
        for row in rows
    ]
    columns += [("tenant", False), ("context", False), ("payload", False), ("error", False)]
    print_table(console, columns, cells)


def _what(row: Row) -> tuple[str, str, str]:
    payload = dumps(row["payload"], ensure_ascii=False)
    return as_line(row["tenant"]), as_line(row["context"] or ""), as_line(payload)[:80]


def _time(at: Any) -> str:
    return str(at.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
