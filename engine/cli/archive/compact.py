"""mnemo archive compact."""

import dataclasses
import sys

import click

from engine.archive.api import worker_name
from engine.archive.compacting import Compaction, compact
from engine.archive.session import open_archive
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json, size
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.argument("segments", nargs=-1, type=click.IntRange(1, 2**31 - 1))
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, segments: tuple[int, ...], json: bool) -> None:
    """Write archived segments anew, without dead rows.

    By default those with enough forgotten, rewritten and restored memories, and small ones together; with
    SEGMENTS just these, as one. The old objects stay in the store for the grace period. Interrupted, the next
    compaction goes on.
    """

    async def work(mnemo: Mnemo) -> list[Compaction]:
        done = []
        with RowsProgress(shown=sys.stderr.isatty()) as progress:
            async with open_archive(mnemo.pool, settings, worker=worker_name()) as session:
                while one := await compact(session, segments or None, progress=progress.show):
                    done.append(one)
                    if segments:
                        break
        return done

    done = with_mnemo(settings, work)
    if json:
        print_json({"compactions": [dataclasses.asdict(one) for one in done]})
        return
    for one in done:
        names = f"segment{'s' * (len(one.segments) != 1)} {', '.join(map(str, one.segments))}"
        dead = one.rows - one.memories
        notify(f"{names}: {one.memories:,} memories kept, {dead:,} rows left out, {size(one.object_bytes)}")
    if not done:
        notify("nothing to compact")
