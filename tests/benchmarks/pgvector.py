"""Peer (a): pgvector as its README tells you, on the same server."""

from collections.abc import Callable

from engine.database.parameters import PackedBits
from engine.hypervector import Hypervectors
from tests.benchmarks.stage import BITS, Connection, only, set_to
from tests.benchmarks.timing import timed

# Equality on one of these columns matches so many rows of a hundred.
SHARES = {1: "part", 10: "tenth", 50: "half"}
_COPY = "copy items (embedding, part, tenth, half) from stdin (format binary)"
_INDEX = "create index items_embedding_idx on items using hnsw (embedding bit_hamming_ops)"


def load(connection: Connection, hdvs: Hypervectors) -> None:
    """Make the table and fill it; the columns beside the vector are for filters."""
    connection.execute(
        f"create table items (id bigserial, embedding bit({BITS}), part int, tenth int, half int)"
    )
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["varbit", "int4", "int4", "int4"])
        for place, hdv in enumerate(hdvs):
            copy.write_row((PackedBits.of(hdv), place % 100, place % 10, place % 2))
    for column in SHARES.values():
        connection.execute(f"create index on items ({column})")


def build(connection: Connection) -> float:
    """Build the index anew; return the seconds it took."""
    connection.execute("drop index if exists items_embedding_idx")
    return timed(lambda: connection.execute(_INDEX))


def index_bytes(connection: Connection) -> int:
    """Return the size of the index."""
    return int(only(connection, "select pg_relation_size('items_embedding_idx')"))


def asking(connection: Connection, share: int | None = None) -> Callable[[bytes], list[int]]:
    """Return the query, of all rows or of those that the filter of this share lets through."""
    where = "" if share is None else f"where {SHARES[share]} = 0"
    statement = f"select id from items {where} order by embedding <~> %s::bit({BITS}) limit 10"  # noqa: S608

    def ask(query: bytes) -> list[int]:
        return [
            int(row[0]) - 1
            for row in connection.execute(statement, (PackedBits(query),), prepare=True, binary=True)
        ]

    return ask


def exactly(connection: Connection) -> None:
    """Let the session compare every row instead of asking the index."""
    set_to(connection, "enable_indexscan", "off")


def effort(connection: Connection, candidates: int) -> None:
    """Set how many candidates the index keeps."""
    set_to(connection, "hnsw.ef_search", candidates)
