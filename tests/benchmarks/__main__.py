"""`python -m tests.benchmarks`: measure, print one table, write JSON and a plot."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks import pgvector, report
from tests.benchmarks.algebra import algebra
from tests.benchmarks.curves import Curve
from tests.benchmarks.data import Corpus, load
from tests.benchmarks.events import events
from tests.benchmarks.flat import Faiss, one_thread
from tests.benchmarks.indexes import exact, index
from tests.benchmarks.ingesting import ingesting
from tests.benchmarks.known import known
from tests.benchmarks.lifecycle import month
from tests.benchmarks.moving import moving
from tests.benchmarks.options import Options, parse
from tests.benchmarks.ours import Hot
from tests.benchmarks.searches import curves, filters, search
from tests.benchmarks.stage import BITS, Stage, running, settings_of
from tests.benchmarks.writes import bulk, insert

_INDEXED = {"index", "curves", "filters"}
# 50,000 less the queries and the rows kept back for inserting.
_FEWEST_ROWS = 40_000


async def measure(
    stage: Stage, corpus: Corpus, options: Options
) -> tuple[list[report.Row], list[Curve], str]:
    """Run the sections asked for, in an order in which none spoils the next."""
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
    if "known" in asked:
        rows += await known(stage, options)
    if "ingest" in asked:
        rows += ingesting(stage, corpus, options)
    if "events" in asked:
        rows += await events(stage, options)
    if "moves" in asked:
        rows += await moving(stage, corpus, options)
    if "month" in asked:
        rows += month(stage, options)
    return rows, drawn, dsn


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 0 whatever was missed: the table says so."""
    options = parse(arguments)
    corpus = load(options.data, BITS, options.rows, options.queries)
    with running(options.sketch_bits) as stage:
        rows, drawn, dsn = asyncio.run(measure(stage, corpus, options))
        settings = settings_of(stage.connect(dsn))
    about: dict[str, Any] = {
        "data": f"{corpus.name}, {len(corpus):,} rows",
        "rows": len(corpus),
        "late_rows": len(corpus.late_texts),
        "queries": len(corpus.queries),
        "bits": BITS,
        "sketch_bits": options.sketch_bits,
        "sections": list(options.only),
    }
    print(f"\n{about['data']}, {BITS:,} bits, sketch of {options.sketch_bits:,}\n")
    print(report.table(rows))
    if len(corpus) < _FEWEST_ROWS:
        print(f"\nThe targets against pgvector are for 50,000 rows and more; these are {len(corpus):,}.")
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{options.sketch_bits}"
    for path in report.write(options.output, stem, report.document(about, rows, drawn, settings), drawn):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
