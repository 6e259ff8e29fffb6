"""Data of a tenant goes to no object store but those that may hold it."""

from pathlib import Path

import psycopg
import pytest

from engine.archive.compacting import compact_step
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_step
from tests.archive.copies import copy_all, manifests, rows_of, session_on
from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.support.invariants import check_invariants

_HERE = "select tenant, count(*) from mnemo.memory group by 1 order by 1"
_THERE = "select tenant, count(*) from mnemo.archived_memory group by 1 order by 1"


def plant(db: Connection, tenant: str, count: int = 5, tier: str = "cold") -> None:
    """Write memories of a tenant whose content names it."""
    db.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
    db.execute(
        "select mnemo.remember(%s || ' remembers ' || n, mnemo.random_hypervector(%s || n), tier => %s)"
        " from generate_series(1, %s) n",
        [tenant, tenant, tier, count],
    )
    db.execute("select set_config('mnemo.tenant', '', false)")


def counts(db: Connection, query: str) -> dict[str, int]:
    return dict(db.execute(query.encode()).fetchall())


def doctor(db: Connection) -> tuple[str, str]:
    row = db.execute("select status, detail from mnemo.doctor_residency()").fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    ("store", "named", "inside"),
    [
        ("s3://eu", "s3://eu", True),
        ("s3://eu/mnemo", "s3://eu/", True),
        ("s3://eu-2", "s3://eu", False),
        ("s3://eu", "s3://eu/mnemo", False),
        ("file:///data/eu/../us", "file:///data/eu", False),
        ("file:///data/eu/x..y", "file:///data/eu", True),
    ],
)
def test_a_store_is_in_the_folders_around_it(db: Connection, store: str, named: str, inside: bool) -> None:
    assert value(db, "select mnemo.store_is_in(%s, array['s3://other', %s])", store, named) is inside


