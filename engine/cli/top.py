"""mnemo top."""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.cli.options import with_settings
from engine.cli.output import as_line, size
from engine.cli.overview import BUS_COLUMNS, Overview, Pulse, Row, bus_cells, read_overview, read_pulse
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.memory import TierStats

REFRESH_SECONDS = 2.0
_BAR = 12


@click.command()
@click.option("--once", is_flag=True, show_envvar=True, help="Print one frame and end.")
@with_settings
def command(settings: Settings, once: bool) -> None:
    """Watch tiers, jobs and the event bus.

    Every 2 seconds, all tenants, until q or Ctrl-C. Where standard output is no terminal, prints one frame.
    """
    served = kept_server(settings)
    console = Console()
    with (
        translate_errors(),
        psycopg.connect(served.dsn, autocommit=True, application_name="mnemo top") as connection,
    ):
        pulse = read_pulse(connection)
        first = frame(read_overview(connection), pulse)
        if once or not console.is_terminal:
            console.print(first)
            return
        live = Live(first, console=console, auto_refresh=False, screen=True)
        try:
            with _single_keys():
                try:
                    live.start(refresh=True)
                    while not _quit_typed():
                        before, pulse = pulse, read_pulse(connection)
                        live.update(frame(read_overview(connection), pulse, before), refresh=True)
                finally:
                    # Not as a context manager: interrupted while it starts, that would not stop it.
                    live.stop()
        except KeyboardInterrupt:
            return


def _quit_typed() -> bool:
    """Wait for the next refresh; true at once where q is typed, or the terminal has gone."""
    until = time.monotonic() + REFRESH_SECONDS
    while (left := until - time.monotonic()) > 0:
        if not sys.stdin.isatty():
            time.sleep(left)
        elif select.select([sys.stdin], [], [], left)[0]:
            typed = os.read(sys.stdin.fileno(), 64)
            if not typed or b"q" in typed.lower():
                return True
    return False


@contextmanager
def _single_keys() -> Iterator[None]:
    """Have keys delivered as they are typed, and leave the terminal as it was, also after signals."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if not sys.stdin.isatty():
        yield
        return
    kept = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)


def frame(overview: Overview, pulse: Pulse, before: Pulse | None = None) -> Group:
    """Return one screen; rates are those since `before`."""
    seconds = 0.0 if before is None else (pulse.at - before.at).total_seconds()
    # A forgotten memory takes its uncounted accesses along.
    rate = (
        "-"
        if before is None or seconds <= 0
        else f"{max(pulse.accesses - before.accesses, 0) / seconds:,.1f}"
    )
    head = Text.assemble(
        ("mnemo  ", "bold"),
        f"{pulse.at:%Y-%m-%d %H:%M:%S}   accesses/s {rate}   moves/min {pulse.moves_in_minute:,}",
    )
    parts: list[Table | Text] = [head, Text(), _tiers(overview.tiers), Text(), _jobs(overview.jobs)]
    if overview.bus:
        parts += [Text(), _bus(overview.bus)]
    if pulse.moves:
        parts += [Text(), Text("moves of the last hour", style="bold"), *map(_move, pulse.moves)]
    if pulse.changes:
        parts += [Text(), Text("last changes of policies", style="bold"), *map(_change, pulse.changes)]
    return Group(*parts)


def _table(*columns: tuple[str, bool]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, number in columns:
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    return table


def _tiers(tiers: list[TierStats]) -> Table:
    names = [("tier", False), ("capacity", False), ("memories", True), ("strength", True), ("due", True)]
    table = _table(*names, ("accesses", True), ("size", True), ("$/month", True))
    for tier in tiers:
        table.add_row(
            tier.tier,
            bar(tier.capacity_used),
            f"{tier.memories:,}",
            "-" if tier.mean_strength is None else f"{tier.mean_strength:.3f}",
            f"{tier.due_now:,}",
            f"{tier.accesses:,}",
            size(tier.total_bytes),
            "-" if tier.monthly_cost is None else f"{tier.monthly_cost:,.2f}",
        )
    return table


def bar(share: float | None) -> Text:
    """Return a bar and a percentage; a dash where there is no capacity to fill."""
    if share is None:
        return Text("-")
    full = min(round(share * _BAR), _BAR)
    style = "green" if share <= 0.9 else "yellow" if share <= 1 else "red"
    return Text.assemble(("█" * full, style), ("·" * (_BAR - full), "dim"), f" {share:4.0%}")


def _jobs(jobs: list[Row]) -> Table:
    table = _table(("jobs", False), ("", False))
    table.columns[0].min_width = len("disabled")
    for state, style in (
        ("failing", "red"),
        ("running", "green"),
        ("due", ""),
        ("disabled", "dim"),
        ("idle", "dim"),
    ):
        names = [job["name"] for job in jobs if job["state"] == state]
        if names:
            table.add_row(Text(state, style=style), Text(", ".join(names)))
    return table


def _bus(groups: list[Row]) -> Table:
    table = _table(*BUS_COLUMNS)
    for group in groups:
        table.add_row(*map(Text, bus_cells(group)))
    return table


def _move(move: Row) -> Text:
    way = f"{move['from_tier']} -> {move['to_tier']}"
    by = f" by {move['policy']}" if move["policy"] else ""
    return Text(f"{move['at']:%H:%M:%S}  {way}  {move['moves']:,}  {move['reason']}{by}")


def _change(change: Row) -> Text:
    return Text(f"{change['at']:%Y-%m-%d %H:%M:%S}  {change['policy']}: {as_line(change['reason'])}")
