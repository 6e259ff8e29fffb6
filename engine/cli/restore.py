"""mnemo restore."""

import sys
import time
from typing import cast
from uuid import UUID

import click

from engine.cli.copies import restore_from_copies
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.memory import MemoryId, Tier
from engine.mnemo import Mnemo


@click.command()
@click.argument("ids", nargs=-1, type=click.UUID, metavar="[ID]...")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    envvar="MNEMO_RESTORE_KEY",
    show_envvar=True,
    help="The memory of this key; may be repeated.",
)
@click.option(
    "--collection", default="memories", metavar="NAME", show_envvar=True, help="Whose keys these are."
)
@click.option(
    "--segment",
    "segments",
    multiple=True,
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    envvar="MNEMO_RESTORE_SEGMENT",
    show_envvar=True,
    help="A whole archived segment.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    envvar="MNEMO_RESTORE_ALL",
    show_envvar=True,
    help="Every archived segment.",
)
@click.option(
    "--tier",
    type=click.Choice(["hot", "warm", "cold"]),
    show_envvar=True,
    help="Where they go: warm, unless given. With --copies: those of this tier alone.",
)
@click.option(
    "--copies", is_flag=True, show_envvar=True, help="From the durability copies, what the database lacks."
)
@click.option(
    "--from",
    "url",
    metavar="URL",
    envvar="MNEMO_RESTORE_FROM",
    show_envvar=True,
    help="With --copies: the store they are in.",
)
@click.option(
    "--database", metavar="UUID", show_envvar=True, help="With --copies: of this database, which is lost."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(
    settings: Settings,
    ids: tuple[UUID, ...],
    keys: tuple[str, ...],
    collection: str,
    segments: tuple[int, ...],
    everything: bool,
    tier: str | None,
    copies: bool,
    url: str | None,
    database: str | None,
    json: bool,
) -> None:
    """Bring memories back from the object store.

    By IDs or keys, or whole archived segments, those of all tenants; each is verified on the way. With
    --copies what the database lacks comes from its durability copies. Interrupted, what came back is back:
    give the command again.
    """
    if copies:
        if ids or keys or segments or everything:
            raise click.UsageError("--copies brings back what is missing: it takes no ids, keys or segments")
        restore_from_copies(settings, tier=tier, url=url, database=database, json=json)
        return
    if url or database:
        raise click.UsageError("--from and --database go with --copies")
    if not (ids or keys or segments or everything):
        raise click.UsageError("say what: ids, --key, --segment, --all or --copies")

    async def work(mnemo: Mnemo) -> int:
        with RowsProgress(shown=sys.stderr.isatty()) as progress:
            return await mnemo.restore(
                [MemoryId(one) for one in ids],
                keys=keys,
                collection=collection,
                segments=None if everything else segments,
                tier=cast(Tier, tier or "warm"),
                progress=progress.show,
            )

    began = time.perf_counter()
    restored = with_mnemo(settings, work)
    seconds = time.perf_counter() - began
    if json:
        print_json({"restored": restored, "seconds": round(seconds, 3)})
    elif restored:
        notify(f"{restored:,} memories restored, {seconds:.1f} s ({restored / seconds:,.0f} rows/s)")
    else:
        notify("nothing to restore: none of them is archived")
