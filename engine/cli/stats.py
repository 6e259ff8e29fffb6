"""mnemo stats."""

from collections.abc import Sequence
from dataclasses import asdict

import click
import psycopg
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import as_line, print_json, print_table, size
from engine.cli.overview import (
    BUS_COLUMNS,
    Overview,
    Row,
    bus_cells,
    in_words,
    policy_in_words,
    read_overview,
)
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.memory import TierStats

_TIER_ROWS = (
    "memories", "pinned", "strength", "size", "segments", "used", "due", "accesses", "$/month", "target",
)  # fmt: skip


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, json: bool) -> None:
    """Show what each tier holds, the jobs, the event bus and the policies.

    Memories of all tenants. Strength is the mean, from 0 to 1; used is the share of the capacity that a
    policy sets; due counts memories that consolidation looks at next; accesses are those counted so far.
    """
    served = kept_server(settings)
    with (
        translate_errors(),
        psycopg.connect(served.dsn, autocommit=True, application_name="mnemo stats") as connection,
    ):
        overview = read_overview(connection)
    if json:
        print_json(asdict(overview))
    else:
        _print(Console(), overview)


def _print(console: Console, overview: Overview) -> None:
    _print_tiers(console, overview.tiers)
    console.print()
    columns = [("job", False), ("state", False), ("every", False), ("seconds", True), ("reason", False)]
    print_table(console, columns, [_job(job) for job in overview.jobs])
    if overview.bus:
        console.print()
        print_table(console, BUS_COLUMNS, map(bus_cells, overview.bus))
    console.print()
    rows = [
        (p["name"], p["kind"], "on" if p["enabled"] else "off", policy_in_words(p)) for p in overview.policies
    ]
    print_table(console, [(title, False) for title in ("policy", "kind", "", "rule")], rows)


def _print_tiers(console: Console, tiers: Sequence[TierStats]) -> None:
    columns = [
        (
            f"{tier.memories:,}",
            f"{tier.pinned:,}",
            "-" if tier.mean_strength is None else f"{tier.mean_strength:.3f}",
            size(tier.total_bytes),
            str(tier.segments),
            "-" if tier.capacity_used is None else f"{tier.capacity_used:.1%}",
            f"{tier.due_now:,}",
            f"{tier.accesses:,}",
            "-" if tier.monthly_cost is None else f"{tier.monthly_cost:,.2f}",
            {True: "reached", False: "missed", None: "-"}[tier.target_reached],
        )
        for tier in tiers
    ]
    rows = zip(_TIER_ROWS, *columns, strict=True)
    print_table(console, [("tier", False), *((tier.tier, True) for tier in tiers)], rows)


def _job(job: Row) -> tuple[str, ...]:
    seconds = "-" if job["last_seconds"] is None else f"{job['last_seconds']:.3f}"
    reason = as_line(job["disabled_reason"] or (job["last_error"] if job["failures"] else None) or "")
    return job["name"], job["state"], in_words(job["every"]), seconds, reason
