"""What statistics of words cost a writer: the same memories into a collection with and without them."""

import statistics
import time
from collections.abc import Sequence

from engine import Memory, Mnemo
from engine.database.parameters import PackedBits
from tests.benchmarks import copying
from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.ours import memories
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage
from tests.benchmarks.timing import timed

# Hypervectors come ready: then the two differ in nothing but the counting.
_SIDES = {"without": "lexical", "with": "composite"}
_ONE = "select mnemo.remember(%s, %s::varbit, collection => %s)"


async def counting(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Write one by one, in batches into an indexed tier, and in bulk into an empty one, in turns."""
    stored = memories(corpus.texts, corpus.hdvs, "base")
    dsn = stage.database()
    connection = stage.connect(dsn)
    for name, encoder in _SIDES.items():
        connection.execute("select mnemo.create_collection(%s, encoder => %s)", (name, encoder))
    size = options.scaled(1_000, 20)
    batches = list(copying.batches(stored, size))[: options.scaled(10, 4)]
    seconds: dict[str, list[float]] = {name: [] for name in _SIDES}
    async with Mnemo.open(dsn) as mnemo:
        # Never the same hypervectors twice, which an index takes in no time; and each is first in turn.
        for turn in range(0, len(batches) - 1, 2):
            sides = list(_SIDES) if turn % 4 else list(_SIDES)[::-1]
            for name, batch in zip(sides, batches[turn : turn + 2], strict=True):
                began = time.perf_counter()
                await mnemo.remember_many(_unnamed(batch), collection=name)
                seconds[name].append(time.perf_counter() - began)
    rows = [_row("remember_many", seconds, size, f"in batches of {size} into the indexed hot tier")]
    rows.append(_one_by_one(connection, stored[-options.scaled(1_000, 20) :]))
    rows.append(await _bulk(stage, stored, options))
    return rows


def _one_by_one(connection: Connection, stored: Sequence[Memory]) -> Row:
    seconds: dict[str, list[float]] = {name: [] for name in _SIDES}
    for place, memory in enumerate(stored):
        assert memory.hdv is not None
        name = list(_SIDES)[place % 2]
        given = (memory.content, PackedBits.of(memory.hdv), name)
        seconds[name].append(timed(lambda: connection.execute(_ONE, given)))  # noqa: B023
    return _row("mnemo.remember", seconds, 1, "one by one, each committed")


async def _bulk(stage: Stage, stored: Sequence[Memory], options: Options) -> Row:
    seconds: dict[str, list[float]] = {name: [] for name in _SIDES}
    for _ in range(options.rounds):
        for name, encoder in _SIDES.items():
            dsn = stage.database()
            async with Mnemo.open(dsn) as mnemo:
                await mnemo.create_collection(name, encoder=encoder)
                stage.connect(dsn).execute("checkpoint")
                began = time.perf_counter()
                await mnemo.remember_many(_unnamed(stored), collection=name, bulk=True)
                seconds[name].append(time.perf_counter() - began)
    return _row("bulk load", seconds, len(stored), "into an empty tier, indexes after")


def _unnamed(batch: Sequence[Memory]) -> list[Memory]:
    return [Memory(content=memory.content, hdv=memory.hdv) for memory in batch]


def _row(what: str, seconds: dict[str, list[float]], size: int, how: str) -> Row:
    without, counted = (statistics.median(seconds[name]) for name in _SIDES)
    pairs = zip(seconds["without"], seconds["with"], strict=True)
    return Row(
        f"{what} with statistics of words against without",
        statistics.median(bare / mine for bare, mine in pairs),
        "x",
        f"{size / counted:,.0f} against {size / without:,.0f} memories/s {how}, hypervectors ready",
        0.8,
    )
