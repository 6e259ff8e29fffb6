"""What durability copies cost a writer, how fast they are made, and how fast memories come back from them."""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine import Memory, Mnemo
from engine.archive.copying import copy_step, merge_step
from engine.archive.rebuilding import rebuild
from engine.archive.session import ArchiveSession, open_archive
from engine.config import Settings
from tests.benchmarks import copying
from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.ours import memories
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage

_SIDES = ("without", "with")


async def durability(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Write the same batches in turns with a copy policy and without, copy them, lose a tier, rebuild it."""
    stored = memories(corpus.texts, corpus.hdvs, "base")[: options.scaled(20_000, 120)]
    size = options.scaled(1_000, 20)
    databases = {name: stage.database() for name in _SIDES}
    connections = {name: stage.connect(dsn) for name, dsn in databases.items()}
    connections["with"].execute("select mnemo.add_copy_policy('copies')")
    connections["with"].execute("select mnemo.queue_backlog()")
    seconds: dict[str, list[float]] = {name: [] for name in _SIDES}
    batches = list(copying.batches(stored, size))
    async with Mnemo.open(databases["without"]) as without, Mnemo.open(databases["with"]) as copied:
        for turn, batch in enumerate(batches):
            sides = [("without", without), ("with", copied)]
            for name, mnemo in sides if turn % 2 else sides[::-1]:
                began = time.perf_counter()
                await mnemo.remember_many([Memory(content=m.content, hdv=m.hdv) for m in batch])
                seconds[name].append(time.perf_counter() - began)
        pairs = zip(seconds["without"], seconds["with"], strict=True)
        bare, mine = (statistics.median(seconds[name]) for name in _SIDES)
        cost = Row(
            "remember_many with a copy policy against without",
            statistics.median(left / right for left, right in pairs),
            "x",
            f"{size / mine:,.0f} against {size / bare:,.0f} memories/s in batches of {size} into the indexed"
            " hot tier, hypervectors ready",
            0.9,
        )
        async with _session(copied) as session:
            return [cost, *await _there_and_back(session, connections["with"], len(stored))]


async def _there_and_back(session: ArchiveSession, connection: Connection, count: int) -> list[Row]:
    began = time.perf_counter()
    while await copy_step(session):
        pass
    copied = time.perf_counter() - began
    began = time.perf_counter()
    while await merge_step(session, everything=True):
        pass
    merged = time.perf_counter() - began
    size = connection.execute("select object_bytes from mnemo.copy_status").fetchone()
    assert size is not None
    connection.execute("truncate mnemo.memory_hot")
    began = time.perf_counter()
    done = await rebuild(session)
    rebuilt = time.perf_counter() - began
    assert done.memories == count
    store = "on a directory, read back and verified"
    return [
        Row("memories copied", count / copied, "rows/s", f"{count:,} in {copied:.1f} s {store}"),
        Row(
            "copies merged",
            count / merged,
            "rows/s",
            f"into one set of {size[0] / count:,.0f} bytes a memory",
        ),
        Row(
            "memories rebuilt from copies", count / rebuilt, "rows/s", "into the indexed hot tier, row by row"
        ),
    ]


@asynccontextmanager
async def _session(mnemo: Mnemo) -> AsyncIterator[ArchiveSession]:
    with tempfile.TemporaryDirectory(prefix="mnemo-bench-") as folder:
        settings = Settings(dsn=mnemo.dsn, archive={"url": str(Path(folder, "objects"))})
        async with open_archive(mnemo.pool, settings, worker="bench") as session:
            yield session
