"""mnemo archive verify."""

import click

from engine.cli.options import with_settings
from engine.cli.verify import report
from engine.config import Settings


@click.command()
@click.option("--quick", is_flag=True, show_envvar=True, help="Read no objects: compare their sizes.")
@click.option("--repair", is_flag=True, show_envvar=True, help="Put right what can be, and look again.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, quick: bool, repair: bool, json: bool) -> None:
    """Compare the objects with the database.

    Archived segments and copies: that each object is there and is what was written, and holds what the
    database says. Prints a line for each discrepancy, and exits with 1 where anything is wrong. mnemo verify
    looks at the database too.
    """
    report(settings, quick=quick, repair=repair, json=json, archive_only=True)
