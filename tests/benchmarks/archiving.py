"""The archive: how fast memories go there and come back, what they leave behind, what finding them costs."""

import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np

from engine import Memory, Mnemo
from engine.archive import open_objects
from engine.archive.cache import shared_cache
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_segment
from engine.archive.session import open_archive
from engine.config import Settings
from engine.hypervector import Hypervectors, project
from tests.benchmarks.data import SEED, Corpus
from tests.benchmarks.flat import Faiss
from tests.benchmarks.options import Options
from tests.benchmarks.ours import attributes
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage, only
from tests.benchmarks.timing import Answers, recall_at_10
from tests.support.fault_proxy import FaultProxy
from tests.support.object_servers import ACCESS_KEY, SECRET_KEY, running_rclone

# About what a request to a bucket in the same region costs.
_DELAY_S = 0.06
# Of length 1, added to an embedding of length 1: the cosine of the two is 0.9.
_NOISE = 0.48
_TIERS = (
    "(select sum(pg_total_relation_size(i.inhrelid)) from pg_inherits i"
    " where i.inhparent = 'mnemo.{}'::regclass)::bigint + pg_total_relation_size('mnemo.memory_key')"
)
_OPEN = "select segment from mnemo.segment where tier = 'cold' and state = 'open'"
_BEFORE = f"select {_TIERS.format('memory')} + pg_total_relation_size('mnemo.activity')"
_AFTER = (
    f"select {_TIERS.format('archived_memory')} + pg_total_relation_size('mnemo.archive')"
    " + pg_total_relation_size('mnemo.object')"
)


@dataclass
class _Asked:
    """Answers, and what each cost the store."""

    answers: Answers = field(default_factory=Answers)
    requests: list[int] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def spread(self) -> str:
        """Return the latencies in words."""
        ms = np.array(self.answers.seconds) * 1000
        return f"p50 {np.median(ms):.1f} ms, p99 {np.percentile(ms, 99):.1f} ms"


