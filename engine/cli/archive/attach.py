"""mnemo archive attach."""

import dataclasses
import sys

import click

from engine.archive.attaching import Attachment, attach
from engine.archive.registry import objects_url
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option(
    "--store",
    metavar="URL",
    show_envvar=True,
    help="s3://bucket/prefix, or a directory; else the configured one.",
)
@click.option(
    "--move",
    is_flag=True,
    show_envvar=True,
    help="From another store; all objects must have been copied here.",
)
@click.option(
    "--adopt", is_flag=True, show_envvar=True, help="Write what other databases wrote anew, as its own."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, store: str | None, move: bool, adopt: bool, json: bool) -> None:
    """Use an object store, or objects of another database.

    A database restored from a dump, or cloned, takes a name of its own there, and reads what the first one
    wrote; the first one deletes none of that. With --adopt it needs the first one no more. archive.url must
    name the same store afterwards.
    """
    url = store or objects_url(settings)
    if url is None:
        raise click.UsageError("there is no store: give --store, or configure archive.url")

    async def work(mnemo: Mnemo) -> Attachment:
        with RowsProgress(shown=sys.stderr.isatty()) as progress:
            return await attach(mnemo.pool, settings, url=url, move=move, adopt=adopt, progress=progress.show)

    done = with_mnemo(settings, work)
    if json:
        print_json(dataclasses.asdict(done))
    else:
        adopted = f"; segments written anew as its own: {done.adopted}" if adopt else ""
        notify(f"this database goes by {done.database} in {done.store}{adopted}")
