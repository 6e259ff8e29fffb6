"""mnemo vault get."""

import sys
from pathlib import Path

import click

from engine.cli.arguments import Text
from engine.cli.options import with_settings
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.argument("name", type=Text())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    show_envvar=True,
    help="File to make; by default standard output.",
)
@with_settings
def command(settings: Settings, name: str, output: Path | None) -> None:
    """Open an item.

    A file appears complete, or not at all. Standard output may have got a part of an item that then turns out
    to be broken: the exit code tells. A codebase is a tar archive; export makes a directory of it.
    """

    async def work(mnemo: Mnemo) -> None:
        if output is not None:
            await mnemo.vault.save(name, output)
            return
        sink = sys.stdout.buffer
        async for chunk in mnemo.vault.stream(name):
            sink.write(chunk)
        sink.flush()

    with_mnemo(settings, work)