async def archiving(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Archive a corpus as one segment, search it cold and warm, near and far; then as 10 and 100 segments."""
    stored, note = grown(corpus, options.scaled(100_000, 1_200))
    queries = corpus.queries[: options.scaled(200, 10)]
    with tempfile.TemporaryDirectory(prefix="mnemo-bench-") as folder:
        rows = await _one(stage, corpus, stored, queries, note, Path(folder) / "one", options)
        for segments in (10, 100):
            place = Path(folder) / str(segments)
            part = stored[: options.scaled(20_000, 1_200)]
            rows.append(await _many(stage, corpus, part, queries, segments, place))
    return rows


async def _one(
    stage: Stage,
    corpus: Corpus,
    stored: Hypervectors,
    queries: Hypervectors,
    note: str,
    place: Path,
    options: Options,
) -> list[Row]:
    dsn, settings = stage.database(), Settings(archive={"url": str(place)})
    connection = stage.connect(dsn)
    late = corpus.late_hdvs[: options.scaled(4_000, 60)]
    everything = np.concatenate([stored, late])
    tenth = Faiss(everything).tenth_distances(queries)
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        await mnemo.remember_many(_memories(corpus, stored), bulk=True)
        await mnemo.remember_many(
            [Memory("late", key=f"m:{len(stored) + i}", hdv=hdv) for i, hdv in enumerate(late)], bulk=True
        )
        connection.execute("vacuum analyze")
        before = only(connection, _BEFORE) / len(everything)
        recalls = {"before": await _ask(mnemo, queries, archive=False)}
        done = await mnemo.archive(now=True)
        connection.execute("vacuum analyze")
        after = only(connection, _AFTER) / len(stored)
        recalls["cold cache"] = await _ask(mnemo, queries, clear=True)
        recalls["warm cache"] = await _ask(mnemo, queries, warm=True)
    async with _bucket(settings) as remote, Mnemo.open(dsn, settings=remote) as mnemo:
        far = {
            "cold": await _ask(mnemo, queries, clear=True),
            "warm": await _ask(mnemo, queries, warm=True),
        }
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        began = time.perf_counter()
        async with open_archive(mnemo.pool, settings, worker="benchmark") as session:
            restored = await restore_segment(session, only(connection, "select segment from mnemo.archive"))
        restoring = time.perf_counter() - began
    shares = {
        name: recall_at_10(asked.answers, queries, everything, tenth) for name, asked in recalls.items()
    }
    cold, warm = recalls["cold cache"], recalls["warm cache"]
    return [
        Row(
            "memories archived a second",
            done.rows_per_second,
            "",
            f"{done.memories:,} in {done.seconds:.1f} s: read, ordered, written, read back, swapped;"
            f" {done.object_bytes / 1e6:,.0f} MB of objects; {note}",
        ),
        Row(
            "memories of a whole segment restored a second",
            restored / restoring,
            "",
            f"{restored:,} in {restoring:.1f} s, into a new warm partition",
        ),
        Row(
            "database bytes of an archived memory against before",
            after / before,
            "x",
            f"{after:,.0f} of {before:,.0f}: heap, every index, keys; before with activity",
            0.25,
            at_least=False,
        ),
        Row(
            "recall@10 through the archive against before",
            shares["cold cache"] / shares["before"],
            "x",
            f"{shares['cold cache']:.4f} of {shares['before']:.4f}, against an exact scan,"
            f" {len(stored):,} archived and {len(late):,} hot",
            0.97,
        ),
        _costs("one segment", len(stored), cold, 16),
        Row(
            "search over hot and archived, directory, cold cache",
            cold.answers.p50_ms,
            "ms",
            f"{cold.spread()}; warm cache {warm.spread()}; before archiving {recalls['before'].spread()}",
        ),
        Row(
            f"the same, S3 with {_DELAY_S * 1000:.0f} ms added to each request, cold cache",
            far["cold"].answers.p50_ms,
            "ms",
            f"{far['cold'].spread()}; warm cache {far['warm'].spread()}; rclone's server on this machine",
        ),
    ]


async def _many(
    stage: Stage,
    corpus: Corpus,
    stored: Hypervectors,
    queries: Hypervectors,
    segments: int,
    place: Path,
) -> Row:
    """Archive the same memories as so many segments, each holding every so-many-th of them."""
    dsn, settings = stage.database(), Settings(archive={"url": str(place)})
    connection = stage.connect(dsn)
    memories = _memories(corpus, stored)
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        for part in range(segments):
            await mnemo.remember_many(memories[part::segments])
            # Not Mnemo.archive, which would compact small segments into larger ones.
            async with open_archive(mnemo.pool, settings, worker="benchmark") as session:
                await export_step(session, only(connection, _OPEN))
        connection.execute("vacuum analyze")
        made = only(connection, "select count(*) from mnemo.archive")
        assert made == segments, f"{made} segments were made, not {segments}"
        cold = await _ask(mnemo, queries, clear=True)
        warm = await _ask(mnemo, queries, warm=True)
    share = recall_at_10(cold.answers, queries, stored, Faiss(stored).tenth_distances(queries))
    row = _costs(f"{segments} segments", len(stored) // segments, cold, None)
    figures = f"{row.figures}; recall@10 {share:.4f}; directory {cold.spread()}, warm cache {warm.spread()}"
    return Row(row.name, row.value, row.unit, figures)


def _costs(name: str, rows: int, cold: _Asked, target: float | None) -> Row:
    return Row(
        f"requests of a top-10 search, cold cache, {name} of {rows:,}",
        float(np.mean(cold.requests)),
        "",
        f"{max(cold.requests)} at most, contents included; {np.mean(cold.megabytes):.1f} MB",
        target,
        at_least=False,
    )


async def _ask(
    mnemo: Mnemo, queries: Hypervectors, *, archive: bool = True, clear: bool = False, warm: bool = False
) -> _Asked:
    """Ask every query; with `clear` nothing of the archive is in memory when one is asked.

    With `warm` each was asked just before; what all of them read is more than the cache holds.
    """
    asked = _Asked()
    # The store is open and the segments are known: that is done once a process.
    for query in queries[:3]:
        await mnemo.search(query, archive=archive)
    store = mnemo.archive_reader.store
    for query in queries:
        if clear:
            shared_cache(0).clear()
        if warm:
            await mnemo.search(query, archive=archive)
        requests, read = (store.requests, store.bytes_read) if store else (0, 0)
        began = time.perf_counter()
        hits = await mnemo.search(query, archive=archive)
        asked.answers.seconds.append(time.perf_counter() - began)
        asked.answers.places.append([int((hit.key or "").partition(":")[2]) for hit in hits])
        if store:
            asked.requests.append(store.requests - requests)
            asked.megabytes.append((store.bytes_read - read) / 1e6)
    return asked


@asynccontextmanager
async def _bucket(settings: Settings) -> AsyncIterator[Settings]:
    """Copy the objects of a directory into a bucket behind a slow line; yield settings that name it."""
    credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with (
        tempfile.TemporaryDirectory(prefix="mnemo-bench-") as folder,
        mock.patch.dict(os.environ, credentials),
        running_rclone(Path(folder)) as server,
    ):
        url = f"s3://{server.new_bucket()}"
        async with open_objects(settings) as near, open_objects(server.settings(url)) as far:
            async for info in near.list():
                content = Path(folder) / "content"
                await far.put(info.key, content, await near.download(info.key, content))
        with FaultProxy(server.endpoint_url, delay=_DELAY_S) as proxy:
            yield server.behind(proxy.url).settings(url)


def _memories(corpus: Corpus, stored: Hypervectors) -> list[Memory]:
    """Return cold memories with the texts and embeddings of the corpus, again and again."""
    texts, embeddings = [*corpus.texts, *corpus.late_texts], corpus.embeddings
    return [
        Memory(
            texts[i % len(texts)],
            key=f"m:{i}",
            context=f"context {i // 100}",
            hdv=np.ascontiguousarray(hdv),
            embedding=None if embeddings is None else embeddings[i % len(embeddings)],
            attributes=attributes(i),
            tier="cold",
        )
        for i, hdv in enumerate(stored)
    ]


def grown(corpus: Corpus, rows: int) -> tuple[Hypervectors, str]:
    """Return so many hypervectors, uint8[n, D/8]: those of the corpus, then like ones with noise."""
    base = corpus.hdvs[:rows]
    rng = np.random.default_rng(9)
    missing = rows - len(base)
    if missing <= 0:
        return base, corpus.name
    if corpus.embeddings is None:
        flips = np.packbits(rng.random((missing, BITS), np.float32) < 0.1, axis=1)
        more = np.resize(base, (missing, base.shape[1])) ^ flips
        return np.concatenate([base, more]), f"{corpus.name}, repeated with a tenth of the components flipped"
    places = rng.integers(0, len(corpus.embeddings), missing)
    vectors = corpus.embeddings[places]
    noise = rng.standard_normal(vectors.shape, np.float32)
    noise *= _NOISE * np.linalg.norm(vectors, axis=1, keepdims=True)
    noise /= np.sqrt(vectors.shape[1])
    more = project(vectors + noise, SEED, BITS)
    return np.concatenate([base, more]), (
        f"{len(base):,} of {corpus.name}, {missing:,} such embeddings with noise (cosine 0.9)"
    )
