"""What an ingest is asked to do, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.errors import InvalidArgument
from engine.ingest.fields import FieldNames
from engine.memory import Tier

Format = Literal["jsonl", "csv", "txt", "parquet"]
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".txt": "txt",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One file into one collection; `path` None is standard input.

    `context` is that of the rows that name none. `limit` counts records from the start of the file. With
    `skip_bad` a record that cannot be a memory is reported and passed over, else it ends the work. Without
    `resume` the file is read from its start, whatever was stored from it before.
    """

    path: Path | None
    format: Format
    collection: str = "memories"
    create_collection: bool = False
    names: FieldNames = field(default_factory=FieldNames)
    context: str | None = None
    tier: Tier = "hot"
    embeddings: Path | None = None
    batch_rows: int = 1000
    bulk: bool = False
    limit: int | None = None
    skip_bad: bool = False
    resume: bool = True

    @property
    def name(self) -> str:
        """What to call the input in messages."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def is_stream(self) -> bool:
        """Whether the input can be read only once: standard input, a pipe."""
        return self.path is None or not self.path.is_file()

    def place(self, line: int) -> str:
        """Name one record by the number its reader gave it."""
        return f"{self.name}, row {line}" if self.format == "parquet" else f"{self.name}:{line}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ingest did: memories `stored`, records `skipped` as bad, records `before` that it found done.

    `before` and `skipped` and the records that were stored make up the input, as far as it was asked for.
    """

    stored: int
    skipped: int
    before: int


def format_of(path: Path) -> Format:
    """Return the format that a file's name says, .gz set aside.

    Raises InvalidArgument for a name that says none.
    """
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = _SUFFIXES.get(name.suffix.lower())
    if found is None:
        raise InvalidArgument(
            f"{path}: the name does not say a format; give --format jsonl, csv, txt or parquet"
        )
    return found
