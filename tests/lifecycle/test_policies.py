"""N5, O2, O6: policies are added, altered and removed, each change explained; what is wrong is refused."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.lifecycle.model import DAY, HOUR
from tests.lifecycle.world import World, vector
from tests.support.memories import Draft

ADD: dict[str, LiteralString] = {
    "tier": "add_tier_policy('p', 'hot', 'cold', 'idle', after => '2 days', collection => 'facts')",
    "promotion": "add_promotion_policy('p', 'cold', 'hot', 'accesses', accesses => 5, collection => 'facts')",
    "eviction": "add_eviction_policy('p', 'warm', 'cold', capacity_bytes => 1000000, rule => 'lfu')",
    "ttl": "add_ttl_policy('p', '90 days', tier => 'cold')",
    "archive": "add_archive_policy('p', '45 days')",
    "copy": "add_copy_policy('p', '2 minutes')",
}
ALTER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tier": ({"after": "3 hours"}, {"after": "03:00:00"}),
    "promotion": ({"within": "1 hour", "accesses": 10}, {"within": "01:00:00", "accesses": 10}),
    "eviction": ({"rule": "fifo", "capacity_rows": 7}, {"rule": "fifo", "capacity_rows": 7}),
    "ttl": ({"tier": None, "enabled": False}, {"tier": None, "enabled": False}),
    "archive": ({"after": "1 day"}, {"after": "1 day"}),
    "copy": ({"after": "1 hour", "enabled": False}, {"after": "01:00:00", "enabled": False}),
}


def kept(w: World) -> list[Any]:
    """Return all that a refused call must leave as it was."""
    tables = ("policy", "policy_change", "setting", "tier", "job", "stale_deadline")
    statement = SQL("select * from mnemo.{} order by 1")
    return [w.connection.execute(statement.format(Identifier(t))).fetchall() for t in tables]


def row(w: World, name: str = "p") -> dict[str, Any] | None:
    found: dict[str, Any] | None = w.do(
        "select to_jsonb(p) - 'created_at' from mnemo.policy p where name = %s", name
    )
    return found


@pytest.mark.parametrize("kind", ADD)
def test_n5_every_change_is_in_the_history(small_world: World, kind: str) -> None:
    w = small_world
    w.do("select mnemo.create_collection('facts')")
    states: list[dict[str, Any] | None] = [None]
    calls = [
        f"mnemo.{ADD[kind][:-1]}, reason => 'first')",
        f"mnemo.alter_{kind}_policy('p', '{json.dumps(ALTER[kind][0])}', 'second')",
        f"mnemo.remove_{kind}_policy('p', 'third')",
    ]
    changes = []
    for call in calls:
        w.pass_time(HOUR)
        changes.append(w.connection.execute(f"select {call}".encode()).fetchone())
        states.append(row(w))
    first, second = states[1], states[2]
    assert first is not None
    assert (first["kind"], first["enabled"]) == (kind, True)
    assert second == first | ALTER[kind][1]
    assert states[3] is None
    history = w.connection.execute(
        "select change, extract(epoch from mnemo.now() - at)::int / 3600, before, after, reason"
        " from mnemo.policy_change where policy = 'p' order by change"
    ).fetchall()
    assert history == [
        (changes[n][0], 2 - n, states[n], states[n + 1], reason)  # type: ignore[index]
        for n, reason in enumerate(["first", "second", "third"])
    ]


REFUSED: list[LiteralString] = [
    # Numbers out of range.
    "add_eviction_policy('p', 'warm', 'cold', 0)",
    "alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 0}')",
    "alter_eviction_policy('hot-capacity', '{\"capacity_bytes\": -5}')",
    "alter_eviction_policy('hot-capacity', '{\"capacity_rows\": null}')",
    "add_ttl_policy('p', '-1 day')",
    "add_ttl_policy('p', '2000 years')",
    "add_ttl_policy('p', 'infinity')",
    "add_ttl_policy('p', null)",
    "alter_tier_policy('hot-decay', '{\"minimum_stay\": \"-1 hour\"}')",
    "alter_tier_policy('hot-decay', '{\"minimum_stay\": null}')",
    "alter_tier_policy('hot-decay', '{\"threshold\": 1.5}')",
    "alter_tier_policy('hot-decay', '{\"threshold\": \"NaN\"}')",
    "add_promotion_policy('p', 'cold', 'hot', 'accesses')",
    "add_promotion_policy('p', 'cold', 'hot', 'accesses', accesses => 0, collection => 'facts')",
    "configure('{\"half_life_days\": -3}')",
    # Thresholds that would move memories to and fro.
    "configure('{\"hot_threshold\": 0.2}')",
    "alter_tier_policy('hot-decay', '{\"threshold\": 0.3}')",
    "add_tier_policy('p', 'warm', 'cold', threshold => 0.75, collection => 'facts')",
    "alter_promotion_policy('warm-promotion', '{\"threshold\": 0.6}')",
    "add_tier_policy('p', 'hot', 'warm', threshold => 0.8, collection => 'facts')",
    # Names of nothing, and places that are taken.
    "alter_tier_policy('none', '{}')",
    "alter_ttl_policy('hot-decay', '{}')",
    "remove_eviction_policy('warm-decay')",
    "remove_archive_policy(null)",
    "apply_preset('lavish')",
    "add_tier_policy('p', 'tepid', 'cold')",
    "add_eviction_policy('p', 'warm', 'icy', 10)",
    "add_ttl_policy('p', '1 day', 'nothing')",
    "add_ttl_policy('hot-decay', '1 day')",
    "add_ttl_policy(null, '1 day')",
    "add_ttl_policy('a b', '1 day')",
    "add_eviction_policy('p', 'hot', 'cold', 10)",
    # Ways that lead nowhere.
    "add_tier_policy('p', 'cold', 'hot')",
    "add_tier_policy('p', null, 'warm')",
    "add_eviction_policy('p', 'warm', null, 10)",
    "add_promotion_policy('p', 'hot', 'hot', collection => 'facts')",
    "add_tier_policy('p', 'hot', 'warm', 'lru', collection => 'facts')",
    "add_tier_policy('p', 'hot', 'warm', 'ltp', after => '1 day', collection => 'facts')",
    # Settings that a policy of this kind does not have, or that are not of their type.
    "alter_tier_policy('hot-decay', '{\"colour\": 1}')",
    "alter_tier_policy('hot-decay', '{\"capacity_rows\": 1}')",
    "alter_tier_policy('hot-decay', '{\"kind\": \"ttl\"}')",
    "alter_tier_policy('hot-decay', '{\"threshold\": \"high\"}')",
    'alter_tier_policy(\'hot-decay\', \'{"rule": "idle", "after": "soon"}\')',
    "alter_tier_policy('hot-decay', '[1]')",
    "alter_tier_policy('hot-decay', null)",
]


def test_n5_what_is_wrong_is_named_and_nothing_changes(
    small_world: World, golden: Callable[[str, str], None]
) -> None:
    w = small_world
    w.do("select mnemo.create_collection('facts')")
    before = kept(w)
    told = []
    for call in REFUSED:
        with pytest.raises(psycopg.Error) as refused:
            w.connection.execute(f"select mnemo.{call}".encode())
        told.append(f"{call}\n    {refused.value.sqlstate} {refused.value.diag.message_primary}")
    assert kept(w) == before
    golden("policy_refusals.txt", "\n".join(told))


def test_n5_how_a_session_writes_numbers_does_not_matter(small_world: World) -> None:
    w = small_world
    before = row(w, "hot-decay")
    settings = json.dumps({"minimum_stay": "1 day 2 hours", "threshold": 0.6123456789012345})
    w.connection.execute("set extra_float_digits = -3")
    change = w.do("select mnemo.alter_tier_policy('hot-decay', %s)", settings)
    w.connection.execute("set intervalstyle = 'iso_8601'")
    undo = w.do("select mnemo.revert_policy_change(%s)", change)
    w.connection.execute("reset extra_float_digits; set intervalstyle = 'sql_standard'")
    again = w.do("select mnemo.revert_policy_change(%s)", undo)
    assert w.do("select threshold from mnemo.policy where name = 'hot-decay'") == 0.6123456789012345
    w.connection.execute("reset intervalstyle")
    w.do("select mnemo.revert_policy_change(%s)", again)
    assert row(w, "hot-decay") == before


def test_n5_thresholds_that_agree_are_taken(small_world: World) -> None:
    """A rule of one collection is measured against those that hold for it, and not against others."""
    w = small_world
    w.do("select mnemo.create_collection('facts')")
    w.do("select mnemo.add_promotion_policy('up', 'warm', 'hot', threshold => 0.9, collection => 'facts')")
    w.do("select mnemo.add_tier_policy('stay', 'hot', 'warm', threshold => 0.9, collection => 'facts')")
    w.do("select mnemo.alter_promotion_policy('warm-promotion', '{\"threshold\": 0.8}')")
    w.do('select mnemo.configure(\'{"hot_threshold": 0.2, "warm_threshold": 0.1}\')')


def test_h3_changed_rules_reach_every_memory(small_world: World) -> None:
    """The next consolidation makes all deadlines follow changed thresholds, half-life and policies."""
    w = small_world
    rng = w.rng
    w.remember([
        Draft("x", vector(rng), tier=rng.choice(["hot", "warm"]), importance=rng.uniform(0.75, 1),
              pinned=rng.random() < 0.1)
        for _ in range(60)
    ])  # fmt: skip
    for settings in ({"half_life_days": 3}, {"hot_threshold": 0.74, "warm_threshold": 0.01}):
        w.do("select mnemo.configure(%s)", json.dumps(settings))
        w.model.half_life = 3 * DAY
        if "hot_threshold" in settings:
            w.model.leaves_below |= {"hot": 0.74, "warm": 0.01}
        w.pass_time(HOUR)
        w.consolidate()
        w.compare()
    w.do("select mnemo.alter_tier_policy('hot-decay', '{\"enabled\": false}')")
    w.model.remove("hot-decay")
    w.pass_time(30 * DAY)
    w.consolidate()
    w.compare()
    assert w.do("select count(*) from mnemo.activity where tier = 'hot' and due_at is not null") == 0


def test_h3_changed_rules_reach_what_was_being_written_by_the_old_ones(dsn: str) -> None:
    due = (
        "select leaves_tier_at = mnemo.leaves_tier_at(ltp, ltp_at, 0.6, mnemo.half_life())"
        " from mnemo.activity"
    )
    with psycopg.connect(dsn) as writer, psycopg.connect(dsn, autocommit=True) as other:
        writer.execute("select mnemo.remember('by the rules of now')")
        other.execute("select mnemo.alter_tier_policy('hot-decay', '{\"threshold\": 0.6}')")
        # Ends although the writer is still at work: it does not wait for it.
        other.execute("call mnemo.consolidate()")
        writer.commit()
        assert other.execute(due).fetchall() == [(False,)]
        other.execute("call mnemo.consolidate()")
        assert other.execute(due).fetchall() == [(True,)]
        assert other.execute("select * from mnemo.stale_deadline").fetchall() == []


def test_o6_presets(small_world: World) -> None:
    w = small_world
    for preset, megabytes, pace, days in (
        ("conservative", 500, timedelta(minutes=10), 90),
        ("moderate", 200, timedelta(minutes=5), 30),
        ("aggressive", 100, timedelta(minutes=1), 7),
    ):
        w.do("select mnemo.apply_preset(%s)", preset)
        found = w.connection.execute(
            "select capacity_bytes, capacity_rows, (select every from mnemo.job where name = 'consolidate'),"
            " mnemo.setting('prune_after_days'),"
            " (select reason from mnemo.policy_change order by change desc limit 1)"
            " from mnemo.policy where name = 'hot-capacity'"
        ).fetchone()
        assert found == (megabytes * 2**20, None, pace, days, f"preset {preset}")
