"""Searches as parts of ORM queries: through the sketch index, or through the database's search functions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Select,
    SQLColumnExpression,
    TableValuedAlias,
    Text,
    Uuid,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT, JSONB, REAL
from sqlalchemy.orm import aliased

from engine.errors import InvalidArgument, UnknownTier
from engine.hypervector import Hypervectors
from engine.orm.classes import StoredMemory
from engine.orm.hypervector import operand

Query = Hypervectors | SQLColumnExpression[Hypervectors]

_LEAST_CANDIDATES = 100


def nearest(
    query: Query,
    k: int = 10,
    *,
    candidates: int | None = None,
    tier: str | None = None,
    collection: str = "memories",
    context: str | None = None,
    where: Sequence[ColumnElement[bool]] = (),
) -> Select[StoredMemory, int]:
    """Return a query for the k memories of this tenant nearest to a hypervector, and their Hamming distances.

    The sketch index gives `candidates` rows (None: 100, or 2 k if that is more), which are ranked again by
    the whole hypervector. With a `tier` one index is scanned, else that of every partition. `where` filters
    StoredMemory; to join, make it a subquery: `aliased(StoredMemory, nearest(...).subquery())`. On an engine
    of this package the index is scanned until the candidates are found; elsewhere set hnsw.iterative_scan.

    Raises:
        InvalidArgument, UnknownTier: `k` or `candidates` is not positive, or there is no such tier.
    """
    count = max(_LEAST_CANDIDATES, 2 * k) if candidates is None else candidates
    if k < 1 or count < k:
        raise InvalidArgument(f"k must be positive and candidates at least k, not k = {k} of {count}")
    vector = operand(query)
    found = (
        select(StoredMemory)
        .where(StoredMemory.tenant == func.mnemo.tenant(), StoredMemory.collection == collection, *where)
        .order_by(StoredMemory.hdv.sketch().hamming(func.mnemo.sketch(vector)))
        # A parameter would leave the planner to guess how many rows are wanted, and to prefer a sort.
        .limit(literal_column(str(int(count)), Integer()))
    )
    if tier is not None:
        found = found.where(_in_tier(tier))
    if context is not None:
        found = found.where(StoredMemory.context == context)
    candidate = aliased(StoredMemory, found.subquery("candidate"))
    distance: ColumnElement[int] = candidate.hdv.hamming(vector).label("distance")
    return select(candidate, distance).order_by(distance, candidate.id).limit(k)


def _in_tier(tier: str) -> ColumnElement[bool]:
    match tier:
        case "hot":
            return StoredMemory.segment == literal_column("0", Integer())
        case "warm":
            return StoredMemory.segment == literal_column("1", Integer())
        case "cold":
            return StoredMemory.segment > literal_column("1", Integer())
        case _:
            raise UnknownTier(f"unknown tier {tier!r}")


class Hits:
    """The rows of a search as a FROM element: select its columns, or join them to classes by `memory_id`.

    `select(Memory, hits.distance).join(hits.rows, hits.memory_id == Memory.id).order_by(hits.distance)`
    """

    def __init__(self, rows: TableValuedAlias) -> None:
        self.rows = rows
        self.memory_id: ColumnElement[UUID] = rows.c.memory_id
        self.key: ColumnElement[str | None] = rows.c.key
        self.tier: ColumnElement[str] = rows.c.tier
        self.distance: ColumnElement[int] = rows.c.distance
        self.similarity: ColumnElement[float] = rows.c.similarity
        self.score: ColumnElement[float] = rows.c.score
        self.content: ColumnElement[str | None] = rows.c.content
        self.attributes: ColumnElement[dict[str, Any]] = rows.c.attributes
        self.created_at: ColumnElement[datetime] = rows.c.created_at
        self.score_terms: ColumnElement[dict[str, float] | None] = rows.c.score_terms
        self.estimated: ColumnElement[bool] = rows.c.estimated

    def select(
        self,
    ) -> Select[
        UUID,
        str | None,
        str,
        int,
        float,
        float,
        str | None,
        dict[str, Any],
        datetime,
        dict[str, float] | None,
        bool,
    ]:
        """Return a query for all columns, best score first."""
        return select(
            self.memory_id,
            self.key,
            self.tier,
            self.distance,
            self.similarity,
            self.score,
            self.content,
            self.attributes,
            self.created_at,
            self.score_terms,
            self.estimated,
        ).order_by(self.score.desc(), self.distance, self.memory_id)


def search(
    query: Query,
    k: int = 10,
    *,
    collection: str = "memories",
    context: str | None = None,
    where: Mapping[str, Any] | None = None,
    exact: bool = False,
    archive: bool = False,
) -> Hits:
    """Return the k nearest memories by mnemo.search, which goes through the tiers; reads only.

    `where` is a filter on attributes such as ``{"year": {"$gte": 2020}}``. With `archive` memories in object
    storage compete by their sketches: `estimated`, without content. When it runs, the statement raises
    InvalidHypervector, InvalidArgument, MalformedFilter or UnknownCollection.
    """
    return _hits("search", operand(query), k, collection, context, where, exact, (_truth(archive),))


def recall(
    query: Query,
    k: int = 10,
    *,
    collection: str = "memories",
    context: str | None = None,
    where: Mapping[str, Any] | None = None,
    exact: bool = False,
    archive: bool = False,
) -> Hits:
    """Return what `search` does, by mnemo.recall: each access is recorded, so commit afterwards."""
    return _hits("recall", operand(query), k, collection, context, where, exact, (_truth(archive),))


def recall_text(
    query: str | None,
    k: int = 10,
    *,
    collection: str = "memories",
    context: str | None = None,
    where: Mapping[str, Any] | None = None,
    exact: bool = False,
    embedding: Sequence[float] | None = None,
    roles: Mapping[str, Any] | None = None,
    archive: bool = False,
) -> Hits:
    """Return what `recall` does for a question, which the database encodes as the collection asks.

    A question is a text, its embedding float[d], values of roles such as ``{"speaker": "Ann"}``, or several
    of these. The hits are ranked again by the collection's second stage.
    """
    call = literal(query, Text())
    return _hits("recall_text", call, k, collection, context, where, exact, _asked(embedding, roles, archive))


def search_text(
    query: str | None,
    k: int = 10,
    *,
    collection: str = "memories",
    context: str | None = None,
    where: Mapping[str, Any] | None = None,
    exact: bool = False,
    embedding: Sequence[float] | None = None,
    roles: Mapping[str, Any] | None = None,
    archive: bool = False,
) -> Hits:
    """Return what `recall_text` does without recording an access; reads only."""
    call = literal(query, Text())
    return _hits("search_text", call, k, collection, context, where, exact, _asked(embedding, roles, archive))


def _asked(
    embedding: Sequence[float] | None, roles: Mapping[str, Any] | None, archive: bool
) -> tuple[ColumnElement[Any], ...]:
    given = None if embedding is None else [float(component) for component in embedding]
    hdv = cast(None, BIT(varying=True))
    return literal(given, ARRAY(REAL())), literal(dict(roles or {}), JSONB()), hdv, _truth(archive)


def _truth(value: bool) -> ColumnElement[bool]:
    return literal(value, Boolean())


def _hits(
    function: str,
    query: ColumnElement[Any],
    k: int,
    collection: str,
    context: str | None,
    where: Mapping[str, Any] | None,
    exact: bool,
    more: tuple[ColumnElement[Any], ...] = (),
) -> Hits:
    call = getattr(func.mnemo, function)(
        query,
        literal(k, Integer()),
        literal(collection, Text()),
        literal(context, Text()),
        literal(dict(where or {}), JSONB()),
        _truth(exact),
        *more,
    )
    return Hits(
        call.table_valued(
            column("memory_id", Uuid()),
            column("key", Text()),
            column("tier", Text()),
            column("distance", Integer()),
            column("similarity", Double()),
            column("score", Double()),
            column("content", Text()),
            column("attributes", JSONB()),
            column("created_at", DateTime(timezone=True)),
            column("score_terms", JSONB()),
            column("estimated", Boolean()),
        )
    )
