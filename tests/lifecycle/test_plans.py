"""X2: demotion finds its candidates by an index range scan, and use leaves the index alone."""

import re
from collections.abc import Callable

from tests.lifecycle.world import World, vector
from tests.support.memories import Draft

ROWS = 30_000


def test_x2_demotion_candidates_come_from_a_range_of_the_index(
    small_world: World, golden: Callable[[str, str], None]
) -> None:
    """The plan is the one that mnemo.demote_step itself runs, among many rows of which few are due."""
    connection = small_world.connection
    with connection.transaction(force_rollback=True):
        connection.execute(
            "insert into mnemo.activity (bucket, id, segment, tier, tenant, collection, ltp, ltp_at,"
            " entered_tier_at, leaves_tier_at, due_at)"
            " select mnemo.bucket_of(id), id, mod(n, 3), (array['hot', 'warm', 'cold'])[mod(n, 3) + 1],"
            " 'default', 'memories', 1, mnemo.now(), mnemo.now(), mnemo.now() + interval '9 days',"
            " mnemo.now() + case mod(n, 999) when 0 then -1 else n end * interval '1 minute'"
            " from (select n, mnemo.new_id(mod(n, 1024)::smallint) as id from generate_series(1, %s) as n)",
            [ROWS],
        )
        connection.execute("analyze mnemo.activity")
        # Long enough in use for the session to settle on a plan.
        for _ in range(6):
            assert small_world.do("select mnemo.demote_step('warm')") == 0
        told: list[str] = []
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        connection.execute("load 'auto_explain'")
        for setting in ("log_level = notice", "log_min_duration = 0", "log_nested_statements = on"):
            connection.execute(f"set local auto_explain.{setting}".encode())
        assert small_world.do("select mnemo.demote_step('hot')") == ROWS // 999
    (plan,) = [text for text in told if "LockRows" in text and "due_at <=" in text]
    shape = re.sub(r" +\(cost=.*?\)", "", plan[plan.index("Limit") :])
    golden("demotion_plan.txt", shape)


def test_x2_accesses_leave_the_index_alone(small_world: World) -> None:
    """At least 95 of 100 updates by the fold and by reinforce are heap-only."""
    w = small_world
    ids = w.remember([Draft("x", vector(w.rng), importance=0.8) for _ in range(600)])
    w.connection.execute("vacuum analyze mnemo.activity")
    before = w.updates()
    for _ in range(40):
        w.recalled([w.rng.sample(ids, 10)])
        w.pass_time(60_000_000)
        assert w.do("select mnemo.fold_accesses()") == 1
        w.do("select mnemo.reinforce(%s)", w.rng.choice(ids))
    updates, heap_only = (after - was for was, after in zip(before, w.updates(), strict=True))
    assert updates == 40 * 11
    assert heap_only >= 0.95 * updates
