"""mnemo consolidate."""

import dataclasses
import sys
import time

import click
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import notify, print_json
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.consolidation.api import Consolidation
from engine.mnemo import Mnemo


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, json: bool) -> None:
    """Move memories to the tiers that the policies say, now.

    Those about to move are encoded anew with what came before and after them. Interrupted, the next
    consolidation goes on. mnemo worker does the same every hour.
    """
    began = time.perf_counter()
    done = with_mnemo(settings, _consolidate)
    if json:
        print_json(dataclasses.asdict(done))
    else:
        notify(f"{_summary(done)}, {time.perf_counter() - began:.1f} s")


async def _consolidate(mnemo: Mnemo) -> Consolidation:
    if not sys.stderr.isatty():
        return await mnemo.consolidate()
    with Console(stderr=True).status("consolidating") as status:
        return await mnemo.consolidate(lambda done: status.update(_summary(done)))


def _summary(done: Consolidation) -> str:
    return f"{done.moved:,} memories moved, {done.encoded:,} encoded anew"
