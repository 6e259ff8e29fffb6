"""Projection and bundling."""

import numpy as np

from engine.hypervector import bundle, project
from tests.benchmarks.data import SEED, Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage
from tests.benchmarks.timing import run_in_turns, timed


def algebra(stage: Stage, dsn: str, corpus: Corpus, options: Options) -> list[Row]:
    """Measure rates, the three in turns."""
    embeddings = corpus.embeddings
    if embeddings is None:
        embeddings = np.random.default_rng(3).normal(size=(10_000, 384)).astype(np.float32)
    embeddings = embeddings[: options.scaled(10_000, 500)]
    project(embeddings[:1], SEED, BITS)
    connection = stage.connect(dsn, max_parallel_workers_per_gather=0)
    several = np.tile(corpus.hdvs, (max(1, options.scaled(50_000, 1_000) // len(corpus)), 1))
    seconds = run_in_turns(
        {
            "project": lambda: timed(lambda: project(embeddings, SEED, BITS)),
            "sql": lambda: timed(
                lambda: connection.execute("select mnemo.bundle(hdv) from mnemo.memory_hot").fetchall()
            ),
            "python": lambda: timed(lambda: bundle(several)),
        },
        options.rounds,
    )
    best = {name: min(took) for name, took in seconds.items()}
    return [
        Row("projection of 384-d embeddings", len(embeddings) / best["project"], "/s", "in Python", 10_000),
        Row("bundling in SQL", len(corpus) / best["sql"], "rows/s", "no parallel workers", 80_000),
        Row("bundling in Python", len(several) / best["python"], "rows/s", "one thread", 500_000),
    ]
