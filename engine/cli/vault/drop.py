"""mnemo vault drop."""

import click

from engine.cli.arguments import Text
from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.argument("names", type=Text(), nargs=-1, required=True, metavar="NAME...")
@with_settings
def command(settings: Settings, names: tuple[str, ...]) -> None:
    """Delete items, all or none. Backups can still be read: shred ends that."""

    async def work(mnemo: Mnemo) -> int:
        return await mnemo.vault.drop(names)

    dropped = with_mnemo(settings, work)
    notify(f"{dropped} item{'s' * (dropped != 1)} dropped")
