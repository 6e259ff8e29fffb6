"""Indexes: size and build; and search without one."""

import statistics

from tests.benchmarks import ours, pgvector
from tests.benchmarks.data import Corpus
from tests.benchmarks.flat import Faiss
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Stage
from tests.benchmarks.timing import ask_in_turns, run_in_turns


def index(stage: Stage, dsn: str, options: Options, faiss: Faiss) -> list[Row]:
    """Build both indexes in turns, on tables that hold the same rows."""
    connection = stage.connect(dsn)
    seconds = run_in_turns(
        {
            "pgvector": lambda: pgvector.build(connection),
            "mnemo": lambda: ours.build(connection, options.sketch_bits),
        },
        options.rounds if "index" in options.only else 1,
    )
    theirs, mine = pgvector.index_bytes(connection), ours.index_bytes(connection)
    ratio = statistics.median(a / b for a, b in zip(seconds["pgvector"], seconds["mnemo"], strict=True))
    mine_s, theirs_s = statistics.median(seconds["mnemo"]), statistics.median(seconds["pgvector"])
    return [
        Row(
            "index smaller than pgvector's",
            theirs / mine,
            "x",
            f"{mine / 1e6:,.1f} against {theirs / 1e6:,.1f} MB, sketch of {options.sketch_bits} bits",
            4.5,
        ),
        Row("index built faster", ratio, "x", f"{mine_s:.1f} against {theirs_s:.1f} s", 2.5),
        Row("FAISS IndexBinaryHNSW built", faiss.build(), "s", "in process, all processors"),
    ]


def exact(stage: Stage, dsn: str, hot: ours.Hot, corpus: Corpus, options: Options, faiss: Faiss) -> list[Row]:
    """Compare every row: peer (a), Mnemo's function, the bare scan under it, FAISS."""
    theirs = stage.connect(dsn)
    pgvector.exactly(theirs)
    scanning = stage.connect(dsn, enable_indexscan="off")
    queries = [query.tobytes() for query in corpus.queries[: options.scaled(40, 5)]]
    answers = ask_in_turns(
        {
            "pgvector": pgvector.asking(theirs),
            "search": hot.search(stage.connect(dsn), exact=True),
            "scan": hot.scan(scanning),
            "faiss": faiss.exact,
        },
        queries,
        warm_up=2,
    )
    p50 = {name: answer.p50_ms for name, answer in answers.items()}
    return [
        Row(
            "exact search faster",
            p50["pgvector"] / p50["search"],
            "x",
            f"mnemo.search(exact) {p50['search']:.1f} ms, the bare scan {p50['scan']:.1f} ms,"
            f" pgvector {p50['pgvector']:.1f} ms",
            3.5,
        ),
        Row("FAISS IndexBinaryFlat, one query", p50["faiss"], "ms", "in process, one thread"),
    ]
