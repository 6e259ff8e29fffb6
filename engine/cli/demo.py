"""mnemo demo."""

import platform
import time
from pathlib import Path

import click
import psycopg
from psycopg.sql import SQL, Literal
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from engine.cli.options import with_settings
from engine.cli.output import notify, print_hits, print_recall
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.demo import loading
from engine.demo.questions import QUESTIONS, REWORDED
from engine.errors import InvalidArgument
from engine.memory import Recall
from engine.mnemo import Mnemo

_HITS = 3
_ON_DISTANCES = """
Each question becomes a hypervector too. Of its {:,} bits, {:,} would differ from a random one; those
that differ from a memory are its distance. The score is the share that agrees, and how much of the
question's words the memory covers."""
_ON_WORDS = """
The first question again, in words that its answer does not use. Without embeddings only words and
their parts are compared, not meanings, so it misses the answer. Store a model's embeddings with the
memories, and their hypervectors hold both."""
_NEXT = """\
Ask your own:          mnemo recall --collection demo 'open a file for reading'
Store your own text:   mnemo ingest notes.txt
Look inside:           mnemo stats, mnemo doctor, mnemo psql
Remove the demo:       mnemo psql -- -c "delete from mnemo.memories where collection = 'demo'"\
"""
_STOP = "Stop the server:       mnemo down"


@click.command()
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    show_envvar=True,
    help="A folder of Python code to read instead of the standard library.",
)
@with_settings
def command(settings: Settings, source: Path | None) -> None:
    """Store real text and recall it: a tour of one minute.

    The text is the documentation strings of this Python's standard library, 7,000 to 12,000. They go to the
    collection demo, in one transaction; what is there already is not loaded again.
    """
    console = Console(highlight=False, soft_wrap=True)

    async def tour(mnemo: Mnemo) -> None:
        await _fill(mnemo, console, source)
        console.print(_ON_DISTANCES.format(mnemo.bits, mnemo.bits // 2))
        for question in QUESTIONS:
            await _ask(mnemo, console, question)
        console.print(_ON_WORDS)
        await _ask(mnemo, console, REWORDED)
        answer = await mnemo.recall(QUESTIONS[0], k=_HITS, collection=loading.COLLECTION)
        _same_in_sql(mnemo.dsn, settings.tenant, console, answer)

    with_mnemo(settings, tour)
    console.print(f"\n{_NEXT}")
    if settings.dsn is None:
        console.print(_STOP)


async def _fill(mnemo: Mnemo, console: Console, source: Path | None) -> None:
    origin = str(source) if source is not None else f"the library of Python {platform.python_version()}"
    there = await loading.stored(mnemo, origin)
    if there:
        console.print(f"{there:,} documentation strings of {origin} are stored already")
        return
    bulk = await loading.can_load_in_bulk(mnemo)
    if not bulk:
        notify("the hot tier holds memories, so the demo's are added one by one to its index: this is slower")
    started = time.perf_counter()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading and encoding", total=None)

        def read(key: str | None) -> None:
            if key is None:
                progress.update(task, description="storing and indexing")
            else:
                progress.advance(task)

        try:
            count = await loading.load(mnemo, origin, source, bulk, read)
        except InvalidArgument:
            if not bulk or await loading.can_load_in_bulk(mnemo):
                raise
            count = None
    if count is None:
        # Somebody else wrote to the tier meanwhile, perhaps the same demo.
        await _fill(mnemo, console, source)
        return
    seconds = time.perf_counter() - started
    console.print(
        f"{count:,} documentation strings of {origin} stored in {seconds:.1f} s,"
        f" each as a hypervector of {mnemo.bits:,} bits"
    )


async def _ask(mnemo: Mnemo, console: Console, question: str) -> None:
    recall = await mnemo.recall(question, k=_HITS, collection=loading.COLLECTION)
    console.print(f"\n[bold]{question}[/bold]")
    print_recall(console, recall)


def _same_in_sql(dsn: str, tenant: str | None, console: Console, answer: Recall) -> None:
    """Ask the first question once more in SQL that can be pasted into psql, and compare."""
    statement = SQL(
        "select tier, score, distance, key, content\nfrom mnemo.recall_text({}, k => {}, collection => {})"
    ).format(Literal(QUESTIONS[0]), Literal(_HITS), Literal(loading.COLLECTION))
    with translate_errors(), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select set_config('mnemo.tenant', coalesce(%s, ''), false)", (tenant,))
        text = statement.as_string(connection)
        started = time.perf_counter()
        rows = connection.execute(statement).fetchall()
        took_ms = (time.perf_counter() - started) * 1000
    console.print("\nThe first question in plain SQL; paste it into `mnemo psql`:\n")
    console.print(f"{text};\n", markup=False, style="bold")
    print_hits(console, rows)
    asked = [(hit.tier, hit.distance, hit.key) for hit in answer]
    told = [(tier, distance, key) for tier, _, distance, key, _ in rows]
    verdict = "the same answer" if told == asked else "another answer: somebody else is writing"
    console.print(f"{verdict}, in {took_ms:.1f} ms; the first call of a new connection", style="dim")
