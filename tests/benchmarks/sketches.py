"""The sketches of archived memories that stay in the database: search at 100,000 and a million of them."""

import time

import numpy as np
from psycopg import sql

from engine.database.parameters import PackedBits
from engine.hypervector import Hypervectors
from engine.schema.parameters import ARCHIVE_BITS
from tests.benchmarks.data import Corpus
from tests.benchmarks.flat import nearest
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage, only
from tests.benchmarks.timing import Answers, timed

_SEGMENT = 1_000_001
_CANDIDATES = 100
_FLIPPED = 0.1
_CHUNK = 100_000
_COPY = "copy pg_temp.sketches (row_number, sketch) from stdin (format binary)"
# Nothing but ids and sketches: what the other columns add is measured on real memories (archiving.py).
_INSERT = sql.SQL(
    "insert into mnemo.{table} (occurred_at, created_at, ltp_at, segment, row_number, ltp, access_count,"
    " bucket, id, tenant, collection, attributes, sketch)"
    " select now(), now(), now(), {segment}, s.row_number, 0.5, 0, mnemo.bucket_of(s.id), s.id, 'default',"
    " 'memories', '{{}}', s.sketch::bit({bits}) from (select r.row_number, r.sketch,"
    " mnemo.new_id((r.row_number % 1024)::smallint) as id from pg_temp.sketches r order by r.row_number) s"
)
_FOUND = "select row_number from mnemo.archive_candidates(%b::varbit, candidates => %s)"


def sketches(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Fill one archived segment with sketches and ask for candidates, at two sizes."""
    queries = corpus.queries[: options.scaled(300, 10)]
    rows = []
    for count in (options.scaled(100_000, 500), options.scaled(1_000_000, 1_000)):
        made = _sketches(corpus.hdvs, count)
        connection = stage.connect(stage.database(), maintenance_work_mem="1GB")
        building = _fill(connection, made)
        size = only(connection, "select pg_total_relation_size(%s::regclass)", f"mnemo.archived_{_SEGMENT}")
        _ask(connection, queries[:20])
        answers = _ask(connection, queries)
        right = nearest(made, np.ascontiguousarray(queries[:, : ARCHIVE_BITS // 8]), _CANDIDATES)
        share = np.mean(
            [
                len(set(found) & set(best)) / _CANDIDATES
                for found, best in zip(answers.places, right.tolist(), strict=True)
            ]
        )
        rows.append(
            Row(
                f"candidates by sketch among {count:,} archived memories",
                answers.p50_ms,
                "ms",
                f"p95 {answers.p95_ms:.1f} ms; {share:.3f} of the {_CANDIDATES} nearest sketches;"
                f" {size / count:,.0f} bytes a memory, indexes built in {building:.0f} s; real sketches, then"
                f" like ones with {_FLIPPED:.0%} of the components flipped",
            )
        )
    return rows


def _sketches(hdvs: Hypervectors, count: int) -> Hypervectors:
    """Return uint8[n, S/8]: those of the hypervectors, then others around them."""
    base = np.ascontiguousarray(hdvs[:count, : ARCHIVE_BITS // 8])
    rng = np.random.default_rng(17)
    parts = [base]
    missing = count - len(base)
    while missing > 0:
        rows = min(missing, _CHUNK)
        flips = np.packbits(rng.random((rows, ARCHIVE_BITS), np.float32) < _FLIPPED, axis=1)
        parts.append(base[rng.integers(0, len(base), rows)] ^ flips)
        missing -= rows
    return np.concatenate(parts)


def _fill(connection: Connection, made: Hypervectors) -> float:
    """Make a segment of sketches; return the seconds that its indexes took."""
    table = f"archived_{_SEGMENT}"
    connection.execute("create temporary table sketches (row_number integer, sketch bit varying)")
    with connection.cursor().copy(_COPY) as copy:
        copy.set_types(["int4", "varbit"])
        for number, sketch in enumerate(made):
            copy.write_row((number, PackedBits.of(sketch)))
    connection.execute("select mnemo.create_partition(%s, 'archive')", (table,))
    connection.execute(
        _INSERT.format(
            table=sql.Identifier(table), segment=sql.Literal(_SEGMENT), bits=sql.Literal(ARCHIVE_BITS)
        )
    )
    seconds = timed(lambda: connection.execute("select mnemo.index_partition(%s, 'archive')", (table,)))
    connection.execute("select mnemo.attach_partition(%s, %s, 'archive', 'archived')", (table, _SEGMENT))
    connection.execute("vacuum analyze mnemo.archived_memory")
    return seconds


def _ask(connection: Connection, queries: Hypervectors) -> Answers:
    answers = Answers()
    for query in queries:
        began = time.perf_counter()
        rows = connection.execute(
            _FOUND, (PackedBits.of(query), _CANDIDATES), prepare=True, binary=True
        ).fetchall()
        answers.seconds.append(time.perf_counter() - began)
        answers.places.append([row[0] for row in rows])
    return answers
