"""A small database, and ways to ingest into it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.ingest import Format, Outcome, Plan, ingest
from engine.ingest.plan import format_of
from engine.ingest.run import Phase
from engine.mnemo import Mnemo
from tests.conftest import DatabaseFactory

Rows = list[tuple[Any, ...]]


@dataclass
class Report:
    """What an ingest told of its progress; `on_advance` is called with every advance while storing."""

    skips: list[tuple[str, str]] = field(default_factory=list)
    totals: list[tuple[Phase, int, int | None]] = field(default_factory=list)
    advanced: int = 0
    on_advance: Callable[[int], None] = lambda records: None

    def phase(self, phase: Phase, done: int, total: int | None) -> None:
        """Note a phase."""
        self.totals.append((phase, done, total))
        self.advanced = 0

    def advance(self, records: int) -> None:
        """Count records."""
        self.advanced += records
        if self.totals[-1][0] == "storing":
            self.on_advance(records)

    def skipped(self, place: str, reason: str) -> None:
        """Note a bad record by its file's name and line."""
        self.skips.append((Path(place).name, reason))


@dataclass
class Desk:
    """Ingests into one database and looks at what is there."""

    dsn: str

    async def ingest(self, path: Path | None, report: Report | None = None, **plan: Any) -> Outcome:
        """Ingest a file, its format by its name."""
        chosen: Format = plan.pop("format", None) or format_of(path or Path())
        async with Mnemo.open(self.dsn) as mnemo:
            return await ingest(mnemo, Plan(path=path, format=chosen, **plan), report or Report())

    def query(self, query: str) -> Rows:
        """Ask the database."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def contents(self) -> list[str]:
        """Return the contents of all memories, sorted by code point."""
        return sorted(content for (content,) in self.query("select content from mnemo.memory"))


@pytest.fixture
def desk(database_factory: DatabaseFactory) -> Desk:
    """A fresh database of 1,024 bits."""
    return Desk(database_factory(1_024, 256))


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines of UTF-8 and return the path."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
