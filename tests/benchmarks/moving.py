"""Consolidation: how fast memories move, what recall notices of it, and what recording accesses costs."""

import asyncio
import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from engine import Mnemo
from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.ours import memories
from tests.benchmarks.reencoding import reencoding
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage, only, set_to

# Long after everything has faded below the threshold of the hot tier.
_LATER = "2100-01-01"
_SEARCH = "select memory_id from mnemo.search(%s::varbit)"
_RECALL = "select memory_id from mnemo.recall(%s::varbit)"


async def moving(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Move the corpus to the warm tier, all at once and row by row, a reader and a writer beside it."""
    return [
        *await _in_bulk(stage, corpus, options),
        await _row_by_row(stage, corpus, options),
        *await _recording(stage, corpus, options),
        *await reencoding(stage, corpus, options),
        *_candidates(stage, options),
    ]


async def _loaded(stage: Stage, corpus: Corpus, rows: int) -> tuple[str, Connection]:
    dsn = stage.database()
    async with Mnemo.open(dsn) as mnemo:
        await mnemo.remember_many(memories(corpus.texts, corpus.hdvs, "base")[:rows], bulk=True)
    connection = stage.connect(dsn)
    connection.execute("select mnemo.alter_job(name, '{\"enabled\": false}') from mnemo.job where enabled")
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")
    return dsn, connection


async def _in_bulk(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    dsn, connection = await _loaded(stage, corpus, len(corpus.texts))
    # Half of the tier stays for now; enough is due that a partition is built.
    connection.execute(
        "select mnemo.configure(jsonb_build_object('bulk_move_rows', least(20000, count(*) / 3)))"
        " from mnemo.activity"
    )
    connection.execute(
        "select count(mnemo.pin(id)) from (select id, row_number() over (order by id) % 2 as half"
        " from mnemo.activity) a where half = 0"
    )
    connection.execute("vacuum analyze")
    queries = [_bits(hdv) for hdv in corpus.queries]
    late = [_bits(hdv) for hdv in corpus.late_hdvs]
    with _beside(stage, dsn, queries, late) as idle:
        await asyncio.sleep(options.scaled(8, 1))
    set_to(connection, "mnemo.clock", _LATER)
    moved, seconds, half = await _while_moving(stage, dsn, connection, queries, late)
    connection.execute("select count(mnemo.pin(id, false)) from mnemo.activity where pinned")
    _, _, rest = await _while_moving(stage, dsn, connection, queries, late)
    writes = f"remember p50 {_p50(half.writes):.1f}, worst {max(half.writes) * 1000:,.0f} ms"
    waits = _p99(idle.reads)
    return [
        Row(
            "consolidation in bulk, memories an hour",
            moved / seconds * 3600 / 1e6,
            "M",
            f"{moved:,} memories, half of the tier, in {seconds:.1f} s, {moved / seconds:,.0f} a second,"
            f" a reader and a writer beside it; {writes}",
            5,
        ),
        Row(
            "recall p99 while half of the tier leaves, against idle",
            _p99(half.reads) / waits,
            "x",
            f"{_p99(half.reads):.1f} against {waits:.1f} ms, {len(half.reads)} and {len(idle.reads)} queries",
            2,
            at_least=False,
        ),
        Row(
            "recall p99 while the rest leaves too, before any vacuum",
            _p99(rest.reads) / waits,
            "x",
            f"{_p99(rest.reads):.1f} ms, {len(rest.reads)} queries; the index of hot is full of dead rows",
            2,
            at_least=False,
        ),
    ]


async def _while_moving(
    stage: Stage, dsn: str, connection: Connection, queries: list[str], late: list[str]
) -> tuple[int, float, "_Beside"]:
    before = only(connection, "select count(*) from mnemo.move_log")
    with _beside(stage, dsn, queries, late) as busy:
        began = time.perf_counter()
        moved = await asyncio.to_thread(_consolidate, connection)
        seconds = time.perf_counter() - began
    return moved - before, seconds, busy


async def _row_by_row(stage: Stage, corpus: Corpus, options: Options) -> Row:
    rows = options.scaled(5_000, 100)
    _, connection = await _loaded(stage, corpus, rows)
    connection.execute("select mnemo.configure('{\"bulk_move_rows\": 1000000}')")
    set_to(connection, "mnemo.clock", _LATER)
    began = time.perf_counter()
    moved = _consolidate(connection)
    seconds = time.perf_counter() - began
    return Row(
        "consolidation row by row, memories an hour",
        moved / seconds * 3600 / 1e6,
        "M",
        f"{moved:,} memories in {seconds:.1f} s into the indexed partition, {moved / seconds:,.0f} a second",
    )


async def _recording(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Recall beside search in turns; then the log counted, with the share of heap-only updates."""
    _, connection = await _loaded(stage, corpus, options.scaled(20_000, 300))
    seconds: dict[str, list[float]] = {_SEARCH: [], _RECALL: []}
    queries = [_bits(hdv) for hdv in corpus.queries]
    for turn, query in enumerate(queries * options.scaled(4, 1)):
        for statement in (_SEARCH, _RECALL) if turn % 2 else (_RECALL, _SEARCH):
            began = time.perf_counter()
            connection.execute(statement, (query,)).fetchall()
            if turn >= 20 or options.quick:
                seconds[statement].append(time.perf_counter() - began)
    search, recall = (statistics.median(seconds[one]) * 1000 for one in (_SEARCH, _RECALL))
    logged = only(connection, "select count(*) from mnemo.access_log")
    connection.execute("select pg_stat_reset()")
    began = time.perf_counter()
    while only(connection, "select mnemo.fold_accesses()"):
        pass
    folding = time.perf_counter() - began
    connection.execute("select pg_stat_force_next_flush()")
    updates, hot = connection.execute(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = 'mnemo.activity'::regclass"
    ).fetchone() or (0, 0)
    return [
        Row(
            "recall, accesses recorded, against search",
            recall / search,
            "x",
            f"p50 {recall:.2f} against {search:.2f} ms",
            1.1,
            at_least=False,
        ),
        Row(
            "updates of mnemo.activity that are heap-only",
            100 * hot / max(updates, 1),
            "%",
            f"{hot:,} of {updates:,}; {logged:,} recalls counted in {folding:.2f} s",
            95,
        ),
    ]


def _candidates(stage: Stage, options: Options) -> list[Row]:
    """Look for what is due among many activity rows; these have no memories behind them."""
    rows = options.scaled(1_000_000, 5_000)
    connection = stage.connect(stage.database())
    connection.execute(
        "insert into mnemo.activity (bucket, id, segment, ltp, ltp_at, entered_tier_at, leaves_tier_at,"
        " due_at, tier, tenant, collection)"
        " select mnemo.bucket_of(i.id), i.id, 0, 0.8, now(), now(), d.at, d.at, 'hot', 'default', 'memories'"
        " from (select n, gen_random_uuid() as id from generate_series(1, %s) n offset 0) i,"
        " lateral (select make_interval(mins => (i.n::bigint * 7919 %% 1000003)::integer - 2000) as m) r,"
        " lateral (select now() + r.m as at) d",
        (rows,),
    )
    connection.execute("vacuum analyze mnemo.activity")
    seconds = []
    for _ in range(options.scaled(21, 3)):
        with connection.transaction(force_rollback=True):
            began = time.perf_counter()
            found = connection.execute(
                "select a.id from mnemo.activity a where a.tier = 'hot' and a.due_at <= mnemo.now()"
                " order by a.due_at limit 1000 for update skip locked"
            ).fetchall()
            seconds.append(time.perf_counter() - began)
    return [
        Row(
            "demotion candidates found and locked",
            statistics.median(seconds) * 1000,
            "ms",
            f"{len(found):,} of {rows:,} activity rows",
            5,
            at_least=False,
        )
    ]


def _consolidate(connection: Connection) -> int:
    connection.execute("call mnemo.consolidate()")
    return int(only(connection, "select count(*) from mnemo.move_log"))


class _Beside:
    def __init__(self) -> None:
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.stopped = threading.Event()


@contextmanager
def _beside(stage: Stage, dsn: str, queries: list[str], late: list[str]) -> Iterator[_Beside]:
    """Search and remember at a steady pace while the context lasts, and keep the seconds of each."""
    kept = _Beside()

    def ask(connection: Connection, statement: str, arguments: list[str], into: list[float]) -> None:
        for argument in itertools.cycle(arguments):
            if kept.stopped.wait(0.02):
                return
            began = time.perf_counter()
            connection.execute(statement, (argument,)).fetchall()
            into.append(time.perf_counter() - began)

    remember = "select mnemo.remember('written meanwhile', %s::varbit, importance => 1, tier => 'cold')"
    threads = [
        threading.Thread(target=ask, args=(stage.connect(dsn), _SEARCH, queries, kept.reads)),
        threading.Thread(target=ask, args=(stage.connect(dsn), remember, late, kept.writes)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield kept
    finally:
        kept.stopped.set()
        for thread in threads:
            thread.join()


def _bits(hdv: np.ndarray) -> str:
    return "".join(map(str, np.unpackbits(hdv)))


def _p99(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 99)) * 1000


def _p50(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
