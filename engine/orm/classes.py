"""The mapped classes: a memory to write and read, and the tables and views behind it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Connection,
    DateTime,
    Double,
    FetchedValue,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    and_,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Mapper, mapped_column, relationship

from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors
from engine.orm.hypervector import Hypervector

Attributes = dict[str, Any]


class Base(MappedAsDataclass, DeclarativeBase, eq=False, kw_only=True):
    """What all classes share: the schema mnemo, arguments by name, one object a row in a session."""

    metadata = MetaData(schema="mnemo")
    type_annotation_map = {  # noqa: RUF012
        str: Text(),
        float: Double(),
        datetime: DateTime(timezone=True),
        Hypervectors: Hypervector(),
    }


class ReadOnly:
    """A class whose rows only the functions of the database change; the unit of work refuses to."""


def _filled() -> Any:
    """A column that the database fills where it is not given."""
    return mapped_column(server_default=FetchedValue(), default=None)


def _engine_owned() -> Any:
    """A column that the database always fills."""
    return mapped_column(server_default=FetchedValue(), init=False, repr=False)


class Memory(Base, kw_only=True):
    """The view mnemo.memories: the memories of this tenant, to read, add, change and delete.

    `attributes`, `tier` and `pinned` can be changed; any other change raises InvalidArgument. A memory added
    with a key that is there already takes over that memory's row and id. `hdv`: uint8[D/8]; without it the
    database encodes the content. `strength`: 0 to 1; given for a new memory, it is its importance.
    """

    __tablename__ = "memories"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue(), init=False)
    key: Mapped[str | None] = mapped_column(default=None)
    collection: Mapped[str] = _filled()
    context: Mapped[str | None] = mapped_column(default=None)
    session: Mapped[str | None] = mapped_column(default=None)
    occurred_at: Mapped[datetime] = _filled()
    content: Mapped[str]
    attributes: Mapped[Attributes] = mapped_column(
        MutableDict.as_mutable(JSONB()), server_default=FetchedValue(), default_factory=dict
    )
    hdv: Mapped[Hypervectors] = mapped_column(server_default=FetchedValue(), default=None, repr=False)
    tier: Mapped[str] = _filled()
    pinned: Mapped[bool] = _filled()
    strength: Mapped[float] = _filled()
    access_count: Mapped[int] = mapped_column(
        BigInteger, server_default=FetchedValue(), init=False, repr=False
    )
    last_access: Mapped[datetime | None] = _engine_owned()
    created_at: Mapped[datetime] = _engine_owned()


class Activity(ReadOnly, Base):
    """mnemo.activity: where a memory is and how strong it is. `ltp` is the strength at `ltp_at`, 0 to 1."""

    __tablename__ = "activity"

    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    segment: Mapped[int]
    ltp: Mapped[float] = mapped_column(REAL)
    pinned: Mapped[bool]
    ltp_at: Mapped[datetime]
    last_access: Mapped[datetime | None]
    entered_tier_at: Mapped[datetime]
    leaves_tier_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    access_count: Mapped[int] = mapped_column(BigInteger)
    tier: Mapped[str]
    tenant: Mapped[str]
    collection: Mapped[str]
    tier_accesses: Mapped[int]
    expires_at: Mapped[datetime | None]


class StoredMemory(ReadOnly, Base):
    """mnemo.memory, the partitioned table, of all tenants; it carries the indexes. Write through `Memory`."""

    __tablename__ = "memory"

    occurred_at: Mapped[datetime]
    created_at: Mapped[datetime]
    segment: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    collection: Mapped[str]
    hdv: Mapped[Hypervectors] = mapped_column(repr=False)
    context: Mapped[str | None]
    session: Mapped[str | None]
    key: Mapped[str | None]
    content: Mapped[str]
    attributes: Mapped[Attributes] = mapped_column(JSONB)
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary, repr=False)
    encoded: Mapped[str] = mapped_column(String)

    activity: Mapped[Activity] = relationship(
        primaryjoin=lambda: and_(
            StoredMemory.bucket == Activity.bucket,
            StoredMemory.id == Activity.id,
            StoredMemory.segment == Activity.segment,
        ),
        foreign_keys=lambda: [Activity.bucket, Activity.id, Activity.segment],
        uselist=False,
        viewonly=True,
        init=False,
        repr=False,
    )


class Collection(ReadOnly, Base):
    """mnemo.collection: how memories become hypervectors. Made by mnemo.create_collection."""

    __tablename__ = "collection"

    name: Mapped[str] = mapped_column(primary_key=True)
    encoder: Mapped[str]
    encoder_version: Mapped[int]
    dimension: Mapped[int | None]
    seed: Mapped[str]
    bucket_rule: Mapped[str]
    bind_context: Mapped[bool]
    keep_embedding: Mapped[bool]
    confidence_distance: Mapped[float]
    created_at: Mapped[datetime]
    encoding: Mapped[Attributes] = mapped_column(JSONB)
    ranking: Mapped[Attributes] = mapped_column(JSONB)
    sealed: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Tier(ReadOnly, Base):
    """mnemo.tier: `place` is 0 for the fastest; a memory weaker than `leaves_below` may leave it."""

    __tablename__ = "tier"

    tier: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(SmallInteger)
    leaves_below: Mapped[float | None]


class Segment(ReadOnly, Base):
    """mnemo.segment: the partitions of mnemo.memory, and those of what is archived."""

    __tablename__ = "segment"

    segment: Mapped[int] = mapped_column(primary_key=True)
    tier: Mapped[str]
    state: Mapped[str]
    relation: Mapped[str]
    created_at: Mapped[datetime]
    announced_at: Mapped[datetime | None]
    sealed_at: Mapped[datetime | None]
    attempt: Mapped[UUID | None]
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    failures: Mapped[int]
    error: Mapped[str | None]


class TierStats(ReadOnly, Base):
    """The view mnemo.tier_stats: what each tier holds, costs and answers, all tenants."""

    __tablename__ = "tier_stats"

    tier: Mapped[str] = mapped_column(primary_key=True)
    memories: Mapped[int] = mapped_column(BigInteger)
    pinned: Mapped[int] = mapped_column(BigInteger)
    mean_strength: Mapped[float | None]
    heap_bytes: Mapped[int] = mapped_column(BigInteger)
    index_bytes: Mapped[int] = mapped_column(BigInteger)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    segments: Mapped[int] = mapped_column(BigInteger)
    capacity_rows: Mapped[int | None] = mapped_column(BigInteger)
    capacity_bytes: Mapped[int | None] = mapped_column(BigInteger)
    capacity_used: Mapped[float | None]
    latency_target_ms: Mapped[float | None]
    latency_ms: Mapped[float | None]
    price_per_tb_month: Mapped[float | None]
    monthly_cost: Mapped[float | None]
    accesses: Mapped[int] = mapped_column(BigInteger)
    accesses_today: Mapped[int] = mapped_column(BigInteger)
    due_now: Mapped[int] = mapped_column(BigInteger)
    target_reached: Mapped[bool | None]


def _refuse(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    table = mapper.local_table
    raise InvalidArgument(
        f"{table} is written by the database's own functions; add, change and delete memories as Memory"
    )


for _change in ("before_insert", "before_update", "before_delete"):
    event.listen(ReadOnly, _change, _refuse, propagate=True)
