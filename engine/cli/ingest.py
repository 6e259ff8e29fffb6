"""mnemo ingest."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, get_args

import click

from engine.cli.arguments import Text
from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.progress import IngestProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.ingest import FieldNames, Format, Outcome, Plan, ingest
from engine.ingest.plan import format_of
from engine.memory import Tier
from engine.mnemo import Mnemo

_FIELDS = ("content", "key", "context", "session", "time")


def _field_options(function: Any) -> Any:
    for name in reversed(_FIELDS):
        function = click.option(
            f"--{name}-field", type=Text(), metavar="NAME", show_envvar=True, help=f"Field of the {name}."
        )(function)
    return function


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(Format)),
    envvar="MNEMO_INGEST_FORMAT",
    show_envvar=True,
    help="What the file holds.  [default: what its name says]",
)
@click.option(
    "--embeddings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_envvar=True,
    help="An .npy file of floats [n, d], the embedding of each record in order.",
)
@click.option("--collection", type=Text(), default="memories", show_envvar=True, help="Where to store.")
@click.option("--create-collection", is_flag=True, show_envvar=True, help="Create it if it is not there.")
@click.option("--context", type=Text(), show_envvar=True, help="Context of the records that name none.")
@click.option(
    "--tier", type=click.Choice(get_args(Tier)), default="hot", show_envvar=True, help="Into which."
)
@_field_options
@click.option(
    "--batch-rows",
    type=click.IntRange(1, 100_000),
    show_envvar=True,
    help="Records of one transaction.  [default: ingest.batch_rows]",
)
@click.option("--bulk", is_flag=True, show_envvar=True, help="One transaction, into an empty tier: faster.")
@click.option(
    "--limit", type=click.IntRange(1), show_envvar=True, help="Only the first N records.", metavar="N"
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_envvar=True,
    help="At a bad record: store nothing, or report it and go on.",
)
@click.option("--no-resume", is_flag=True, show_envvar=True, help="Read it all, whatever was stored before.")
@click.option("--no-progress", is_flag=True, show_envvar=True, help="Show no progress bar.")
@with_settings
def command(
    settings: Settings,
    /,
    file: Path,
    format_: Format | None,
    batch_rows: int | None,
    on_error: str,
    no_resume: bool,
    no_progress: bool,
    **options: Any,
) -> None:
    """Store the rows of a file: jsonl, csv, txt (a memory a line), each also as .gz, or parquet.

    FILE - is standard input. A row has content (or text) and may have key (or id), context, session,
    occurred_at (or date), scores and attributes, both objects; its other fields become attributes too.
    Those of a csv are text, which filters by numbers do not match.

    Stopped at any moment and started again, the same command goes on where it was. A file that is stored
    already is not stored twice.
    """
    given = {name: options.pop(f"{name}_field") for name in _FIELDS}
    path = None if str(file) == "-" else file
    if path is None and format_ is None:
        raise click.UsageError("standard input has no name that says its format: give --format")
    plan = Plan(
        path=path,
        format=format_ or format_of(file),
        names=_names(given),
        batch_rows=batch_rows or settings.ingest.batch_rows,
        skip_bad=on_error == "skip",
        resume=not no_resume,
        **options,
    )
    if plan.is_stream:
        notify(f"{plan.name} cannot be read again: if this stops, only rows with keys can be sent once more")
    started = time.perf_counter()
    try:
        with IngestProgress(shown=not no_progress and sys.stderr.isatty()) as progress:

            async def work(mnemo: Mnemo) -> Outcome:
                return await ingest(mnemo, plan, progress)

            outcome = with_mnemo(settings, work)
    except KeyboardInterrupt:
        if not plan.is_stream and plan.resume:
            notify("the same command goes on where this one stopped")
        raise
    click.echo(_summary(plan, outcome, time.perf_counter() - started))


def _names(given: dict[str, str | None]) -> FieldNames:
    named = {"occurred_at" if part == "time" else part: (name,) for part, name in given.items() if name}
    return dataclasses.replace(FieldNames(), **named)


def _summary(plan: Plan, outcome: Outcome, seconds: float) -> str:
    if outcome.before and not outcome.stored and not outcome.skipped:
        return f"nothing to do: the {outcome.before:,} records of {plan.name} were read before"
    parts = [
        f"{_counted(outcome.stored, 'memory', 'memories')} stored"
        f" in {seconds:.1f} s ({outcome.stored / seconds:,.0f} a second)"
    ]
    if outcome.before:
        parts.append(f"{_counted(outcome.before, 'record was', 'records were')} read before")
    if outcome.skipped:
        parts.append(f"{_counted(outcome.skipped, 'bad record', 'bad records')} skipped")
    return "; ".join(parts)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
