"""Mnemo's side: the hot tier, its sketch index, the bare two-step query and the functions over it."""

from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
from psycopg.types.json import Jsonb

from engine import Memory
from engine.database.parameters import PackedBits
from engine.hypervector import Hypervectors
from tests.benchmarks.pgvector import SHARES
from tests.benchmarks.stage import BITS, Connection, only, set_to
from tests.benchmarks.timing import timed


class Hot:
    """Memories in the hot tier: by id, the place of each in the data."""

    def __init__(self, ids: Sequence[UUID], sketch_bits: int) -> None:
        self._places = {memory_id: place for place, memory_id in enumerate(ids)}
        self._sketch_bits = sketch_bits

    def two_step(self, connection: Connection, candidates: int) -> Callable[[bytes], list[int]]:
        """Return the bare query: candidates by sketch, ranked by all components."""
        width = self._sketch_bits
        statement = (
            "select id from (select id, hdv from mnemo.memory_hot"  # noqa: S608
            f" order by substring(hdv from 1 for {width})::bit({width})"
            f" <~> substring(%(q)s from 1 for {width})::bit({width}) limit {candidates}) as candidate"
            f" order by hdv <~> %(q)s::bit({BITS}) limit 10"
        )
        set_to(connection, "hnsw.ef_search", candidates)
        return self._asking(connection, statement, {})

    def scan(self, connection: Connection) -> Callable[[bytes], list[int]]:
        """Return the bare query without an index."""
        statement = f"select id from mnemo.memory_hot order by hdv <~> %(q)s::bit({BITS}) limit 10"  # noqa: S608
        return self._asking(connection, statement, {})

    def search(
        self, connection: Connection, name: str = "search", exact: bool = False, share: int | None = None
    ) -> Callable[[bytes], list[int]]:
        """Return mnemo.search or mnemo.recall, asked for the columns that the bare query has."""
        statement = f"select memory_id from mnemo.{name}(%(q)s, filter => %(filter)s, exact => %(exact)s)"  # noqa: S608
        where = {} if share is None else {SHARES[share]: 0}
        return self._asking(connection, statement, {"filter": Jsonb(where), "exact": exact})

    def _asking(
        self, connection: Connection, statement: str, parameters: dict[str, object]
    ) -> Callable[[bytes], list[int]]:
        def ask(query: bytes) -> list[int]:
            given = {"q": PackedBits(query), **parameters}
            rows = connection.execute(statement, given, prepare=True, binary=True).fetchall()
            return [self._places[row[0]] for row in rows]

        return ask


def memories(texts: Sequence[str], hdvs: Hypervectors, prefix: str) -> list[Memory]:
    """Return memories with hypervectors ready made, keys, and the attributes that filters ask for."""
    return [
        Memory(text, key=f"{prefix}:{i}", hdv=np.ascontiguousarray(hdv), attributes=attributes(i))
        for i, (text, hdv) in enumerate(zip(texts, hdvs, strict=True))
    ]


def attributes(place: int) -> dict[str, int]:
    """Return what filters ask for, as peer (a) has it in columns."""
    return {"part": place % 100, "tenth": place % 10, "half": place % 2}


def build(connection: Connection, sketch_bits: int) -> float:
    """Build the sketch index anew, on the table as it lies; return the seconds it took."""
    connection.execute("drop index if exists mnemo.bench_sketch")
    statement = (
        "create index bench_sketch on mnemo.memory_hot using hnsw"
        f" ((substring(hdv from 1 for {sketch_bits})::bit({sketch_bits})) public.bit_hamming_ops)"
    )
    seconds = timed(lambda: connection.execute(statement))
    connection.execute("drop index mnemo.bench_sketch")
    return seconds


def index_bytes(connection: Connection) -> int:
    """Return the size of the sketch index."""
    return int(
        only(
            connection,
            "select pg_relation_size(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid"
            " join pg_am a on a.oid = c.relam"
            " where i.indrelid = 'mnemo.memory_hot'::regclass and a.amname = 'hnsw'",
        )
    )


def effort(connection: Connection, candidates: int) -> None:
    """Set how many candidates a search ranks."""
    set_to(connection, "mnemo.ef_search", candidates)
