"""mnemo vault list."""

import dataclasses
import json as encoder

import click
from rich.console import Console

from engine.cli.arguments import Metadata
from engine.cli.options import with_settings
from engine.cli.output import as_line, notify, print_json, print_table, size
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.items import ItemKind, VaultItem

_COLUMNS = [
    ("kind", False),
    ("name", False),
    ("size", True),
    ("files", True),
    ("happened", False),
    ("metadata", False),
]


@click.command()
@click.option(
    "--kind",
    type=click.Choice(["memory", "conversation", "codebase"]),
    show_envvar=True,
    help="Only items of this kind.",
)
@click.option(
    "--metadata",
    type=Metadata(),
    multiple=True,
    metavar="KEY=VALUE",
    show_envvar=True,
    help="Only items with this; may be repeated.",
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object a line.")
@with_settings
def command(
    settings: Settings, kind: ItemKind | None, metadata: tuple[tuple[str, object], ...], json: bool
) -> None:
    """Show what the vault holds, as far as that can be known without a key."""

    async def work(mnemo: Mnemo) -> list[VaultItem]:
        return await mnemo.vault.list(kind=kind, metadata=dict(metadata) or None)

    items = with_mnemo(settings, work)
    if json:
        for item in items:
            print_json(dataclasses.asdict(item))
    elif items:
        print_table(Console(), _COLUMNS, (_row(item) for item in items))
    else:
        notify("no such item" if kind or metadata else "the vault is empty")


def _row(item: VaultItem) -> list[str]:
    return [
        item.kind,
        as_line(item.name),
        size(item.bytes),
        "" if item.files is None else f"{item.files:,}",
        f"{item.happened_at:%Y-%m-%d %H:%M}",
        as_line(encoder.dumps(item.metadata, ensure_ascii=False)) if item.metadata else "",
    ]
