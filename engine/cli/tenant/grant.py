"""mnemo tenant grant."""

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
    """Let a role act for a tenant.

    A role is of the server: its members may too. TENANT * stands for any, for the servers of an application,
    which choose themselves.
    """
    with administering(settings) as cursor:
        done = cursor.execute("select mnemo.grant_tenant(%s, %s) as done", (role, name)).fetchone()
    notify(f"{role} {'may now' if done and done['done'] else 'could already'} act for {name}")
