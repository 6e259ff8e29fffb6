"""Searches: recall against latency, the price of the functions, filters."""

import statistics
from collections.abc import Callable

import numpy as np

from tests.benchmarks import ours, pgvector
from tests.benchmarks.curves import Curve
from tests.benchmarks.data import Corpus
from tests.benchmarks.flat import Faiss
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Stage, set_to
from tests.benchmarks.timing import Answers, ask_in_turns, recall_at_10

EFFORTS = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 140, 200, 300, 400)
PGVECTOR, TWO_STEP, SEARCH, FAISS = (
    "pgvector, full vectors", "Mnemo, two-step query", "mnemo.search", "FAISS HNSW, in process",
)  # fmt: skip


def curves(
    stage: Stage, dsn: str, hot: ours.Hot, corpus: Corpus, options: Options, faiss: Faiss
) -> tuple[list[Row], list[Curve]]:
    """Sweep the effort of every side, all in turns at each step; a point is the median of its sweeps."""
    theirs, bare, function = stage.connect(dsn), stage.connect(dsn), stage.connect(dsn)
    queries = [query.tobytes() for query in corpus.queries]
    tenth = faiss.tenth_distances(corpus.queries)
    asked: dict[tuple[str, int], list[Answers]] = {}
    efforts = EFFORTS[:: options.scaled(1, 6)]
    for effort in efforts * options.rounds:
        pgvector.effort(theirs, effort)
        ours.effort(function, effort)
        sides: dict[str, Callable[[bytes], list[int]]] = {
            PGVECTOR: pgvector.asking(theirs),
            TWO_STEP: hot.two_step(bare, effort),
            FAISS: faiss.asking(effort),
        }
        # With fewer than 2 k candidates it takes 2 k.
        if effort >= 20:
            sides[SEARCH] = hot.search(function)
        for name, answers in ask_in_turns(sides, queries).items():
            asked.setdefault((name, effort), []).append(answers)
    drawn = {name: Curve(name) for name in (PGVECTOR, TWO_STEP, SEARCH, FAISS)}
    for (name, effort), sweeps in asked.items():
        curve = drawn[name]
        curve.effort.append(effort)
        curve.recall.append(recall_at_10(sweeps[0], corpus.queries, corpus.hdvs, tenth))
        curve.p50_ms.append(statistics.median(sweep.p50_ms for sweep in sweeps))
        curve.p95_ms.append(statistics.median(sweep.p95_ms for sweep in sweeps))
    rows = [_at(0.99, 1.0, drawn, TWO_STEP), _at(0.985, 0.75, drawn, TWO_STEP)]
    rows += [_at(recall, None, drawn, SEARCH) for recall in (0.99, 0.985)]
    return rows, list(drawn.values())


def search(stage: Stage, dsn: str, hot: ours.Hot, corpus: Corpus) -> list[Row]:
    """Measure what mnemo.search adds to the two-step query, and what recall adds to it."""
    queries = [query.tobytes() for query in corpus.queries]
    answers = ask_in_turns(
        {
            "bare": hot.two_step(stage.connect(dsn), 100),
            "search": hot.search(stage.connect(dsn)),
            "recall": hot.search(stage.connect(dsn), "recall"),
        },
        queries,
        warm_up=20,
    )
    p50 = {name: answer.p50_ms for name, answer in answers.items()}
    return [
        Row(
            "mnemo.search against the bare two-step query",
            p50["search"] / p50["bare"],
            "x",
            f"p50 {p50['search']:.2f} against {p50['bare']:.2f} ms, 100 candidates;"
            f" p95 {answers['search'].p95_ms:.2f} against {answers['bare'].p95_ms:.2f} ms",
            1.2,
            at_least=False,
        ),
        Row(
            "mnemo.recall (records the access) against mnemo.search",
            p50["recall"] / p50["search"],
            "x",
            f"p50 {p50['recall']:.2f} against {p50['search']:.2f} ms, each recall committed",
        ),
    ]


def filters(
    stage: Stage, dsn: str, hot: ours.Hot, corpus: Corpus, options: Options, faiss: Faiss
) -> list[Row]:
    """Search among the rows that a filter lets through: 1, 10 and 50 of a hundred."""
    theirs, mine = stage.connect(dsn), stage.connect(dsn)
    pgvector.effort(theirs, 100)
    # Without it pgvector returns fewer rows than asked for.
    set_to(theirs, "hnsw.iterative_scan", "relaxed_order")
    asked = corpus.queries[: options.scaled(100, 5)]
    rows = []
    for share in pgvector.SHARES:
        matching = np.arange(len(corpus)) % (100 // share) == 0
        tenth = Faiss(corpus.hdvs[matching]).tenth_distances(asked)
        answers = ask_in_turns(
            {"pgvector": pgvector.asking(theirs, share), "mnemo": hot.search(mine, share=share)},
            [query.tobytes() for query in asked],
            warm_up=5,
        )
        recall = {name: recall_at_10(answer, asked, corpus.hdvs, tenth) for name, answer in answers.items()}
        fewest = min(len(places) for places in answers["mnemo"].places)
        rows.append(
            Row(
                f"filter of {share} %, p50 against pgvector's",
                answers["mnemo"].p50_ms / answers["pgvector"].p50_ms,
                "x",
                f"{answers['mnemo'].p50_ms:.2f} ms at recall {recall['mnemo']:.3f}, {fewest} rows at least;"
                f" pgvector {answers['pgvector'].p50_ms:.2f} ms at {recall['pgvector']:.3f}",
            )
        )
    return rows


def _at(recall: float, target: float | None, drawn: dict[str, Curve], side: str) -> Row:
    mine, theirs = drawn[side].latency_at(recall), drawn[PGVECTOR].latency_at(recall)
    name = f"{side}: p50 at recall@10 {recall} against pgvector's"
    if mine is None or theirs is None:
        missing = side if mine is None else PGVECTOR
        return Row(name, float("inf"), "x", f"{missing} does not reach this recall", target, at_least=False)
    return Row(name, mine / theirs, "x", f"{mine:.2f} against {theirs:.2f} ms", target, at_least=False)
