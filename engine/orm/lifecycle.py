"""What moves memories and what happened to them: policies, jobs, moves, counts. All for reading."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import REAL, BigInteger, ForeignKey, Integer, Numeric, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.orm.classes import Base, ReadOnly

Json = dict[str, Any]


class Policy(ReadOnly, Base):
    """mnemo.policy: what moves when; changed by mnemo.add_..., alter_... and remove_..._policy."""

    __tablename__ = "policy"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tier: Mapped[str | None]
    to_tier: Mapped[str | None]
    collection: Mapped[str | None]
    rule: Mapped[str]
    threshold: Mapped[float | None]
    after: Mapped[timedelta | None]
    accesses: Mapped[int | None]
    within: Mapped[timedelta | None]
    capacity_rows: Mapped[int | None] = mapped_column(BigInteger)
    capacity_bytes: Mapped[int | None] = mapped_column(BigInteger)
    minimum_stay: Mapped[timedelta]
    enabled: Mapped[bool]
    created_at: Mapped[datetime]


class PolicyChange(ReadOnly, Base):
    """mnemo.policy_change: the policy before (None: added) and after (None: removed), and why."""

    __tablename__ = "policy_change"

    change: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    policy: Mapped[str]
    before: Mapped[Json | None] = mapped_column(JSONB)
    after: Mapped[Json | None] = mapped_column(JSONB)
    reason: Mapped[str]
    reverted_by: Mapped[int | None] = mapped_column(BigInteger)


class PolicyHistory(ReadOnly, Base):
    """The view mnemo.policy_history: what changed (parameter None: the whole policy), and the tiers then."""

    __tablename__ = "policy_history"

    change: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    policy: Mapped[str]
    action: Mapped[str]
    parameter: Mapped[str | None] = mapped_column(primary_key=True)
    old: Mapped[str | None]
    new: Mapped[str | None]
    reason: Mapped[str]
    reverted: Mapped[bool]
    reverted_by: Mapped[int | None] = mapped_column(BigInteger)
    sampled_at: Mapped[datetime | None]
    hot_memories: Mapped[int | None] = mapped_column(BigInteger)
    warm_memories: Mapped[int | None] = mapped_column(BigInteger)
    cold_memories: Mapped[int | None] = mapped_column(BigInteger)
    hot_hit_rate: Mapped[float | None]


class Move(ReadOnly, Base):
    """mnemo.move_log: one move of a memory, of all tenants. `policy` None: somebody's call."""

    __tablename__ = "move_log"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    memory_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    from_tier: Mapped[str]
    to_tier: Mapped[str]
    segment: Mapped[int]
    policy: Mapped[str | None]
    reason: Mapped[str]
    strength: Mapped[float] = mapped_column(REAL)


class DailyAccesses(ReadOnly, Base):
    """mnemo.access_daily: accesses of a day (UTC), by the tier that held the memories."""

    __tablename__ = "access_daily"

    day: Mapped[date] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(primary_key=True)
    tier: Mapped[str] = mapped_column(primary_key=True)
    accesses: Mapped[int] = mapped_column(BigInteger)


class Job(ReadOnly, Base):
    """mnemo.job: work that repeats; changed by mnemo.add_job, alter_job and remove_job."""

    __tablename__ = "job"

    name: Mapped[str] = mapped_column(primary_key=True)
    function: Mapped[str]
    arguments: Mapped[Json] = mapped_column(JSONB)
    every: Mapped[timedelta]
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    next_run_at: Mapped[datetime]
    last_step_at: Mapped[datetime | None]
    failures: Mapped[int]
    max_failures: Mapped[int]
    backoff: Mapped[timedelta]


class JobRun(ReadOnly, Base):
    """mnemo.job_run: a run of a job; open while `ended_at` is None. `seconds`: real time in its steps."""

    __tablename__ = "job_run"

    run: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey(Job.name))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    state: Mapped[str]
    steps: Mapped[int] = mapped_column(BigInteger)
    work: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    worker: Mapped[str]
    error: Mapped[str | None]


class JobStatus(ReadOnly, Base):
    """The view mnemo.job_status: each job, its last run, and the share of recent runs that succeeded."""

    __tablename__ = "job_status"

    name: Mapped[str] = mapped_column(primary_key=True)
    function: Mapped[str]
    every: Mapped[timedelta]
    enabled: Mapped[bool]
    state: Mapped[str]
    next_run_at: Mapped[datetime]
    last_run: Mapped[int | None] = mapped_column(BigInteger)
    last_started_at: Mapped[datetime | None]
    last_ended_at: Mapped[datetime | None]
    last_seconds: Mapped[float | None]
    last_steps: Mapped[int | None] = mapped_column(BigInteger)
    last_work: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str | None]
    last_worker: Mapped[str | None]
    failures: Mapped[int]
    disabled_reason: Mapped[str | None]
    success_rate: Mapped[float | None]


class BusLag(ReadOnly, Base):
    """The view mnemo.bus_lag: how far behind each subscription of the event bus is."""

    __tablename__ = "bus_lag"

    subscription: Mapped[str] = mapped_column(primary_key=True)
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    backlog: Mapped[int] = mapped_column(BigInteger)
    oldest_seconds: Mapped[float | None]
    leased: Mapped[int] = mapped_column(BigInteger)
    parked: Mapped[int] = mapped_column(BigInteger)
    dead: Mapped[int] = mapped_column(BigInteger)


class DeadLetter(ReadOnly, Base):
    """The view mnemo.dead_letters: events given up, of all tenants, and why."""

    __tablename__ = "dead_letters"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subscription: Mapped[str]
    seq: Mapped[int] = mapped_column(BigInteger)
    topic: Mapped[str]
    tenant: Mapped[str]
    context: Mapped[str | None]
    memory_id: Mapped[UUID | None]
    payload: Mapped[Json] = mapped_column(JSONB)
    at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None]
    died_at: Mapped[datetime]


class TierPrice(ReadOnly, Base):
    """mnemo.tier_price: dollars for a TB (1,024 GB) and month, and when a place is worth them."""

    __tablename__ = "tier_price"

    tier: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(SmallInteger)
    price_per_tb_month: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    latency_target_ms: Mapped[float]
    accesses_per_hour: Mapped[float]


class Association(ReadOnly, Base):
    """mnemo.association: in a context, recalling `a` predicts `b`, with `weight` (0 to 1) at that time."""

    __tablename__ = "association"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    context: Mapped[str] = mapped_column(primary_key=True)
    a: Mapped[UUID] = mapped_column(primary_key=True)
    b: Mapped[UUID] = mapped_column(primary_key=True)
    weight: Mapped[float]
    at: Mapped[datetime]


class Telemetry(ReadOnly, Base):
    """mnemo.telemetry: a sample of the tiers, all tenants; accesses: those counted from `since` to `at`."""

    __tablename__ = "telemetry"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    hot_accesses: Mapped[int] = mapped_column(BigInteger)
    warm_accesses: Mapped[int] = mapped_column(BigInteger)
    cold_accesses: Mapped[int] = mapped_column(BigInteger)
    hot_memories: Mapped[int] = mapped_column(BigInteger)
    warm_memories: Mapped[int] = mapped_column(BigInteger)
    cold_memories: Mapped[int] = mapped_column(BigInteger)
    hot_bytes: Mapped[int] = mapped_column(BigInteger)
    warm_bytes: Mapped[int] = mapped_column(BigInteger)
    cold_bytes: Mapped[int] = mapped_column(BigInteger)
    hot_hit_rate: Mapped[float | None]
