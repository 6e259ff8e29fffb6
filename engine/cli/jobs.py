"""mnemo jobs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.text import Text

from engine.cli.options import with_settings
from engine.cli.output import as_line, print_json, print_table
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.errors import UnknownName

_STATUS = "select * from mnemo.job_status order by name"
_HISTORY = "select * from mnemo.job_run r where r.job = %s order by r.run desc limit 20"
_ALTER = "select mnemo.alter_job(%s, %s)"

Row = dict[str, Any]


@click.command()
@click.argument("action", type=click.Choice(["list", "run", "enable", "disable", "history"]), default="list")
@click.argument("name", required=False)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, action: str, name: str | None, json: bool) -> None:
    """Show the jobs that mnemo worker runs, or act on one.

    list shows them all: state, last run, why one is disabled. With a NAME: run makes it due now, disable lets
    it run no more, enable lets it run again and forgets its failures, history shows its last 20 runs.
    """
    if (name is None) != (action == "list"):
        raise click.UsageError(f"mnemo jobs {action} takes {'no name' if name else 'the name of a job'}")
    served = kept_server(settings)
    with (
        translate_errors(),
        psycopg.connect(served.dsn, autocommit=True, application_name="mnemo jobs") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        match action:
            case "run":
                cursor.execute("select mnemo.run_job_now(%s)", (name,))
            case "enable" | "disable":
                cursor.execute(_ALTER, (name, Jsonb({"enabled": action == "enable"})))
        status = cursor.execute(_STATUS).fetchall()
        runs = cursor.execute(_HISTORY, (name,)).fetchall() if action == "history" else []
    shown = [row for row in status if name in (None, row["name"])]
    if not shown and name is not None:
        raise UnknownName(f"unknown job {name!r}")
    if json:
        print_json({"runs": runs} if action == "history" else {"jobs": shown})
    elif action == "history":
        _print_runs(Console(), runs)
    else:
        _print_status(Console(), shown)


def _print_status(console: Console, jobs: list[Row]) -> None:
    columns = [("job", False), ("every", True), ("state", False), ("next", True), ("last", True)]
    columns += [("seconds", True), ("work", True), ("success", True)]
    rows = [
        (
            job["name"],
            _duration(job["every"]),
            job["state"],
            _distance(job["next_run_at"] if job["enabled"] else None),
            _distance(job["last_started_at"]),
            "-" if job["last_seconds"] is None else f"{job['last_seconds']:.3f}",
            "-" if job["last_work"] is None else f"{job['last_work']:,}",
            "-" if job["success_rate"] is None else f"{job['success_rate']:.0%}",
        )
        for job in jobs
    ]
    print_table(console, columns, rows)
    for job in jobs:
        reason = job["disabled_reason"] or job["last_error"]
        if reason is not None:
            line = Text(f"{job['name']}: ", style="bold")
            console.print(line.append(as_line(reason), style="default"), soft_wrap=True)


def _print_runs(console: Console, runs: list[Row]) -> None:
    columns = [("run", True), ("started", False), ("state", False), ("steps", True), ("work", True)]
    columns += [("seconds", True), ("error", False)]
    rows = [
        (
            str(run["run"]),
            run["started_at"].astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            run["state"],
            f"{run['steps']:,}",
            f"{run['work']:,}",
            f"{run['seconds']:.3f}",
            as_line(run["error"] or ""),
        )
        for run in runs
    ]
    print_table(console, columns, rows)


def _distance(at: datetime | None) -> str:
    if at is None:
        return "-"
    ahead = at - datetime.now(UTC)
    return f"in {_duration(ahead)}" if ahead > timedelta() else f"{_duration(-ahead)} ago"


def _duration(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.2g} s"
