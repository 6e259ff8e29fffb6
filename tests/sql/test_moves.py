"""H3, H5: strength by the closed form, pins, and moves between tiers by id."""

import math
from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest

from tests.conftest import Connection
from tests.support.memories import Draft, bit_text, remember_all

DAY = 86_400
HALF_LIFE = 30 * DAY
START = 1_900_000_000


def vector(n: int) -> Any:
    return np.random.default_rng(n).integers(0, 256, 128, np.uint8)


def clock(connection: Connection, seconds: float) -> None:
    connection.execute("select set_config('mnemo.clock', to_timestamp(%s)::text, false)", [START + seconds])


def one(connection: Connection, query: LiteralString, *arguments: Any) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def decayed(strength: float, seconds: float) -> float:
    return float(np.float32(strength)) * math.exp2(-max(seconds, 0) / HALF_LIFE)


@pytest.mark.parametrize("importance", [0.0, 0.3, 0.7, 0.8, 1.0])
def test_h3_strength_decays_and_grows_by_the_closed_form(small: Connection, importance: float) -> None:
    clock(small, 0)
    memory = one(
        small, "select mnemo.remember('x', %s::varbit, importance => %s)", bit_text(vector(1)), importance
    )
    strength, at = importance, 0.0
    for count, step in enumerate([0, 1, 3_600, DAY, HALF_LIFE, 10 * HALF_LIFE], 1):
        clock(small, at + step)
        expected = decayed(strength, step)
        assert one(small, "select mnemo.strength(%s)", memory) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        strength = expected + (1 - expected) * 0.1
        assert one(small, "select mnemo.reinforce(%s)", memory) == pytest.approx(strength, rel=1e-6)
        at += step
        kept = one(
            small,
            "select access_count, last_access = mnemo.now(), ltp_at = mnemo.now(),"
            " extract(epoch from leaves_tier_at)::float8,"
            " due_at <= greatest(leaves_tier_at, entered_tier_at + interval '1 hour') from mnemo.activity",
        )
        leaves = START + at + HALF_LIFE * max(math.log2(strength / 0.7), 0)
        assert kept == (count, True, True, pytest.approx(leaves, abs=60), True)
        assert 0 <= strength <= 1


def test_h3_leaves_its_tier_when_strength_meets_the_threshold(small: Connection) -> None:
    """At leaves_tier_at the strength is the tier's threshold; nothing leaves cold by decay."""
    clock(small, 0)
    for tier, threshold in (("hot", 0.7), ("warm", 0.3), ("cold", None)):
        memory = one(
            small,
            "select mnemo.remember('x', %s::varbit, tier => %s, importance => 0.9)",
            bit_text(vector(1)),
            tier,
        )
        leaves = one(
            small,
            "select extract(epoch from leaves_tier_at)::float8 from mnemo.activity where id = %s",
            memory,
        )
        assert (leaves is None) == (threshold is None)
        if threshold is not None:
            assert decayed(0.9, leaves - START) == pytest.approx(threshold, rel=1e-5)


def place(connection: Connection, ids: Sequence[UUID]) -> list[str]:
    rows: dict[UUID, str] = dict(connection.execute("select id, tier from mnemo.memories").fetchall())
    return [rows[memory] for memory in ids]


@pytest.fixture
def placed(small: Connection) -> list[UUID]:
    """One memory in each tier, and a pinned one in hot."""
    clock(small, 0)
    tiers = [("hot", False), ("warm", False), ("cold", False), ("hot", True)]
    return remember_all(
        small, [Draft(str(n), vector(n), tier=tier, pinned=pin) for n, (tier, pin) in enumerate(tiers)]
    )


