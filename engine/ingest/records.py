"""Records of an input: memories with their place in it, in stretches of one transaction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.ingest.fields import Problem, memory_of
from engine.ingest.npy import EmbeddingFile, problem_of
from engine.ingest.plan import Plan
from engine.ingest.readers import rows
from engine.memory import Memory
from engine.writing import Portion


@dataclass(frozen=True, slots=True)
class Record:
    """Record `number` of the input, from 0, at `line` of its file: a memory, or the problem with it."""

    number: int
    line: int
    memory: Memory | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Stretch(Portion):
    """A portion that knows the records its memories come from."""

    records: tuple[Record, ...]

    @classmethod
    def of(cls, records: tuple[Record, ...], start: int, stop: int) -> "Stretch":
        """Make the stretch from one record of the input to another, with those that made memories."""
        return cls([r.memory for r in records if r.memory is not None], start, stop, records)

    def halves(self) -> tuple["Stretch", "Stretch"]:
        """Split it between two memories."""
        middle = len(self.records) // 2
        cut = self.records[middle].number
        return (
            Stretch.of(self.records[:middle], self.start, cut),
            Stretch.of(self.records[middle:], cut, self.stop),
        )


def read_records(
    plan: Plan, embeddings: EmbeddingFile | None, content_max_bytes: int, position: int
) -> Iterator[Record]:
    """Yield the records from `position` on; earlier ones are passed over without decoding."""
    for number, (line, decode) in enumerate(rows(plan)):
        if number == plan.limit:
            return
        if number < position:
            continue
        try:
            vector = None
            if embeddings is not None and number < embeddings.rows:
                vector = embeddings.row(number)
                reason = problem_of(vector)
                if reason is not None:
                    raise Problem(f"row {number} of {embeddings.path} {reason}")
            memory = memory_of(
                decode(),
                plan.names,
                context=plan.context,
                tier=plan.tier,
                content_max_bytes=content_max_bytes,
                embedding=vector,
            )
        except Problem as problem:
            yield Record(number, line, None, str(problem))
        else:
            yield Record(number, line, memory, None)


def stretches(
    records: Iterator[Record], start: int, batch_rows: int, skip: Callable[[Record], None]
) -> Iterator[Stretch]:
    """Group records into stretches of `batch_rows` records; `skip` is told of those that are bad."""
    held: list[Record] = []
    first = start
    for record in records:
        held.append(record)
        if len(held) == batch_rows:
            yield _stretch(held, first, skip)
            held, first = [], record.number + 1
    if held:
        yield _stretch(held, first, skip)


def _stretch(held: list[Record], first: int, skip: Callable[[Record], None]) -> Stretch:
    for record in held:
        if record.memory is None:
            skip(record)
    good = tuple(record for record in held if record.memory is not None)
    return Stretch.of(good, first, held[-1].number + 1)
