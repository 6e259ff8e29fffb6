"""mnemo tenant usage."""

import click

from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.tenant.administering import administering, print_usage, usage
from engine.config import Settings


@click.command()
@click.argument("name", metavar="[TENANT]", required=False)
@click.option("--recount", is_flag=True, show_envvar=True, help="Count all of it, and correct the counters.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, name: str | None, recount: bool, json: bool) -> None:
    """Show what tenants hold of what they may.

    Only tenants with a quota are counted. Counters are exact; --recount is for after a repair by hand, and
    says by how much they were off.
    """
    with administering(settings) as cursor:
        if recount:
            for each in [row["tenant"] for row in usage(cursor, name)]:
                off = cursor.execute("select * from mnemo.recount_usage(%s)", (each,)).fetchone()
                if off is not None and any(off.values()):
                    notify(f"{each}: off by {off['memories']:,} memories and {off['bytes']:,} bytes")
        rows = usage(cursor, name)
    print_usage(rows, json=json)