def test_h3_promote_and_demote_move_what_is_asked(small: Connection, placed: list[UUID]) -> None:
    clock(small, DAY)
    assert one(small, "select mnemo.demote(%s, 'cold')", placed) == 2
    assert place(small, placed) == ["cold", "cold", "cold", "hot"]
    assert one(small, "select mnemo.demote(%s, 'cold')", placed) == 0
    assert one(small, "select mnemo.promote(%s)", [*placed[:2], placed[0]]) == 2
    assert place(small, placed) == ["hot", "hot", "cold", "hot"]
    assert one(small, "select mnemo.promote(%s)", []) == 0
    assert one(small, "select mnemo.promote(null)") == 0
    # Strength is untouched; the clock of the tier starts again.
    assert one(small, "select mnemo.strength(%s)", placed[0]) == pytest.approx(decayed(0.8, DAY), rel=1e-6)
    assert one(
        small,
        "select bool_and(entered_tier_at = mnemo.now()) from mnemo.activity where id = any (%s)",
        placed[:2],
    )
    for n, memory in enumerate(placed):
        assert small.execute(
            "select memory_id, tier from mnemo.search(%s::varbit, 1)", [bit_text(vector(n))]
        ).fetchone() == (
            memory,
            place(small, placed)[n],
        )


def test_h3_a_pinned_memory_stays_until_it_is_let_go(small: Connection, placed: list[UUID]) -> None:
    assert one(small, "select mnemo.demote(%s, 'cold')", placed[3:]) == 0
    small.execute("select mnemo.pin(%s, false)", [placed[3]])
    assert one(small, "select mnemo.demote(%s, 'warm')", placed[3:]) == 1
    small.execute("select mnemo.pin(%s)", [placed[3]])
    assert one(small, "select mnemo.promote(%s)", placed[3:]) == 0
    assert place(small, placed) == ["hot", "warm", "cold", "warm"]


def test_h3_moves_refuse_whole(small: Connection, placed: list[UUID]) -> None:
    """Wrong direction, unknown ids, ids of another tenant, unknown tiers: nothing moves."""
    stranger = uuid4()
    small.execute("set mnemo.tenant = 'else'")
    theirs = one(small, "select mnemo.remember('x', %s::varbit, tier => 'cold')", bit_text(vector(9)))
    small.execute("reset mnemo.tenant")
    refusals: list[tuple[LiteralString, list[Any], str, str]] = [
        ("promote(%s, 'cold')", [placed], "MN002", f"cannot promote memory {placed[0]} from hot to cold"),
        ("demote(%s, 'hot')", [[placed[2]]], "MN002", f"cannot demote memory {placed[2]} from cold to hot"),
        ("promote(%s)", [[placed[1], stranger]], "MN005", f"unknown memory {stranger}"),
        ("promote(%s)", [[placed[1], theirs]], "MN005", f"unknown memory {theirs}"),
        ("promote(%s)", [[placed[1], None]], "MN005", "unknown memory null"),
        ("promote(%s, 'tepid')", [placed], "MN007", "unknown tier 'tepid'"),
        ("demote(%s, null)", [placed], "MN007", "unknown tier null"),
        ("pin(%s)", [stranger], "MN005", f"unknown memory {stranger}"),
        ("pin(%s)", [theirs], "MN005", f"unknown memory {theirs}"),
        ("reinforce(%s)", [stranger], "MN005", f"unknown memory {stranger}"),
        ("reinforce(%s)", [theirs], "MN005", f"unknown memory {theirs}"),
        ("reinforce(null)", [], "MN005", "unknown memory null"),
        ("strength(%s)", [theirs], "MN005", f"unknown memory {theirs}"),
        ("set_attributes(%s, '{}')", [theirs], "MN005", f"unknown memory {theirs}"),
        ("set_attributes(%s, '[]')", [placed[0]], "MN002", "attributes must be a JSON object, not array"),
        ("set_attributes(%s, null)", [placed[0]], "MN002", "attributes must be a JSON object, not SQL null"),
    ]
    before = small.execute("select * from mnemo.activity order by id").fetchall()
    for call, arguments, sqlstate, message in refusals:
        with pytest.raises(psycopg.Error) as refused:
            small.execute(f"select mnemo.{call}".encode(), arguments)
        assert (refused.value.sqlstate, refused.value.diag.message_primary) == (sqlstate, message)
    assert small.execute("select * from mnemo.activity order by id").fetchall() == before
