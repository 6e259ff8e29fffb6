"""mnemo tenant list."""

import click
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import as_line, print_json, print_table
from engine.cli.tenant.administering import administering
from engine.config import Settings

_ROLES = (
    "select t.tenant, t.role, t.granted_at, t.granted_by from mnemo.tenant_role t order by t.tenant, t.role"
)


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, json: bool) -> None:
    """Show which roles act for which tenants.

    Members of mnemo_owner and mnemo_worker, and superusers, act for all, and are not listed.
    """
    with administering(settings) as cursor:
        rows = cursor.execute(_ROLES).fetchall()
    if json:
        print_json({"roles": rows})
        return
    columns = [("tenant", False), ("role", False), ("since", False), ("granted by", False)]
    cells = [
        (as_line(row["tenant"]), row["role"], f"{row['granted_at']:%Y-%m-%d %H:%M}", row["granted_by"])
        for row in rows
    ]
    print_table(Console(), columns, cells)
