"""`python -m tests.benchmarks`: measure, print one table, write JSON and a plot."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.encoders.weights import Encoding
from tests.benchmarks import pgvector, report
from tests.benchmarks.ablation import ablation
from tests.benchmarks.algebra import algebra
from tests.benchmarks.archiving import archiving
from tests.benchmarks.composites import composites
from tests.benchmarks.conversations import Conversations
from tests.benchmarks.counting import counting
from tests.benchmarks.crossvalidate import crossvalidate
from tests.benchmarks.curves import Curve
from tests.benchmarks.data import Corpus, load
from tests.benchmarks.durability import durability
from tests.benchmarks.events import events
from tests.benchmarks.evidence import evidence
from tests.benchmarks.flat import Faiss, one_thread
from tests.benchmarks.indexes import exact, index
from tests.benchmarks.ingesting import ingesting
from tests.benchmarks.known import known
from tests.benchmarks.lifecycle import month
from tests.benchmarks.moving import moving
from tests.benchmarks.options import Options, parse
from tests.benchmarks.ours import Hot
from tests.benchmarks.quotas import quotas
from tests.benchmarks.readcurve import readcurve
from tests.benchmarks.searches import curves, filters, search
from tests.benchmarks.sketches import sketches
from tests.benchmarks.stage import BITS, Stage, only, running, settings_of
from tests.benchmarks.tenancy import tenancy
from tests.benchmarks.vault import vault
from tests.benchmarks.writes import bulk, insert

_INDEXED = {"index", "curves", "filters"}
_STORED = {"bulk", "exact", "search", "insert", "algebra"} | _INDEXED
_LOADED = {"ingest", "moves", "statistics", "copies", "archive", "sketches", "readcurve"} | _STORED
_CONVERSED = {"evidence", "ablation", "crossvalidate"}
# 50,000 less the queries and the rows kept back for inserting.
_FEWEST_ROWS = 40_000


async def measure(
    stage: Stage, corpus: Corpus | None, options: Options
) -> tuple[list[report.Row], list[Curve], str]:
    """Run the sections asked for, in an order in which none spoils the next."""
    rows: list[report.Row] = []
    drawn: list[Curve] = []
    asked = set(options.only)
    if corpus is not None and asked & _STORED:
        rows, drawn, dsn = await _stored(stage, corpus, options)
    else:
        dsn = stage.database()
    one_thread()
    if "known" in asked:
        rows += await known(stage, options)
    if "ingest" in asked and corpus is not None:
        rows += ingesting(stage, corpus, options)
    if "statistics" in asked and corpus is not None:
        rows += await counting(stage, corpus, options)
    if "events" in asked:
        rows += await events(stage, options)
    if "moves" in asked and corpus is not None:
        rows += await moving(stage, corpus, options)
    if "month" in asked:
        rows += month(stage, options)
    if "quotas" in asked:
        rows += quotas(stage, options)
    if "tenancy" in asked:
        rows += tenancy(stage, options)
    if "vault" in asked:
        rows += await vault(stage, options)
    if "copies" in asked and corpus is not None:
        rows += await durability(stage, corpus, options)
    if "archive" in asked and corpus is not None:
        rows += await archiving(stage, corpus, options)
    if "sketches" in asked and corpus is not None:
        rows += sketches(stage, corpus, options)
    if "readcurve" in asked and corpus is not None:
        rows += await readcurve(stage, corpus, options)
    if "composite" in asked:
        rows += await composites(stage, options)
    if asked & _CONVERSED and options.data is not None:
        rows += _conversed(stage, dsn, options.data, options)
    return rows, drawn, dsn


async def _stored(
    stage: Stage, corpus: Corpus, options: Options
) -> tuple[list[report.Row], list[Curve], str]:
    """Run the sections about one stored corpus."""
    rows: list[report.Row] = []
    drawn: list[Curve] = []
    asked = set(options.only)
    dsn, ids, found = await bulk(stage, corpus, options)
    rows += found if "bulk" in asked else []
    hot = Hot(ids, options.sketch_bits)
    faiss = Faiss(corpus.hdvs)
    if asked & (_INDEXED | {"exact"}):
        connection = stage.connect(dsn)
        pgvector.load(connection, corpus.hdvs)
        connection.execute("vacuum analyze")
    if asked & _INDEXED:
        found = index(stage, dsn, options, faiss)
        rows += found if "index" in asked else []
    one_thread()
    if "exact" in asked:
        rows += exact(stage, dsn, hot, corpus, options, faiss)
    if "curves" in asked:
        found, drawn = curves(stage, dsn, hot, corpus, options, faiss)
        rows += found
    if "search" in asked:
        rows += search(stage, dsn, hot, corpus)
    if "filters" in asked:
        rows += filters(stage, dsn, hot, corpus, options, faiss)
    if "algebra" in asked:
        rows += algebra(stage, dsn, corpus, options)
    if "insert" in asked:
        rows += await insert(stage, dsn, corpus, options)
    return rows, drawn, dsn


def _conversed(stage: Stage, dsn: str, folder: Path, options: Options) -> list[report.Row]:
    """Run the sections about conversations, in this process, with the database's default weights."""
    rows: list[report.Row] = []
    asked = set(options.only)
    data = Conversations(folder, 2 if options.quick else None)
    connection = stage.connect(dsn)
    how = Encoding.of(only(connection, "select mnemo.encoding()"))
    if "evidence" in asked:
        rows += evidence(data, how)
    if "ablation" in asked:
        found, table = ablation(data, how, options.sketch_bits)
        rows += found
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "ablation.md").write_text(table, encoding="utf-8")
    if "crossvalidate" in asked:
        rows += crossvalidate(data, how, only(connection, "select mnemo.ranking()"))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 0 whatever was missed: the table says so."""
    options = parse(arguments)
    corpus = None
    if set(options.only) & _LOADED:
        corpus = load(options.data, BITS, options.rows, options.queries)
    with running(options.sketch_bits) as stage:
        rows, drawn, dsn = asyncio.run(measure(stage, corpus, options))
        settings = settings_of(stage.connect(dsn))
    about: dict[str, Any] = {"data": "each section's own"}
    if corpus is not None:
        about = {
            "data": f"{corpus.name}, {len(corpus):,} rows",
            "rows": len(corpus),
            "late_rows": len(corpus.late_texts),
            "queries": len(corpus.queries),
        }
    about |= {
        "bits": BITS,
        "sketch_bits": options.sketch_bits,
        "sections": list(options.only),
    }
    print(f"\n{about['data']}, {BITS:,} bits, sketch of {options.sketch_bits:,}\n")
    print(report.table(rows))
    if corpus is not None and len(corpus) < _FEWEST_ROWS:
        print(f"\nThe targets against pgvector are for 50,000 rows and more; these are {len(corpus):,}.")
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{options.sketch_bits}"
    for path in report.write(options.output, stem, report.document(about, rows, drawn, settings), drawn):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