async def test_o9_only_others_leave_for_a_store_that_must_not_hold_a_tenant(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    plant(db, "eu")
    plant(db, "us")
    db.execute("select mnemo.set_residency('eu', '{s3://eu}')")
    async with session_on(narrow, tmp_path) as session:
        report = await export_step(session, value(db, "select mnemo.segment_of_tier('cold')"))
        assert report is not None
        assert report.rows == report.archived == 5
    assert counts(db, _HERE) == {"eu": 5}
    assert counts(db, _THERE) == {"us": 5}
    for path in (tmp_path / "objects").rglob("*"):
        assert not path.is_file() or b"eu remembers" not in path.read_bytes()
    assert doctor(db) == ("ok", "kept in the database, not archived and not copied: 'eu'")
    usage = db.execute("select tenant, stores, held from mnemo.tenant_usage").fetchall()
    assert usage == [("eu", ["s3://eu"], True)]
    check_invariants(db)


async def test_o9_what_is_left_in_a_segment_is_neither_announced_nor_taken_again(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    db.execute("select mnemo.add_archive_policy('idle', '1 day')")
    plant(db, "eu")
    async with session_on(narrow, tmp_path) as session:
        db.execute("select mnemo.set_residency('eu', '{s3://eu}')")
        db.execute("select set_config('mnemo.clock', '2099-01-01', false)")
        assert value(db, "select mnemo.archive_step()") == 0
        db.execute("select set_config('mnemo.clock', '', false)")
        plant(db, "us")
        db.execute("select set_config('mnemo.clock', '2099-01-01', false)")
        db.execute("select mnemo.configure('{\"archive_segment_rows\": 5}')")
        while value(db, "select mnemo.archive_step()"):
            pass
        report = await export_step(session)
        assert report is not None
        assert report.archived == 5
        assert value(db, "select mnemo.archive_step()") == 0
        assert await export_step(session) is None
        with pytest.raises(psycopg.Error, match="holds no memories") as refused:
            db.execute("select mnemo.begin_export('me', 2)")
        assert (
            refused.value.diag.message_detail
            == "It has some of tenants whose data must not be in this store."
        )
    check_invariants(db)


async def test_o9_an_export_that_has_read_a_tenant_is_given_up(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    plant(db, "eu")
    plant(db, "us")
    segment = value(db, "select mnemo.segment_of_tier('cold')")
    async with session_on(narrow, tmp_path) as session:
        begun = value(db, "select attempt from mnemo.begin_export('dead', %s)", segment)
        db.execute("select mnemo.set_residency('eu', '{s3://eu}')")
        with pytest.raises(psycopg.Error) as lost:
            db.execute("select mnemo.require_attempt(%s)", [begun])
        assert lost.value.sqlstate == "MN012"
        assert value(db, "select state from mnemo.segment where segment = %s", segment) == "sealed"
        report = await export_step(session, segment)
        assert report is not None
        assert report.archived == 5
    assert counts(db, _THERE) == {"us": 5}


async def test_o9_what_was_archived_comes_back_and_leaves_the_objects(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    plant(db, "eu")
    plant(db, "us")
    async with session_on(narrow, tmp_path) as session:
        await export_step(session, value(db, "select mnemo.segment_of_tier('cold')"))
        assert counts(db, _THERE) == {"eu": 5, "us": 5}
        db.execute("select mnemo.set_residency('eu', '{s3://eu}')")
        status, detail = doctor(db)
        assert status == "warn"
        assert "of tenant 'eu' 5 memories and 0 dead rows are in file://" in detail
        archived = value(db, "select min(segment) from mnemo.archive")
        with pytest.raises(psycopg.Error) as refused:
            db.execute("select mnemo.begin_compaction('me', array[%s::int])", [archived])
        assert refused.value.sqlstate == "MN014"
        while await restore_step(session):
            pass
        assert counts(db, _THERE) == {"us": 5}
        assert counts(db, _HERE) == {"eu": 5}
        assert "0 memories and 5 dead rows" in doctor(db)[1]
        assert await compact_step(session)
        assert doctor(db)[0] == "ok"
        kept = value(db, "select array_agg(key) from mnemo.object where state = 'stored'")
    for key in kept:
        assert b"eu remembers" not in (tmp_path / "objects" / key).read_bytes()
    check_invariants(db)


async def test_o9_copies_are_made_of_others_only_and_anew_without_what_they_had(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    async with session_on(narrow, tmp_path) as session:
        db.execute("select mnemo.add_copy_policy('copies')")
        plant(db, "eu", tier="hot")
        plant(db, "us", tier="hot")
        db.execute("select mnemo.queue_backlog()")
        await copy_all(session)
        before = {
            row["tenant"] for m in await manifests(session.store) for row in await rows_of(session.store, m)
        }
        assert before == {"eu", "us"}
        db.execute("select mnemo.set_residency('eu', '{s3://eu}')")
        assert value(db, "select count(*) from mnemo.copy") == 0
        plant(db, "eu", 1, tier="hot")
        while value(db, "select mnemo.queue_backlog()"):
            pass
        await copy_all(session)
        kept = {row[0] for row in db.execute("select rows_key from mnemo.copy").fetchall()}
        copied = [
            row["tenant"]
            for m in await manifests(session.store)
            if m["objects"]["rows"]["key"] in kept
            for row in await rows_of(session.store, m)
        ]
        assert copied == ["us"] * 5
        # Allowed again, it is copied, old and new.
        db.execute("select mnemo.remove_residency('eu')")
        await copy_all(session)
        assert value(db, "select sum(rows) from mnemo.copy") == 11


async def test_o9_an_archive_does_not_move_to_a_store_that_must_not_hold_it(
    db: Connection, narrow: str, tmp_path: Path
) -> None:
    plant(db, "eu")
    db.execute("select mnemo.set_residency('eu', array['s3://eu', %s])", [(tmp_path / "objects").as_uri()])
    async with session_on(narrow, tmp_path) as session:
        await export_step(session, value(db, "select mnemo.segment_of_tier('cold')"))
    assert counts(db, _THERE) == {"eu": 5}
    with pytest.raises(psycopg.Error, match="data of tenant 'eu' must not be in 's3://us'") as refused:
        db.execute("select mnemo.attach_store('s3://us', true)")
    assert refused.value.sqlstate == "MN014"
    db.execute("select mnemo.attach_store('s3://eu/archive', true)")
    assert value(db, "select held from mnemo.residency") is False
