"""What `mnemo restore --copies` does."""

import dataclasses
import sys
from uuid import UUID

import click

from engine.archive.rebuilding import Rebuilt, rebuild
from engine.archive.session import open_archive
from engine.cli.output import as_line, notify, print_json
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


def restore_from_copies(
    settings: Settings, *, tier: str | None, url: str | None, database: str | None, json: bool
) -> None:
    """Bring back what the database lacks from copies, and say what came back; exit with 1 where any stay out.

    `tier`: that tier alone. `database`, at `url` or in the configured store: of a database that is lost.
    """
    try:
        name = None if database is None else UUID(database)
    except ValueError:
        raise click.BadParameter(f"{database!r} is no UUID, as a database's folder in the store is") from None

    async def work(mnemo: Mnemo) -> Rebuilt:
        with RowsProgress(shown=sys.stderr.isatty()) as progress:
            async with open_archive(mnemo.pool, settings, worker="mnemo restore") as session:
                return await rebuild(
                    session,
                    tier=tier,
                    url=url,
                    database=name,
                    on_progress=lambda done, total: progress.show("restoring", done, total),
                )

    done = with_mnemo(settings, work)
    if json:
        print_json(dataclasses.asdict(done) | {"memories": done.memories})
    else:
        for reason in done.left_out:
            click.echo(as_line(f"left out: {reason}"))
        tiers = ", ".join(f"{count:,} {name}" for name, count in sorted(done.restored.items()))
        notify(f"{done.memories:,} memories came back from {done.sets} sets{f' ({tiers})' if tiers else ''}")
        if not done.sets and name is None:
            notify(
                "this database has no copies; those of one that is lost: --database, its folder in the store"
            )
    if done.left_out:
        raise click.exceptions.Exit(1)
