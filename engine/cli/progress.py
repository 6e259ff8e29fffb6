"""Progress bars, on standard error."""

from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from engine.cli.output import as_line
from engine.ingest.run import Phase


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} rows/s", style="dim")


def _bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
        transient=True,
    )


class RowsProgress:
    """A bar for what is being done, where `shown`."""

    def __init__(self, shown: bool) -> None:
        self._progress = _bar(shown)
        self._task: tuple[str, TaskID] | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Say what is being done, and how many rows of it are done, of how many."""
        if self._task is not None and self._task[0] != what:
            self._progress.remove_task(self._task[1])
            self._task = None
        if self._task is None:
            self._task = (what, self._progress.add_task(what, total=total))
        self._progress.update(self._task[1], completed=done, total=total)


class IngestProgress:
    """A bar for each phase where `shown`; bad records are named in any case."""

    def __init__(self, shown: bool) -> None:
        self._progress = _bar(shown)
        self._shown = shown
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, phase: Phase, done: int, total: int | None) -> None:
        """Begin a phase."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(phase, total=total, completed=done)

    def advance(self, records: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.advance(self._task, records)

    def skipped(self, place: str, reason: str) -> None:
        """Name a bad record."""
        message = f"skipped {as_line(place)}: {as_line(reason)}"
        if self._shown:
            self._progress.console.print(Text(message))
        else:
            click.echo(message, err=True)
