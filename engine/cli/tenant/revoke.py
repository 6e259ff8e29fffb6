"""mnemo tenant revoke."""

import click

from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.tenant.administering import administering
from engine.config import Settings


@click.command()
@click.argument("role")
@click.argument("name", metavar="TENANT")
@with_settings
def command(settings: Settings, role: str, name: str) -> None:
    """Let a role act for a tenant no longer.

    What is under way in its sessions ends as it began; the next statement is refused.
    """
    with administering(settings) as cursor:
        done = cursor.execute("select mnemo.revoke_tenant(%s, %s) as done", (role, name)).fetchone()
    notify(f"{role} {'may no longer' if done and done['done'] else 'could not'} act for {name}")
