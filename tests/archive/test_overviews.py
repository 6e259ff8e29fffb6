"""What looks at all memories sees archived ones too: the doctor, costs, BI, what a move is called."""

from pathlib import Path

import pytest
from psycopg.errors import Error

from engine.archive.exporting import export_step
from tests.archive.exports import key_id, plant
from tests.conftest import Connection
from tests.support.archives import opened


async def test_n7_views_and_checks_know_archived_memories(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    db.execute("select mnemo.create_collection('words')")
    # So many that the doctor would call a count astray that leaves the archived ones out.
    db.execute(
        "select mnemo.remember('tea number ' || n, key => 'w' || n, collection => 'words', tier => 'cold')"
        " from generate_series(1, 300) n"
    )
    mean = "select mnemo.mean_memory_bytes()"
    cost = "select tier, memories from mnemo.monthly_cost(bytes => 1000) where memories > 0 order by 1"
    before = db.execute(mean).fetchone()
    async with opened(small_dsn, tmp_path) as (_, session):
        assert await export_step(session, 2) is not None
    db.execute("select mnemo.remember('one that stays', key => 'here', collection => 'words')")
    db.execute("select mnemo.forget(k.id) from mnemo.memory_key k where k.key ~ '^w[12]..$'")
    db.execute("select mnemo.fold_terms_step('{}')")

    assert db.execute(cost).fetchall() == [("archive", 100), ("hot", 1), ("total", 101)]
    assert db.execute(mean).fetchone() == before
    stats = "select tier, memories from mnemo.tier_stats where memories > 0 order by 1"
    assert db.execute(stats).fetchall() == [("archive", 100), ("hot", 1)]
    facts = "select tier, count(*), count(content_bytes) from mnemo.bi_memories group by 1 order by 1"
    assert db.execute(facts).fetchall() == [("archive", 100, 0), ("hot", 1, 1)]
    (finding,) = db.execute("select f.status, f.detail from mnemo.doctor_corpus() f").fetchall()
    assert finding[0] == "ok", finding
    with pytest.raises(Error, match="archived; mnemo restore brings it back"):
        db.execute("select mnemo.pin(%s)", (key_id(db, "w5"),))


@pytest.mark.parametrize(("announced", "told"), [(False, (None, "called")), (True, ("idle", "idle"))])
async def test_an_export_says_who_asked_for_it(
    db: Connection, small_dsn: str, tmp_path: Path, announced: bool, told: tuple[str | None, str]
) -> None:
    plant(db, 3)
    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    db.execute("select mnemo.seal_segment()")
    if announced:
        db.execute("update mnemo.segment set announced_at = mnemo.now() where state = 'sealed'")
    async with opened(small_dsn, tmp_path) as (_, session):
        assert await export_step(session, 2) is not None
    moves = db.execute("select distinct policy, reason from mnemo.move_log where to_tier = 'archive'")
    assert moves.fetchall() == [told]
