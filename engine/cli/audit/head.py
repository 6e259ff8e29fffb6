"""mnemo audit head."""

import click

from engine.audit.entry import INSTALLATION, Anchor
from engine.cli.options import with_settings
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option("--installation", is_flag=True, show_envvar=True, help="The acts that concern no tenant.")
@with_settings
def command(settings: Settings, installation: bool) -> None:
    """Print SEQ:HASH of the last entry.

    Keep it where whoever administers the server cannot write: mnemo audit verify --expect compares.
    """

    async def work(mnemo: Mnemo) -> Anchor:
        return await mnemo.audit.head(tenant=INSTALLATION if installation else None)

    click.echo(str(with_mnemo(settings, work)))
