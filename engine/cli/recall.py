"""mnemo recall."""

import dataclasses
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from engine.cli.arguments import JsonObject, Text, read_embedding, read_hypervector
from engine.cli.explanation import print_explained
from engine.cli.options import with_settings
from engine.cli.output import print_json, print_recall, recall_as_json
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.errors import Archived
from engine.memory import MemoryId, Recall
from engine.mnemo import Mnemo
from engine.recall.explaining import Reason

_IN_THE_ARCHIVE = "archived: its words and neighbours are not in the database; mnemo restore brings it back"


@click.command()
@click.argument("text", type=Text(), required=False)
@click.option(
    "--hdv-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_envvar=True,
    help="Ask with a hypervector instead: D/8 raw bytes, or an .npy file of uint8[D/8].",
)
@click.option(
    "--embedding-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_envvar=True,
    help="Ask with an embedding, beside the text or instead: an .npy file of float[d].",
)
@click.option(
    "--roles",
    type=JsonObject(),
    show_envvar=True,
    help='Ask for values of roles, such as {"speaker": "Ann"}; what the text names need not be given.',
)
@click.option("-k", "--k", type=int, show_envvar=True, help="How many hits.  [default: search.k]")
@click.option("--collection", type=Text(), default="memories", show_envvar=True, help="Where to look.")
@click.option("--context", type=Text(), show_envvar=True, help="Only memories of this context.")
@click.option(
    "--where",
    type=JsonObject(),
    show_envvar=True,
    help='Only memories with these attributes, such as {"year": {"$gte": 2020}}.',
)
@click.option("--exact", is_flag=True, show_envvar=True, help="Compare every memory; no index.")
@click.option("--archive", is_flag=True, show_envvar=True, help="Look into the archive, too.")
@click.option("--explain", is_flag=True, show_envvar=True, help="Say of each hit why it was found.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(
    settings: Settings,
    text: str | None,
    hdv_file: Path | None,
    embedding_file: Path | None,
    roles: dict[str, Any] | None,
    k: int | None,
    collection: str,
    context: str | None,
    where: dict[str, Any] | None,
    exact: bool,
    archive: bool,
    explain: bool,
    json: bool,
) -> None:
    """Find the memories nearest to a text, an embedding, values of roles, or a hypervector."""
    asked = [given is not None for given in (text, embedding_file, roles)]
    if any(asked) == (hdv_file is not None):
        raise click.UsageError("give a TEXT, --embedding-file or --roles, or else --hdv-file")
    query = text if hdv_file is None else read_hypervector(hdv_file)
    embedding = None if embedding_file is None else read_embedding(embedding_file)

    if explain and hdv_file is not None:
        raise click.UsageError("--explain takes a question apart; of a hypervector nothing is known")
    reasons: dict[MemoryId, list[Reason]] = {}

    async def ask(mnemo: Mnemo) -> Recall:
        recalled = await mnemo.recall(
            query,
            embedding=embedding,
            roles=roles,
            k=k,
            collection=collection,
            context=context,
            where=where,
            exact=exact,
            archive=archive,
        )
        for hit in recalled if explain else ():
            try:
                reasons[hit.memory_id] = await mnemo.explain(
                    text, hit.memory_id, embedding=embedding, roles=roles, context=context
                )
            except Archived:
                reasons[hit.memory_id] = [Reason("note", None, _IN_THE_ARCHIVE, None, None, None)]
        return recalled

    found = with_mnemo(settings, ask)
    if json:
        shown = recall_as_json(found)
        for hit in shown["hits"] if explain else ():
            hit["reasons"] = [dataclasses.asdict(reason) for reason in reasons[hit["memory_id"]]]
        print_json(shown)
    elif explain:
        print_explained(Console(), found, reasons)
    else:
        print_recall(Console(), found)
