"""mnemo eval."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.text import Text as Line

from engine.cli.arguments import JsonObject, Text
from engine.cli.options import with_settings
from engine.cli.output import as_line, notify, print_json, print_table
from engine.cli.progress import IngestProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.evaluation import METHODS, Memories, Method, Plan, Report, Row, check_plot, evaluate, fill
from engine.evaluation import plot as draw
from engine.evaluation.bootstrap import Interval
from engine.evaluation.questions import read_questions
from engine.evaluation.report import METRICS, titles
from engine.memory import MAX_K
from engine.mnemo import Mnemo

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NUMBER = True
_STORED = """{:,} memories stored in the collection {}; to remove them:
mnemo psql -- -c "delete from mnemo.memories where collection = '{}'"\
"""


class _Methods(click.ParamType[tuple[Method, ...]]):
    name = "list"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Method, ...]:
        named = [part.strip() for part in value.split(",") if part.strip()]
        for name in named:
            if name not in METHODS:
                self.fail(f"there is no method {name!r}; there are {', '.join(METHODS)}", param, ctx)
        return tuple(method for method in METHODS if method in named)


class _Progress(IngestProgress):
    def phase(self, phase: str, done: int, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(phase, total=total, completed=done)

    def note(self, message: str) -> None:
        """Say what is left out."""
        notify(message)


@click.command()
@click.argument("questions", type=_FILE)
@click.option(
    "--embeddings",
    type=_FILE,
    show_envvar=True,
    help="An .npy file of floats [n, d], the embedding of each question in order.",
)
@click.option(
    "--collection",
    type=Text(),
    show_envvar=True,
    help="Where to look.  [default: memories; with --memories one named after the file]",
)
@click.option(
    "--memories",
    type=_FILE,
    show_envvar=True,
    help="First store this file, as mnemo ingest reads it, in a collection of its own.",
)
@click.option(
    "--memory-embeddings",
    type=_FILE,
    show_envvar=True,
    help="An .npy file of floats [n, d], the embedding of each memory in order.",
)
@click.option(
    "--encoding",
    type=JsonObject(),
    show_envvar=True,
    help='Weights of that collection that are not to be the defaults, such as {"words": 300}.',
)
@click.option(
    "--ranking",
    type=JsonObject(),
    show_envvar=True,
    help='The same of its second stage, such as {"candidates": 100}.',
)
@click.option(
    "--consolidated",
    is_flag=True,
    show_envvar=True,
    help="Move that collection to the warm tier first, encoded with both sides.",
)
@click.option(
    "-k", "--k", type=click.IntRange(1, MAX_K), default=10, show_envvar=True, help="How many hits count."
)
@click.option(
    "--methods",
    type=_Methods(),
    metavar="LIST",
    show_envvar=True,
    help=f"Which to measure, of {','.join(METHODS)}.  [default: all that can be]",
)
@click.option("--exact", is_flag=True, show_envvar=True, help="Compare every memory; no index.")
@click.option(
    "--by",
    type=click.Choice(["category", "context"]),
    default="category",
    show_envvar=True,
    help="What to divide the questions by.",
)
@click.option(
    "--missing",
    type=click.Choice(["stop", "ignore"]),
    default="stop",
    show_envvar=True,
    help="At a key that no memory has: end, or leave it out.",
)
@click.option(
    "--language",
    type=Text(),
    default="auto",
    show_envvar=True,
    help="Whose stems and stop words bm25-stemmed knows: english, german ..., or none.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    show_envvar=True,
    help="Only N of the questions, drawn at random.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_envvar=True, help="Of what is drawn at random."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    show_envvar=True,
    help="Draw recall by method and group: a .png, .svg or .pdf file.",
)
@click.option("--no-progress", is_flag=True, show_envvar=True, help="Show no progress bar.")
@with_settings
def command(
    settings: Settings,
    /,
    questions: Path,
    embeddings: Path | None,
    collection: str | None,
    memories: Path | None,
    memory_embeddings: Path | None,
    encoding: dict[str, Any] | None,
    ranking: dict[str, Any] | None,
    consolidated: bool,
    methods: tuple[Method, ...] | None,
    by: Literal["category", "context"],
    missing: Literal["stop", "ignore"],
    json: bool,
    plot: Path | None,
    no_progress: bool,
    **options: Any,
) -> None:
    """Measure how well questions find their answers, beside cosine, BM25 and both.

    QUESTIONS is a file of JSON lines, also as .gz: question (a text) and keys (or evidence, the keys of the
    memories that answer it), and where wanted context, category, embedding, roles, filter.

    recall is mnemo recall as configured, search its first stage alone, the nearest hypervectors. The others
    rank the same memories by code of their own: cosine of the float or int8 embeddings, bm25 of the words,
    bm25-stemmed of their stems without stop words, rrf the reciprocal rank fusion of cosine and BM25. Times
    are those of one question at a time; the others work in this process, on what was read before.

    No answer counts as an access: each recall is rolled back.
    """
    if memories is None and (memory_embeddings, encoding, ranking, consolidated) != (None, None, None, False):
        raise click.UsageError(
            "--memory-embeddings, --encoding, --ranking and --consolidated belong to --memories"
        )
    if methods == ():
        raise click.UsageError("--methods names none")
    if plot is not None:
        check_plot(plot)
    asked = read_questions(questions, embeddings)
    plan = Plan(methods=methods, by=by, missing=missing, **options)
    filling = None
    if memories is not None:
        filling = Memories(memories, memory_embeddings, encoding, ranking, collection, consolidated)

    with _Progress(shown=not no_progress and sys.stderr.isatty()) as progress:

        async def work(mnemo: Mnemo) -> Report:
            if filling is None:
                chosen = dataclasses.replace(plan, collection=collection or plan.collection)
                return await evaluate(mnemo, settings, asked, chosen, progress)
            filled = await fill(mnemo, filling, progress)
            name = filled.collection
            if filled.stored:
                notify(_STORED.format(filled.stored, name, name))
            chosen = dataclasses.replace(plan, collection=name)
            return await evaluate(mnemo, settings, asked, chosen, progress, filled.embeddings)

        report = with_mnemo(settings, work)
    if plot is not None:
        draw(report, plot)
    if json:
        print_json(report.as_json())
    else:
        _print(Console(), report)


def _print(console: Console, report: Report) -> None:
    _print_rows(console, report, [report.group("all")], None)
    for line in _remarks(report):
        console.print(Line(line), soft_wrap=True)
    if report.groups[1:]:
        console.print()
        _print_rows(console, report, [report.group(name) for name in report.groups[1:]], report.by)


def _print_rows(console: Console, report: Report, groups: Sequence[Sequence[Row]], by: str | None) -> None:
    named = [] if by is None else [(by, False), ("n", _NUMBER)]
    columns = [*named, ("method", False), *((title, _NUMBER) for title in titles(report.k).values())]
    rows = []
    for group in groups:
        for place, row in enumerate(group):
            head = [as_line(row.group), f"{row.questions:,}"] if place == 0 else ["", ""]
            scores = [_cell(row.scores[metric]) for metric in METRICS]
            rows.append([*head[: len(named)], row.method, *scores, f"{row.p50_ms:.1f}"])
    print_table(console, [*columns, ("p50 ms", _NUMBER)], rows)


def _remarks(report: Report) -> list[str]:
    first = report.rows[0]
    counted = f"{first.questions:,} questions over {report.memories:,} memories of {report.collection}"
    drawn = f"{report.contexts} contexts" if first.unit == "contexts" else "questions"
    lines = [
        "",
        f"{counted}. In brackets 95 % intervals: percentiles of {report.resamples:,} bootstrap means over"
        f" {drawn}, seed {report.seed}.",
    ]
    if any(row.unit != first.unit for row in report.rows):
        lines.append("Below, groups of fewer than 5 contexts are drawn by question.")
    if report.language is not None:
        lines.append(f"bm25-stemmed: {report.language}.")
    if report.ignored_keys:
        lines.append(
            f"Left out: {report.ignored_keys} keys that no memory has, and {report.left_out} questions that"
            " had no other."
        )
    for one in report.differences:
        found, ranked = one.scores["recall"], one.scores["ndcg"]
        lines.append(
            f"{one.method} less {one.peer}, the peer that finds most, question by question:"
            f" recall@{report.k} {_signed(found)}, nDCG@10 {_signed(ranked)}"
        )
    return lines


def _cell(score: Interval) -> str:
    return f"{score.mean:.3f} [{score.low:.2f}, {score.high:.2f}]"


def _signed(score: Interval) -> str:
    return f"{score.mean:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"
