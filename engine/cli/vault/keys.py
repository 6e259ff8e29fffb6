"""mnemo vault keys."""

import click
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import notify, print_table
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.items import VaultKey

_COLUMNS = [
    ("epoch", True),
    ("state", False),
    ("data keys", True),
    ("created", False),
    ("final", False),
    ("store", False),
]


@click.command()
@with_settings
def command(settings: Settings) -> None:
    """Show the epochs of the tenant's keys; never the keys."""

    async def work(mnemo: Mnemo) -> tuple[VaultKey, ...]:
        return await mnemo.vault.keys()

    keys = with_mnemo(settings, work)
    if keys:
        print_table(Console(), _COLUMNS, (_row(key) for key in keys))
    else:
        notify("the tenant has no key yet: the first put makes one")


def _row(key: VaultKey) -> list[str]:
    final = "" if key.final_at is None else f"{key.final_at:%Y-%m-%d %H:%M}"
    return [
        str(key.epoch),
        key.state,
        f"{key.data_keys:,}",
        f"{key.created_at:%Y-%m-%d %H:%M}",
        final,
        key.store,
    ]
