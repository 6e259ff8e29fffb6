"""mnemo audit list."""

from dataclasses import replace

import click
from rich.console import Console

from engine.audit.entry import INSTALLATION, AuditEntry
from engine.cli.options import with_settings
from engine.cli.output import as_line, print_json, print_table
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option("--installation", is_flag=True, show_envvar=True, help="The acts that concern no tenant.")
@click.option("--most", type=click.IntRange(1), default=20, show_envvar=True, help="Entries to show.")
@click.option("--after", type=click.IntRange(0), default=0, show_envvar=True, help="Export those after this.")
@click.option("--json", is_flag=True, show_envvar=True, help="Export all: one JSON object a line.")
@with_settings
def command(settings: Settings, installation: bool, most: int, after: int, json: bool) -> None:
    """Show the last entries, or export them all.

    What --json prints can be verified without Mnemo: docs/audit.md has the program.
    """
    tenant = INSTALLATION if installation else None

    async def show(mnemo: Mnemo) -> list[AuditEntry]:
        head = await mnemo.audit.head(tenant=tenant)
        return [entry async for entry in mnemo.audit.trail(tenant=tenant, after=max(after, head.seq - most))]

    async def export(mnemo: Mnemo) -> None:
        async for entry in mnemo.audit.trail(tenant=tenant, after=after):
            print_json(entry.exported())

    if json:
        with_mnemo(settings, export)
    else:
        _print([_shown(entry) for entry in with_mnemo(settings, show)])


def _shown(entry: AuditEntry) -> AuditEntry:
    return replace(entry, at=entry.at.astimezone(), actor=as_line(entry.actor), detail=as_line(entry.detail))


def _print(entries: list[AuditEntry]) -> None:
    columns = [("entry", True), ("at", False), ("who", False), ("action", False), ("subject", False)]
    rows = [
        (
            f"{entry.seq}",
            entry.at.strftime("%Y-%m-%d %H:%M:%S"),
            entry.actor,
            entry.action,
            as_line(entry.subject or ""),
            entry.detail,
        )
        for entry in entries
    ]
    print_table(Console(), [*columns, ("detail", False)], rows)
