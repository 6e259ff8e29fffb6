"""What `mnemo stats` and `mnemo top` show, read in one go, and the words for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from engine.cli.output import as_line, size
from engine.database.errors import translate_errors
from engine.memory import TierStats
from engine.mnemo import STATS

Row = dict[str, Any]
Connection = psycopg.Connection[Any]

_JOBS = "select * from mnemo.job_status order by name"
_LAG = "select * from mnemo.bus_lag order by subscription"
_POLICIES = "select * from mnemo.policy order by kind, tier, collection nulls first, name"
# Accesses counted and to be counted, in one snapshot: folding moves them from the one to the other.
_TOTALS = """
select mnemo.now() as at,
       (select coalesce(sum(accesses), 0) from mnemo.access_daily)::bigint
       + (select coalesce(sum(cardinality(memory_ids)), 0) from mnemo.access_log)::bigint as accesses,
       (select count(*) from mnemo.move_log where at > mnemo.now() - interval '1 minute') as moves_in_minute
"""
_MOVES = """
select max(at) as at, from_tier, to_tier, policy, reason, count(*) as moves
from mnemo.move_log where at > mnemo.now() - interval '1 hour'
group by from_tier, to_tier, policy, reason order by max(at) desc limit 5
"""
_CHANGES = "select at, policy, reason from mnemo.policy_change order by change desc limit 3"


@dataclass(frozen=True)
class Overview:
    """Rows of mnemo.tier_stats, job_status, bus_lag and policy."""

    tiers: list[TierStats]
    jobs: list[Row]
    bus: list[Row]
    policies: list[Row]


@dataclass(frozen=True)
class Pulse:
    """What goes on: `at` by mnemo.now(), accesses so far, moves of the last minute and hour, changes."""

    at: datetime
    accesses: int
    moves_in_minute: int
    moves: list[Row]
    changes: list[Row]


def read_overview(connection: Connection) -> Overview:
    """Read how tiers, jobs, bus and policies are."""
    with translate_errors():
        tiers = connection.cursor(row_factory=class_row(TierStats)).execute(STATS).fetchall()
        with connection.cursor(row_factory=dict_row) as cursor:
            jobs, bus, policies = (cursor.execute(query).fetchall() for query in (_JOBS, _LAG, _POLICIES))
    return Overview(tiers, jobs, bus, policies)


def read_pulse(connection: Connection) -> Pulse:
    """Read what happened lately."""
    with translate_errors(), connection.cursor(row_factory=dict_row) as cursor:
        (totals,) = cursor.execute(_TOTALS).fetchall()
        moves, changes = cursor.execute(_MOVES).fetchall(), cursor.execute(_CHANGES).fetchall()
    return Pulse(**totals, moves=moves, changes=changes)


BUS_COLUMNS = (
    ("subscription", False), ("backlog", True), ("oldest", True), ("leased", True), ("parked", True),
    ("dead", True),
)  # fmt: skip


def bus_cells(group: Row) -> tuple[str, ...]:
    """Return what the columns `BUS_COLUMNS` say of a subscription; `oldest` in seconds."""
    oldest = group["oldest_seconds"]
    counts = (f"{group[name]:,}" for name in ("leased", "parked", "dead"))
    seconds = "-" if oldest is None else f"{oldest:,.1f} s"
    return as_line(group["subscription"]), f"{group['backlog']:,}", seconds, *counts


def policy_in_words(policy: Row) -> str:
    """Return what a policy does, such as `hot -> warm: unused for 1 day`."""
    whose = f" in {policy['collection']}" if policy["collection"] else ""
    where = policy["tier"] or "any tier"
    to_tier = "archive" if policy["kind"] == "archive" else policy["to_tier"]
    if to_tier:
        where += f" -> {to_tier}"
    return f"{where}{whose}: {_rule(policy)}"


def _rule(policy: Row) -> str:
    match policy["kind"], policy["rule"]:
        case "tier", "ltp":
            return f"strength below {_threshold(policy)}"
        case "promotion", "ltp":
            return f"strength from {_threshold(policy)} on"
        case "promotion", _:
            within = f", the last within {in_words(policy['within'])}" if policy["within"] else ""
            return f"{policy['accesses']} accesses{within}"
        case "eviction", rule:
            rows = [f"{policy['capacity_rows']:,} memories"] if policy["capacity_rows"] else []
            held = [size(policy["capacity_bytes"])] if policy["capacity_bytes"] else []
            return f"at most {' and '.join(rows + held)}, {rule} leave"
        case "ttl", _:
            return f"forgotten after {in_words(policy['after'])}"
        case "archive", _:
            return f"segments unused for {in_words(policy['after'])}"
        case "copy", _:
            return f"copied within {in_words(policy['after'])}"
        case _:
            return f"unused for {in_words(policy['after'])}"


def _threshold(policy: Row) -> str:
    return "the threshold" if policy["threshold"] is None else f"{policy['threshold']:g}"


def in_words(span: timedelta) -> str:
    """Return a length of time in its largest whole unit."""
    seconds = span.total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            count = int(seconds // length)
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"
