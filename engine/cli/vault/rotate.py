"""mnemo vault rotate."""

import click

from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.items import Rotation


@click.command()
@click.option(
    "--destroy-old",
    is_flag=True,
    show_envvar=True,
    help="Destroy the keys of before: backups of before open nothing any more.",
)
@with_settings
def command(settings: Settings, destroy_old: bool) -> None:
    """Start a new key, and wrap every data key under it.

    What is sealed stays as it is, and can be read meanwhile. Interrupted, the next run finishes it.
    """

    async def work(mnemo: Mnemo) -> Rotation:
        return await mnemo.vault.rotate(destroy_old=destroy_old)

    done = with_mnemo(settings, work)
    destroyed = f"{len(done.destroyed)} old keys destroyed"
    notify(f"epoch {done.epoch}: {done.rewrapped:,} data keys rewrapped, {destroyed}")
