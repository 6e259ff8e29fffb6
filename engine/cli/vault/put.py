"""mnemo vault put."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import click

from engine.cli.arguments import Metadata, Text
from engine.cli.options import with_settings
from engine.cli.output import notify, size
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.items import ItemKind

_PIECE = 1024 * 1024


@click.command()
@click.argument("name", type=Text())
@click.argument("source", type=click.Path(exists=True, allow_dash=True, path_type=Path), default="-")
@click.option(
    "--kind",
    type=click.Choice(["memory", "conversation", "codebase"]),
    show_envvar=True,
    help="What it is.  [default: codebase for a directory, else memory]",
)
@click.option(
    "--metadata",
    type=Metadata(),
    multiple=True,
    metavar="KEY=VALUE",
    show_envvar=True,
    help="What it is found by, not encrypted; may be repeated. A value that is JSON is taken as JSON.",
)
@click.option("--replace", is_flag=True, show_envvar=True, help="Take the place of an item of that name.")
@click.option("--skip-links", is_flag=True, show_envvar=True, help="Leave links out of a directory.")
@with_settings
def command(
    settings: Settings,
    name: str,
    source: Path,
    kind: ItemKind | None,
    metadata: tuple[tuple[str, object], ...],
    replace: bool,
    skip_links: bool,
) -> None:
    """Seal a file, a directory, or standard input, and store it; print its id.

    A directory is stored as a codebase: its regular files, without owners and times.
    """
    folder = source.is_dir()
    if folder and kind not in (None, "codebase"):
        raise click.UsageError(f"{source} is a directory, which is stored as a codebase, not as a {kind}")
    if kind == "codebase" and not folder:
        raise click.UsageError(f"{source} is not a directory, and a codebase is one")

    async def work(mnemo: Mnemo) -> UUID:
        if folder:
            return await mnemo.vault.put_codebase(
                name, source, metadata=dict(metadata), replace=replace, skip_links=skip_links
            )
        data = _standard_input() if str(source) == "-" else source
        return await mnemo.vault.put(
            name, data, kind=kind or "memory", metadata=dict(metadata), replace=replace
        )

    click.echo(with_mnemo(settings, work))


async def _standard_input() -> AsyncIterator[bytes]:
    stream, done = sys.stdin.buffer, 0
    while piece := stream.read(_PIECE):
        done += len(piece)
        yield piece
    notify(f"{size(done)} read")
