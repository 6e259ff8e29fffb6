"""Writes: a bulk load of an empty tier, and batches into an indexed one, beside COPY."""

import statistics
import time
from collections.abc import Sequence
from uuid import UUID

from engine import Memory, Mnemo
from tests.benchmarks import copying
from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.ours import memories
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Stage
from tests.benchmarks.timing import timed


async def bulk(stage: Stage, corpus: Corpus, options: Options) -> tuple[str, list[UUID], list[Row]]:
    """Load the corpus both ways, each round in a database of its own; the last is used by what follows."""
    stored = memories(corpus.texts, corpus.hdvs, "base")
    ready = copying.rows(stored)
    rounds = options.rounds if "bulk" in options.only else 1
    ours: list[float] = []
    bare: list[float] = []
    if "bulk" in options.only:
        # The first load of a new server also makes its log files and touches its memory for the first time.
        copying.load(stage.connect(stage.database()), ready)
    for _ in range(rounds):
        dsn = stage.database()
        connection = stage.connect(dsn)
        async with Mnemo.open(dsn) as mnemo:
            connection.execute("checkpoint")
            began = time.perf_counter()
            ids = await mnemo.remember_many(stored, bulk=True)
            ours.append(time.perf_counter() - began)
        connection.execute("checkpoint")
        bare.append(timed(lambda: copying.load(connection, ready)))  # noqa: B023
    ratio = statistics.median(theirs / mine for mine, theirs in zip(ours, bare, strict=True))
    row = Row(
        "bulk load against COPY + CREATE INDEX",
        ratio,
        "x",
        f"{_rate(stored, ours)} against {_rate(ready, bare)} rows/s, hypervectors ready, same indexes",
        0.6,
    )
    return dsn, list(ids), [row]


async def insert(stage: Stage, dsn: str, corpus: Corpus, options: Options) -> list[Row]:
    """Write batches into the indexed hot tier and into the bare table with the same rows and indexes."""
    late = memories(corpus.late_texts, corpus.late_hdvs, "late")[: options.scaled(4_000, 40)]
    size = options.scaled(1_000, 20)
    connection = stage.connect(dsn)
    ours: list[float] = []
    bare: list[float] = []
    async with Mnemo.open(dsn) as mnemo:
        for batch in copying.batches(late, size):
            ready = copying.rows(batch)
            began = time.perf_counter()
            await mnemo.remember_many(batch)
            ours.append(time.perf_counter() - began)
            bare.append(timed(lambda: copying.copy(connection, ready)))  # noqa: B023
    return [
        Row(
            "remember_many into the indexed hot tier against COPY",
            sum(bare) / sum(ours),
            "x",
            f"{_rate(late, [sum(ours)])} against {_rate(late, [sum(bare)])} rows/s"
            f" in batches of {size}, hypervectors ready",
            0.8,
        )
    ]


def _rate(written: Sequence[Memory | copying.Row], seconds: list[float]) -> str:
    return f"{len(written) / statistics.median(seconds):,.0f}"
