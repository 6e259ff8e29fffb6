"""Memories that come back from objects: counted right, whatever was known of them before."""

from pathlib import Path

import pytest

from engine.archive.exporting import export_step
from engine.archive.restoring import restore_segment, restore_step
from tests.archive.copies import session_on
from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.quotas.conftest import BITS

_RECOUNT = "select memories, bytes from mnemo.recount_usage(%s)"
_USED = "select tenant, memories, bytes from mnemo.tenant_usage order by 1"


def plant(db: Connection, tenants: tuple[str, ...] = ("a", "b", "c")) -> None:
    """Write two memories for each tenant: a hypervector, 15 bytes of content, no attributes."""
    for tenant in tenants:
        db.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
        db.execute(
            "select mnemo.remember('some text no. ' || n, mnemo.random_hypervector(n::text), tier => 'cold')"
            " from generate_series(1, 2) n"
        )
    db.execute("select set_config('mnemo.tenant', '', false)")


@pytest.mark.parametrize("whole", [True, False], ids=["a segment", "single ones"])
async def test_what_was_archived_before_quotas_counts_whole_once_it_is_back(
    db: Connection, narrow: str, tmp_path: Path, whole: bool
) -> None:
    plant(db)
    async with session_on(narrow, tmp_path) as session:
        await export_step(session, value(db, "select mnemo.segment_of_tier('cold')"))
        # As revision 0004 left them.
        db.execute("update mnemo.archived_memory set object_bytes = %s", [BITS // 8])
        # No limit keeps back what was stored already.
        db.execute("select mnemo.set_quota(t, memories => 0, bytes => 0) from unnest('{a,b}'::text[]) t")
        known = 2 * (BITS // 8 + len("{}"))
        assert db.execute(_USED).fetchall() == [("a", 2, known), ("b", 2, known)]
        if whole:
            segment = value(db, "select min(segment) from mnemo.archive")
            assert await restore_segment(session, segment, "warm") == 6
        else:
            db.execute(
                "insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)"
                " select bucket, id, 'warm', 'called', mnemo.now() from mnemo.archived_memory"
            )
            while await restore_step(session):
                pass
    stored = known + 2 * len("some text no. 1")
    assert db.execute(_USED).fetchall() == [("a", 2, stored), ("b", 2, stored)]
    for tenant in ("a", "b"):
        assert db.execute(_RECOUNT, [tenant]).fetchone() == (0, 0)


def test_what_comes_back_from_copies_is_counted_once(db: Connection) -> None:
    plant(db)
    db.execute("select mnemo.set_quota(t, memories => 2) from unnest('{a,b}'::text[]) t")
    before = db.execute(_USED).fetchall()
    with db.transaction():
        db.execute("select mnemo.open_copy_staging()")
        db.execute(
            "insert into pg_temp.copy_staging select m.id, m.tenant, m.collection, m.key, m.context,"
            " m.session, m.occurred_at, m.created_at, m.content, m.attributes, m.encoded, a.ltp, a.ltp_at,"
            " a.last_access, a.access_count, mnemo.content_hash(m), m.embedding, m.hdv, a.tier, a.pinned"
            " from mnemo.memory m join mnemo.activity a using (bucket, id)"
        )
        # A file is lost: of b one memory, of a and c all.
        db.execute("delete from mnemo.memory where tenant <> 'b' or content like '%1'")
        assert db.execute("select from mnemo.restore_copies()").rowcount == 5
    assert db.execute(_USED).fetchall() == before
    for tenant in ("a", "b"):
        assert db.execute(_RECOUNT, [tenant]).fetchone() == (0, 0)
