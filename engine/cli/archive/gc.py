"""mnemo archive gc."""

import dataclasses

import click
from rich.console import Console

from engine.archive.api import worker_name
from engine.archive.collecting import Garbage, garbage, gc_step
from engine.archive.session import open_archive
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json, print_table, size
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo

_WAITING = "select count(*) from mnemo.object o where o.state = 'dropped' and not o.key = any (%s)"


@click.command()
@click.option(
    "--dry-run", is_flag=True, show_envvar=True, help="Delete nothing; show what would be, and why."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, dry_run: bool, json: bool) -> None:
    """Delete objects that are needed no more.

    Those under the name of this database that nothing in it refers to and no copy of it holds, once they have
    been so for archive_grace_days: as long as that, backups find what they refer to. Interrupted, the next
    collection goes on.
    """

    async def work(mnemo: Mnemo) -> tuple[list[Garbage], int]:
        async with open_archive(mnemo.pool, settings, worker=worker_name()) as session:
            found = await garbage(session)
            while not dry_run and await gc_step(session):
                pass
            async with session.transaction() as connection:
                waiting = await connection.execute(_WAITING, ([one.key for one in found],))
                row = await waiting.fetchone()
            return found, 0 if row is None else row[0]

    found, waiting = with_mnemo(settings, work)
    total = sum(one.size or 0 for one in found)
    if json:
        objects = [dataclasses.asdict(one) for one in found]
        print_json({"dry_run": dry_run, "objects": objects, "waiting": waiting})
        return
    if dry_run and found:
        columns = [("size", True), ("why", False), ("object", False)]
        rows = [(size(one.size or 0), one.reason, one.key) for one in found]
        print_table(Console(), columns, rows)
    later = f"; {waiting:,} others are needed no more, and wait for archive_grace_days" if waiting else ""
    notify(f"{len(found):,} objects, {size(total)}, {'would be' if dry_run else 'were'} deleted{later}")
