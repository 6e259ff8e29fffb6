"""mnemo archive run."""

import dataclasses
import sys

import click

from engine.archive.api import Archiving
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json, size
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option(
    "--segment",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    show_envvar=True,
    help="This cold segment alone, whenever it was used.",
)
@click.option(
    "--now",
    is_flag=True,
    show_envvar=True,
    help="Every cold memory that is not pinned, whenever it was used.",
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, segment: int | None, now: bool, json: bool) -> None:
    """Move cold memories to the object store, now.

    By default those that the archive policy names, after which all else is done that mnemo worker does there:
    copies, restores, compactions. Nothing leaves the database before it was read back and verified;
    interrupted, the next run goes on.
    """
    if segment is not None and now:
        raise click.UsageError("--segment names one segment, --now takes them all: give one of them")

    async def work(mnemo: Mnemo) -> Archiving:
        with RowsProgress(shown=sys.stderr.isatty()) as progress:
            return await mnemo.archive(segment, now=now, progress=progress.show)

    done = with_mnemo(settings, work)
    if json:
        print_json(dataclasses.asdict(done) | {"rows_per_second": round(done.rows_per_second, 1)})
    elif not done.segments:
        which = (
            "not pinned in the cold tier"
            if now
            else "that the archive policy names; --now takes every cold one"
        )
        notify(f"nothing to archive: there are no memories {which}")
    else:
        notify(
            f"{done.memories:,} memories of {done.segments} segment{'s' * (done.segments != 1)} archived,"
            f" {size(done.object_bytes)} in {done.seconds:.1f} s ({done.rows_per_second:,.0f} rows/s)"
        )
