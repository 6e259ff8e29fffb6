"""mnemo stats."""

from dataclasses import asdict

import click
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import print_json, print_tiers
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, json: bool) -> None:
    """Show what each tier holds.

    Memories of all tenants; strength is the mean, from 0 to 1.
    """
    tiers = with_mnemo(settings, Mnemo.stats)
    if json:
        print_json({"tiers": [asdict(tier) for tier in tiers]})
    else:
        print_tiers(Console(), tiers)
