"""mnemo vault export."""

from pathlib import Path

import click

from engine.cli.arguments import Text
from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.argument("name", type=Text())
@click.argument("path", type=click.Path(path_type=Path))
@with_settings
def command(settings: Settings, name: str, path: Path) -> None:
    """Write an item to PATH: a codebase as a directory of its files, else a file.

    It appears there complete, or not at all; what is there already is never replaced.
    """

    async def work(mnemo: Mnemo) -> int:
        return await mnemo.vault.export(name, path)

    files = with_mnemo(settings, work)
    notify(f"{files:,} file{'s' * (files != 1)} written to {path}")
