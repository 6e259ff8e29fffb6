"""X6, H2: what is exported is where it was or in the archive, once, byte for byte, whoever meddles."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import numpy as np
import psycopg
import pytest

from engine import Memory
from engine.archive import ObjectInfo, ObjectStore
from engine.archive.attempts import under_way
from engine.archive.exporting import export_step
from engine.archive.session import ArchiveSession
from engine.errors import LeaseLost, UnknownName
from engine.hypervector import random_hypervector
from engine.memory import MemoryId
from tests.archive.exports import at, elsewhere, expire, halted, key_id, places, plant
from tests.archive.invariants import check, everything
from tests.conftest import Connection
from tests.support.archives import keys_in, opened
from tests.support.locks import sessions

_KEYS: LiteralString = "hashtext('mnemo.injection_point'), hashtext(%s)"
_ID: LiteralString = "(select k.id from mnemo.memory_key k where k.key = %s)"
_STATE: LiteralString = "select s.state from mnemo.segment s where s.segment = 2"


async def test_x6_an_export_takes_all_but_the_pinned(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    async with opened(small_dsn, tmp_path) as (mnemo, session):
        await mnemo.create_collection("vectors", dimension=8)
        plant(db)
        for moment in ("0001-06-01", "9998-12-31 12:34:56.789012"):
            remember = "select mnemo.remember('at ' || %s, tier => 'cold', occurred_at => %s::timestamptz)"
            db.execute(remember, (moment, moment))
        texts = ["a", "ünïcode \U0001f9e0 \u200d", "x" * 30_000, "line\nline\t"]
        await mnemo.remember_many(
            [Memory(text, tier="cold", embedding=rng.normal(size=8)) for text in texts], collection="vectors"
        )
        db.execute("set mnemo.tenant = 'another'")
        plant(db, 5, tier="warm")
        plant(db, 15)
        db.execute("set mnemo.tenant = 'default'")
        before = await check(db, session.store)
        question = random_hypervector("h3", mnemo.bits)
        hits = await mnemo.search(question, k=20, exact=True)
        report = await export_step(session, 2)
        after = await check(db, session.store)
        assert elsewhere(after) == elsewhere(before)
        # The same answers, from the objects.
        found = await mnemo.search(question, k=20, exact=True, archive=True)
        assert [(h.memory_id, h.distance, h.content) for h in found] == [
            (h.memory_id, h.distance, h.content) for h in hits
        ]
        assert {h.tier for h in found} >= {"archive", "cold"}
        assert not any(h.estimated for h in found)
        pinned = {f"k{n}" for n in range(0, 40, 10)}
        moved = {i for i, m in before.items() if m.place == "cold" and m.key not in pinned}
        assert {i for i, m in after.items() if m.place == "archive"} == moved
        assert report is not None
        assert (report.segment, report.rows, report.archived) == (2, len(moved), len(moved))
        sizes = db.execute("select sum(bytes), count(*) from mnemo.object where state = 'stored'").fetchone()
        assert sizes == (report.object_bytes, 3)
        # The pinned ones stay in a sealed segment; new ones go to another.
        assert db.execute(_STATE).fetchone() == ("sealed",)
        moves = "select count(*), min(from_tier), min(to_tier) from mnemo.move_log where segment > 1000000"
        assert db.execute(moves).fetchone() == (len(moved), "cold", "archive")
        with pytest.raises(UnknownName):
            await export_step(session, 2)
        plant(db, 60)
        assert places(await check(db, session.store))["k59"] == "cold"


@pytest.mark.parametrize(
    "point",
    ["export.begun", "archive.objects_noted", "archive.objects_stored", "export.copied", "export.indexed"],
)
async def test_x6_what_changes_meanwhile_stays(
    db: Connection, small_dsn: str, tmp_path: Path, point: str
) -> None:
    plant(db)
    async with opened(small_dsn, tmp_path) as (_, session):
        before = await everything(db, session.store)
        ids = {memory.key: memory_id for memory_id, memory in before.items()}
        async with halted(db, small_dsn, tmp_path, point) as task:
            db.execute(f"select mnemo.forget({_ID})", ["k1"])
            db.execute(f"select mnemo.set_attributes({_ID}, '{{\"new\": true}}')", ["k2"])
            db.execute(_REWRITE)
            db.execute(f"select mnemo.reinforce({_ID})", ["k4"])
            db.execute(f"select mnemo.pin({_ID})", ["k5"])
            db.execute(f"select mnemo.promote(array[{_ID}], 'warm')", ["k6"])
            db.execute(f"select mnemo.pin({_ID}, false)", ["k10"])
            db.execute(
                "insert into mnemo.access_log (at, memory_ids) select mnemo.now(), array[%s]", [ids["k7"]]
            )
            db.execute("select mnemo.fold_accesses()")
        report = task.result()
        after = await check(db, session.store)
        expected = elsewhere(before)
        del expected[ids["k1"]]
        expected[ids["k2"]] = replace(expected[ids["k2"]], attributes={"new": True})
        rewritten = after[ids["k3"]]
        assert (rewritten.content, rewritten.attributes) == ("rewritten", {})
        expected[ids["k3"]] = replace(rewritten, place="")
        assert elsewhere(after) == expected
        stay = {"k0", "k2", "k3", "k5", "k6", "k10", "k20", "k30"}
        if point == "export.begun":
            # Read afterwards, they went as they are by then.
            stay -= {"k2", "k3", "k10"}
        elif point in ("export.copied", "export.indexed"):
            # Used after their strength was taken along.
            stay |= {"k4", "k7"}
        assert {key for key, place in places(after).items() if place != "archive"} == stay
        assert report is not None
        assert report.archived == len(after) - len(stay)
        dead = "select count(*), min(reason) from mnemo.tombstone"
        assert db.execute(dead).fetchone() == (
            report.rows - report.archived,
            "changed" if report.rows > report.archived else None,
        )


@pytest.mark.parametrize("point", ["export.locked", "export.rows_deleted", "export.attached"])
async def test_x6_who_comes_late_finds_the_archived_memory(
    db: Connection, small_dsn: str, tmp_path: Path, point: str
) -> None:
    plant(db)
    async with opened(small_dsn, tmp_path) as (_, session):
        before = await everything(db, session.store)
        ids = {memory.key: memory_id for memory_id, memory in before.items()}
        with sessions(small_dsn, 5) as others:
            async with halted(db, small_dsn, tmp_path, point) as task:
                waiting = [
                    await asyncio.to_thread(other.start, statement, ids[key])
                    for other, (key, statement) in zip(others, _LATE, strict=True)
                ]
            await asyncio.to_thread(lambda: [future.exception() for future in waiting])
            for other in others:
                other.commit()
        report = task.result()
        assert report is not None
        assert report.archived == report.rows == 36
        for future in waiting[3:]:
            error = future.exception()
            assert isinstance(error, psycopg.Error)
            assert error.sqlstate == "MN013"
        after = await check(db, session.store)
        expected = elsewhere(before)
        del expected[ids["k1"]]
        expected[ids["k2"]] = replace(expected[ids["k2"]], attributes={"new": True})
        expected[ids["k3"]] = replace(after[ids["k3"]], place="")
        assert elsewhere(after) == expected
        assert after[ids["k3"]].content == "rewritten"
        assert places(after)["k2"] == places(after)["k4"] == places(after)["k5"] == "archive"
        dead = "select reason, id from mnemo.tombstone order by reason"
        assert db.execute(dead).fetchall() == [("forgotten", ids["k1"]), ("rewritten", ids["k3"])]


_REWRITE: LiteralString = (
    "select mnemo.remember('rewritten', mnemo.random_hypervector('r'), key => 'k3', tier => 'cold')"
)
_LATE: list[tuple[str, LiteralString]] = [
    ("k1", "select mnemo.forget(%s)"),
    ("k2", "select mnemo.set_attributes(%s, '{\"new\": true}')"),
    ("k3", f"{_REWRITE} where %s::uuid is not null"),
    ("k4", "select mnemo.reinforce(%s)"),
    ("k5", "select mnemo.pin(%s)"),
]


async def test_workers_share_the_segments(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    for _ in range(3):
        plant(db, 12)
        db.execute("select mnemo.seal_segment()")
        db.execute("update mnemo.memory_key set key = 'old ' || id where key not like 'old%'")
        db.execute("update mnemo.memory set key = 'old ' || id where key not like 'old%'")
    db.execute("update mnemo.segment set announced_at = now() where state = 'sealed'")
    async with opened(small_dsn, tmp_path, "one") as (_, one), opened(small_dsn, tmp_path, "two") as (_, two):
        before = await everything(db, one.store)

        async def work(session: ArchiveSession) -> int:
            done = 0
            while (report := await export_step(session)) is not None:
                done += report.archived
            return done

        assert sum(await asyncio.gather(work(one), work(two), work(one))) == 30
        assert elsewhere(await check(db, one.store)) == elsewhere(before)
        states = (
            "select tier, state, count(*) from mnemo.segment where segment > 1 group by 1, 2 order by 1, 2"
        )
        found = db.execute(states).fetchall()
        assert found == [("archive", "archived", 3), ("cold", "open", 1), ("cold", "sealed", 3)]


async def test_an_abandoned_export_is_resumed(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    plant(db)
    async with opened(small_dsn, tmp_path) as (_, session), opened(small_dsn, tmp_path, "next") as (_, heir):
        before = await everything(db, session.store)
        async with halted(db, small_dsn, tmp_path, "export.copied") as task:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            task.result()
        assert db.execute(_STATE).fetchone() == ("exporting",)
        written = keys_in(tmp_path)
        # Let go of by who was told to stop, it needs no wait; what was written is used again.
        report = await export_step(heir, 2)
        assert report is not None
        assert report.archived == 36
        assert keys_in(tmp_path) >= written
        assert elsewhere(await check(db, session.store)) == elsewhere(before)
        row = db.execute("select count(*) from mnemo.object where state = 'stored'").fetchone()
        assert row == (3,)


class Slow:
    """A store whose `head` waits until it may go on."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def head(self, key: str) -> ObjectInfo | None:
        self.reached.set()
        await self.go_on.wait()
        return await self._store.head(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_who_lost_an_export_stops(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    plant(db)
    async with opened(small_dsn, tmp_path) as (_, session), opened(small_dsn, tmp_path, "next") as (_, heir):
        before = await everything(db, session.store)
        slow = Slow(session.store)
        session.store = cast(ObjectStore, slow)
        task = asyncio.create_task(export_step(session, 2))
        await slow.reached.wait()
        # Thought dead, it only waits for the store.
        expire(db)
        other = await export_step(heir, 2)
        slow.go_on.set()
        late = await task
        assert other is not None
        assert other.archived == 36
        assert late is not None
        assert late.archived == 0
        assert elsewhere(await check(db, session.store)) == elsewhere(before)
        with pytest.raises(LeaseLost):
            async with under_way(session, UUID(int=1)) as attempt:
                await attempt.store([])


async def test_nothing_to_export_is_no_archive(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    plant(db, 5)
    async with opened(small_dsn, tmp_path) as (_, session):
        async with halted(db, small_dsn, tmp_path, "export.begun") as task:
            db.execute("select mnemo.forget(id) from mnemo.activity where not pinned")
        report = task.result()
        assert report is not None
        assert (report.rows, report.archived) == (0, 0)
        assert places(await check(db, session.store)) == {"k0": "cold"}
        assert db.execute(_STATE).fetchone() == ("sealed",)


async def test_h2_the_policy_exports_what_is_idle(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    plant_at = at(small_dsn, mnemo_clock="2030-01-01T00:00:00Z")
    with psycopg.connect(plant_at, autocommit=True) as then:
        then.execute("select mnemo.add_archive_policy('idle', '30 days')")
        plant(then, 20)

    async def archived_on(day: str) -> int:
        async with opened(at(small_dsn, mnemo_clock=day), tmp_path) as (mnemo, session):
            done = await mnemo.archive()
            in_archive = list(places(await check(db, session.store)).values()).count("archive")
            assert done.memories == in_archive
            if day == "2030-01-30":
                await mnemo.reinforce(MemoryId(key_id(db, "k3")))
            return in_archive

    # Sealed a week after, then idle for 30 days but for one memory, whose 30 days begin on January 30.
    days = ["2030-01-02", "2030-01-09", "2030-01-30", "2030-02-02", "2030-02-28", "2030-03-02"]
    assert [await archived_on(day) for day in days] == [0, 0, 0, 0, 0, 18]
    with psycopg.connect(small_dsn) as now:
        now.execute("set mnemo.clock = '2030-03-02'")
        reasons = now.execute("select policy, reason, count(*) from mnemo.move_log group by 1, 2").fetchall()
        assert reasons == [("idle", "idle", 18)]
