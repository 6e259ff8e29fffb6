"""A database and the model of it, driven together and compared memory by memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg

from tests.lifecycle.model import Model, Policy
from tests.support.memories import Draft, Vectors, bulk_load, remember_all

Connection = psycopg.Connection[tuple[Any, ...]]
START = datetime(2030, 1, 1, tzinfo=UTC)
_ZERO = int(START.timestamp()) * 1_000_000
_STATE: LiteralString = (
    "select id, tier, ltp::float8, {ltp_at}, {entered}, {last}, access_count, tier_accesses, pinned,"
    " {leaves}, {due}, {expires} from mnemo.activity"
)


def _micros(column: LiteralString) -> LiteralString:
    return "(extract(epoch from " + column + ") * 1000000)::bigint"


_QUERY = _STATE.format(
    ltp_at=_micros("ltp_at"),
    entered=_micros("entered_tier_at"),
    last=_micros("last_access"),
    leaves=_micros("leaves_tier_at"),
    due=_micros("due_at"),
    expires=_micros("expires_at"),
)


def vector(rng: Random) -> Vectors:
    """Draw a hypervector of 1,024 bits."""
    return np.frombuffer(rng.randbytes(128), np.uint8)


class World:
    """Does everything twice: in the database, and in the model."""

    def __init__(self, connection: Connection, seed: int = 0) -> None:
        self.connection = connection
        self.rng = Random(seed)
        self.model = Model(_ZERO)
        self._set_clock()

    def do(self, query: LiteralString, *arguments: Any) -> Any:
        """Run a statement; return its first row's first column."""
        cursor = self.connection.execute(query, arguments)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]

    def pass_time(self, micros: int) -> None:
        """Let time go by."""
        self.model.now += micros
        self._set_clock()

    def _set_clock(self) -> None:
        at = START + timedelta(microseconds=self.model.now - _ZERO)
        self.do("select set_config('mnemo.clock', %s, false)", at.isoformat())

    def remember(self, drafts: Sequence[Draft], bulk: str | None = None) -> list[UUID]:
        """Write new memories; bulk: load them into this empty tier."""
        ids = bulk_load(self.connection, drafts, bulk) if bulk else remember_all(self.connection, drafts)
        for draft, memory in zip(drafts, ids, strict=True):
            self.model.remember(memory, draft.collection, draft.tier, draft.importance, draft.pinned)
        return ids

    def recalled(self, recalls: Sequence[list[UUID]]) -> None:
        """Note what recalls at this moment returned."""
        for ids in recalls:
            self.model.recalled(ids)
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into mnemo.access_log (at, memory_ids) values (mnemo.now(), %s)",
                [(ids,) for ids in recalls],
            )

    def consolidate(self) -> None:
        """Run every step there is."""
        self.connection.execute("call mnemo.consolidate()")
        self.model.consolidate()

    def expire(self) -> None:
        """Forget what is too old."""
        while self.do("select mnemo.expire_step()"):
            pass
        self.model.expire()

    def add(self, policy: Policy) -> None:
        """Add a policy."""
        span = {name: _interval(getattr(policy, name)) for name in ("after", "within", "stay")}
        p = policy
        match p.kind:
            case "tier":
                self.do(
                    "select mnemo.add_tier_policy(%s, %s, %s, %s, %s, %s::interval, %s, %s::interval)",
                    p.name, p.tier, p.to_tier, p.rule, p.threshold, span["after"], p.collection, span["stay"],
                )  # fmt: skip
            case "promotion":
                self.do(
                    "select mnemo.add_promotion_policy("
                    "%s, %s, %s, %s, %s, %s, %s::interval, %s, %s::interval)",
                    p.name, p.tier, p.to_tier, p.rule, p.threshold, p.accesses, span["within"], p.collection,
                    span["stay"],
                )  # fmt: skip
            case "eviction":
                self.do(
                    "select mnemo.add_eviction_policy("
                    "%s, %s, %s, %s, rule => %s, collection => %s, minimum_stay => %s::interval)",
                    p.name, p.tier, p.to_tier, p.capacity, p.rule, p.collection, span["stay"],
                )  # fmt: skip
            case _:
                self.do(
                    "select mnemo.add_ttl_policy(%s, %s::interval, %s, %s)",
                    p.name, span["after"], p.collection, p.tier,
                )  # fmt: skip
        self.model.add(p)

    def remove(self, name: str) -> None:
        """Remove a policy."""
        calls: dict[str, LiteralString] = {
            "tier": "select mnemo.remove_tier_policy(%s)",
            "promotion": "select mnemo.remove_promotion_policy(%s)",
            "eviction": "select mnemo.remove_eviction_policy(%s)",
            "ttl": "select mnemo.remove_ttl_policy(%s)",
        }
        self.do(calls[self.model.remove(name).kind], name)

    def differing(self) -> list[tuple[Any, ...]]:
        """Return each memory that the database and the model do not agree on, with what both say.

        Times of leaving agree within 2 microseconds, due_at where it is not later than it should be.
        """
        different: list[tuple[Any, ...]] = []
        rows = {row[0]: row[1:] for row in self.connection.execute(_QUERY)}
        noted = {row[0] for row in self.connection.execute("select id from mnemo.accessed")}
        for memory in rows.keys() | self.model.memories.keys():
            m = self.model.memories.get(memory)
            if m is None or memory not in rows:
                different.append((memory, rows.get(memory), m))
                continue
            *state, leaves, due, expires = rows[memory]
            ours = [
                m.tier, m.ltp, m.ltp_at, m.entered_at, m.last_access, m.accesses, m.tier_accesses, m.pinned,
            ]  # fmt: skip
            bound = self.model.due_at(m)
            if (
                state != ours
                or not _close(leaves, self.model.leaves_at(m))
                or (due is None) != (bound is None)
                or (due is not None and bound is not None and due > bound + 2)
                or expires != self.model.expires_at(m)
                or (memory in noted) != m.promotable
            ):
                different.append((memory, rows[memory], m, self.model.leaves_at(m), self.model.expires_at(m)))
        return different

    def moves(self) -> list[tuple[Any, ...]]:
        """Return what mnemo.move_log says of each move, sorted."""
        return sorted(
            self.connection.execute("select memory_id, from_tier, to_tier, reason from mnemo.move_log")
        )

    def updates(self) -> tuple[int, int]:
        """Return all updates of activity rows so far, and those that were heap-only."""
        self.do("select pg_stat_force_next_flush()")
        self.do("select 1")
        with psycopg.connect(self.connection.info.dsn) as other:
            row = other.execute(
                "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
                " where relid = 'mnemo.activity'::regclass"
            ).fetchone()
        assert row is not None
        return row

    def compare(self) -> None:
        """Fail where the database differs from the model in a memory or in what has moved."""
        different = self.differing()
        assert not different, different[:3]
        assert self.moves() == sorted(self.model.moves)


def _close(a: int | None, b: int | None) -> bool:
    """Compare times; two libraries may round a logarithm differently in its last bit."""
    return a == b if a is None or b is None else abs(a - b) <= 2


def _interval(micros: int | None) -> str | None:
    return None if micros is None else f"{micros} microseconds"


@contextmanager
def world(dsn: str, seed: int = 0) -> Iterator[World]:
    """Yield a world on an empty database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield World(connection, seed)
