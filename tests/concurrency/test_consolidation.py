"""Everybody against a consolidation stopped on its way: who waits, who does not; no change is lost."""

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from tests.concurrency.consolidating import BULK, DUE, FRESH, MERGE, RECALL, ROWS, WAIT, Stage, seal, stage
from tests.conftest import DatabaseFactory

ALL = DUE + 2 * FRESH
COUNT: LiteralString = "select count(*) - count(distinct id) + count(*) from mnemo.memory"
# Each on a memory of its own, which is due.
CHANGES: dict[str, LiteralString] = {
    "d1": "select mnemo.set_attributes(%s, '{\"set\": true}')",
    "d2": "select mnemo.forget(%s)",
    "d3": "select mnemo.pin(%s)",
    "d4": "select mnemo.reinforce(%s)",
    "d5": "select mnemo.demote(array[%s]::uuid[], 'cold')",
    "d6": "select mnemo.remember('again', mnemo.random_hypervector('again'), key => 'd6') = %s",
    "w1": "select mnemo.promote(array[%s]::uuid[], 'hot')",
}
NEW: LiteralString = "select mnemo.remember('new', mnemo.random_hypervector('new'), key => 'new') <> %s"


def check_changed(made: Stage) -> None:
    """Fail where one of CHANGES was lost."""
    found = {
        key: rest
        for key, *rest in made.db.execute(
            "select m.key, m.content, m.attributes, a.pinned, a.access_count"
            " from mnemo.memory m join mnemo.activity a using (bucket, id)"
        )
    }
    assert found["d1"][1] == {"set": True}
    assert "d2" not in found
    assert found["d3"][2]
    assert found["d4"][3] == 1
    assert found["d6"][0] == "again"
    assert found["new"][0] == "new"
    assert len(found) == ALL


@pytest.mark.parametrize(
    ("query", "point"),
    [
        (ROWS, "demote.locked"),
        (ROWS, "move.memories_moved"),
        (ROWS, "move.recorded"),
        (BULK, "copy.copied"),
        (BULK, "bulk.writers_wait"),
        (BULK, "bulk.rows_deleted"),
        (MERGE, "copy.indexed"),
        (MERGE, "merge.writers_wait"),
    ],
)
def test_recall_never_waits(
    database_factory: DatabaseFactory, query: LiteralString, point: LiteralString
) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        if query == MERGE:
            seal(made, 4)
        future = made.stop(a, point, query)
        for question in (RECALL, COUNT, "select count(*) from mnemo.memories"):
            answer = b.start(question)
            assert answer.done()
            assert answer.result() == ALL
        b.commit()
        made.go_on()
        assert future.result(WAIT) > 0
        a.commit()
        assert b.run(RECALL) == b.run(COUNT) == ALL


@pytest.mark.parametrize(
    ("query", "point"), [(BULK, "bulk.attached"), (MERGE, "merge.attached"), (MERGE, "merge.dropped")]
)
@pytest.mark.parametrize("commits", [True, False])
def test_recall_waits_at_the_very_end_and_finds_all(
    database_factory: DatabaseFactory, query: LiteralString, point: LiteralString, commits: bool
) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        if query == MERGE:
            seal(made, 4)
            if point == "merge.dropped":
                assert made.value(MERGE) == 4
        future = made.stop(a, point, query)
        answer = b.start(RECALL)
        assert not answer.done()
        made.go_on()
        future.result(WAIT)
        a.commit() if commits else a.rollback()
        assert answer.result(WAIT) == ALL
        assert b.run(COUNT) == ALL


@pytest.mark.parametrize("point", ["copy.copied", "copy.indexed"])
def test_changes_made_while_rows_are_copied_win(
    database_factory: DatabaseFactory, point: LiteralString
) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        future = made.stop(a, point, BULK)
        for key, change in CHANGES.items():
            done = b.start(change, made.id_of(key))
            assert done.done(), key
            done.result()
        b.run(NEW, made.id_of("d1"))
        b.commit()
        made.go_on()
        moved = future.result(WAIT)
        a.commit()
        check_changed(made)
        tiers = made.tiers()
        # What was changed was not moved; d4 is due all the same.
        assert [key for key in ("d1", "d3", "d6") if tiers[key] != "hot"] == []
        assert (tiers["d5"], tiers["w1"], tiers["new"]) == ("cold", "hot", "hot")
        assert moved == DUE - 5 == list(tiers.values()).count("warm") - FRESH + 1
        made.db.execute("call mnemo.consolidate()")
        tiers = made.tiers()
        assert [key for key, tier in tiers.items() if key[0] == "d" and tier == "hot"] == ["d3", "d6"]
        check_changed(made)


@pytest.mark.parametrize("query", [BULK, MERGE], ids=["bulk", "merge"])
@pytest.mark.parametrize("commits", [True, False])
def test_writers_wait_while_old_rows_are_deleted(
    database_factory: DatabaseFactory, query: LiteralString, commits: bool
) -> None:
    with stage(database_factory(1024, 64), len(CHANGES) + 2) as made:
        a, *others = made.sessions
        if query == MERGE:
            seal(made, 4)
        future = made.stop(a, "bulk.rows_deleted" if query == BULK else "merge.writers_wait", query)
        asked = {**CHANGES, "f1": NEW}
        waiting = [
            other.start(change, made.id_of(key))
            for other, (key, change) in zip(others, asked.items(), strict=True)
        ]
        assert not any(done.done() for done in waiting)
        made.go_on()
        future.result(WAIT)
        a.commit() if commits else a.rollback()
        for other, done in zip(others, waiting, strict=True):
            done.result(WAIT)
            other.commit()
        check_changed(made)
        made.db.execute("call mnemo.consolidate()")
        check_changed(made)


def test_row_by_row_only_the_rows_that_move_are_waited_for(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64), len(CHANGES) + 1) as made:
        a, *others = made.sessions
        future = made.stop(a, "move.memories_moved", ROWS)
        waiting = []
        for other, (key, change) in zip(others, CHANGES.items(), strict=True):
            waiting.append(other.start(change, made.id_of(key)))
            assert waiting[-1].done() == (key == "w1"), key
        made.go_on()
        assert future.result(WAIT) == DUE
        a.commit()
        for other, done in zip(others, waiting, strict=True):
            done.result(WAIT)
            other.commit()
        made.value(NEW, made.id_of("d1"))
        check_changed(made)
        assert made.tiers()["d3"] == "warm"


def test_two_consolidations_share_the_work(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64), bulk_move_rows=1000, move_batch_rows=7) as made:
        a, _ = made.sessions
        future = made.stop(a, "demote.locked", "select mnemo.consolidate_step()")
        made.db.execute("call mnemo.consolidate()")
        assert list(made.tiers().values()).count("warm") == FRESH + DUE - 7
        made.go_on()
        assert future.result(WAIT) == 7
        a.commit()
        assert made.moves() == sorted(f"d{n}" for n in range(1, DUE + 1))


def test_temporary_tables_of_the_caller_do_not_matter(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        for name in ("copied", "memory", "activity", "setting"):
            made.db.execute(SQL("create temporary table {} ()").format(Identifier(name)))
        assert made.value(BULK) == DUE
        made.db.execute("drop table pg_temp.memory, pg_temp.activity, pg_temp.setting")


def test_a_second_consolidation_does_not_wait_for_a_rebuild(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, _ = made.sessions
        future = made.stop(a, "copy.indexed", BULK)
        # Row by row: it takes all that was copied, and leaves the first one nothing to do.
        made.db.execute("call mnemo.consolidate()")
        made.go_on()
        assert future.result(WAIT) == 0
        a.commit()
        assert made.moves() == sorted(f"d{n}" for n in range(1, DUE + 1))
        assert made.value("select count(*) from mnemo.segment") == 3


def test_a_bulk_load_and_a_rebuild_wait_for_each_other(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        future = made.stop(a, "copy.copied", BULK)
        load = b.start("select mnemo.begin_bulk_load('cold')::text")
        assert not load.done()
        made.go_on()
        assert future.result(WAIT) == DUE
        a.commit()
        assert load.result(WAIT) == "mnemo.memory_cold_2_load"
        consolidation = a.start("select mnemo.consolidate_step()")
        assert not consolidation.done()
        b.run("select mnemo.finish_bulk_load('cold')")
        b.commit()
        assert consolidation.result(WAIT) == 0
        a.commit()
        assert b.run(RECALL) == ALL


@pytest.mark.parametrize("query", [BULK, MERGE], ids=["bulk", "merge"])
def test_a_long_reader_ends_a_rebuild_not_the_writers(
    database_factory: DatabaseFactory, query: LiteralString
) -> None:
    with stage(database_factory(1024, 64), 3) as made:
        reader, a, writer = made.sessions
        if query == MERGE:
            seal(made, 4)
        tables = made.value("select count(*) from mnemo.segment")
        assert reader.run(COUNT) == ALL
        future = made.stop(a, "bulk.writers_wait" if query == BULK else "merge.writers_wait", query)
        written = writer.start(NEW, made.id_of("d1"))
        assert not written.done()
        made.go_on()
        assert future.result(WAIT) == 0
        a.commit()
        assert written.result(WAIT) is True
        # By now it has been there for a second: nothing is copied in vain.
        assert a.run(query) == 0
        assert a.run("select count(*) from mnemo.segment") == tables
        a.commit()
        made.db.execute("call mnemo.consolidate()")
        assert reader.run(COUNT) == ALL
        assert list(made.tiers().values()).count("warm") == FRESH + DUE


def test_an_idle_writer_ends_a_rebuild(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64), rebuild_patience_seconds=0.1) as made:
        idle, a = made.sessions
        idle.run("select mnemo.reinforce(%s)", made.id_of("d1"))
        assert a.run(BULK) == 0
        a.commit()
        made.db.execute("call mnemo.consolidate()")
        assert [key for key, tier in made.tiers().items() if key[0] == "d" and tier == "hot"] == ["d1"]


def test_a_row_that_somebody_holds_stays(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        idle, a = made.sessions
        idle.run("select from mnemo.activity where id = %s for update", made.id_of("d1"))
        assert a.run(BULK) == DUE - 1
        a.commit()
        assert [key for key, tier in made.tiers().items() if key[0] == "d" and tier == "hot"] == ["d1"]


def test_who_has_read_memories_is_told_to_try_again(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        assert b.run(COUNT) == ALL
        future = made.stop(a, "bulk.writers_wait", BULK)
        for key, change in CHANGES.items():
            with pytest.raises(psycopg.errors.SerializationFailure, match="is under way"):
                b.start("savepoint s; " + change % f"'{made.id_of(key)}'").result(WAIT)
            b.connection.execute("rollback to savepoint s")
        b.rollback()
        made.go_on()
        assert future.result(WAIT) == DUE
        a.commit()


@pytest.mark.parametrize("query", [BULK, MERGE], ids=["bulk", "merge"])
def test_a_snapshot_from_before_still_finds_everything(
    database_factory: DatabaseFactory, query: LiteralString
) -> None:
    with stage(database_factory(1024, 64)) as made:
        old, a = made.sessions
        if query == MERGE:
            seal(made, 4)
        old.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.run("select count(*) from mnemo.setting")
        made.value("select mnemo.set_attributes(%s, '{}')", made.id_of("d1"))
        assert a.run(query) > 0
        a.commit()
        # The emptied partitions stay as long as this snapshot.
        assert a.run(MERGE) == 0
        a.commit()
        for question in (COUNT, RECALL.replace("recall", "search"), "select count(*) from mnemo.memories"):
            assert old.run(question) == ALL
        old.commit()
        assert a.run(MERGE) == (4 if query == MERGE else 0)
        a.commit()
        assert old.run(COUNT) == ALL


@pytest.mark.parametrize("commits", [True, False])
def test_a_memory_pinned_while_expire_waits_is_not_forgotten(
    database_factory: DatabaseFactory, commits: bool
) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        made.value("select mnemo.add_ttl_policy('end', '5 days', tier => 'warm')")
        while made.value("select mnemo.recompute_step()"):
            pass
        a.run("select mnemo.pin(%s)", made.id_of("w1"))
        future = b.start("select mnemo.expire_step()")
        assert not future.done()
        a.commit() if commits else a.rollback()
        assert future.result(WAIT) == FRESH - commits
        b.commit()
        assert [key for key in made.tiers() if key[0] == "w"] == ["w1"] * commits


def test_every_tenant_is_consolidated_whoever_calls(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, _ = made.sessions
        for tenant in ("one", "two"):
            a.run("select set_config('mnemo.tenant', %s, false)", tenant)
            a.run("select set_config('mnemo.clock', '2030-01-01T00:00:00Z', false)")
            for tier in ("hot", "warm"):
                a.run(
                    "select mnemo.remember('x', mnemo.random_hypervector('x'), key => %s, importance => 0.75,"
                    " tier => %s)", tier, tier,
                )  # fmt: skip
            a.commit()
        made.value("select mnemo.add_ttl_policy('end', '10 days', tier => 'warm')")
        a.run("select set_config('mnemo.clock', '2030-01-11T00:00:00Z', false)")
        a.run("select set_config('mnemo.tenant', 'three', false)")
        a.commit()
        a.connection.autocommit = True
        a.connection.execute("call mnemo.consolidate()")
        while a.run("select mnemo.expire_step()"):
            pass
        assert a.run("select mnemo.tenant()") == "three"
        left = a.connection.execute(
            "select tenant, tier, count(*) from mnemo.activity group by 1, 2 order by 1, 2"
        ).fetchall()
        assert left == [
            ("default", "hot", FRESH),
            ("default", "warm", DUE),
            ("one", "warm", 1),
            ("two", "warm", 1),
        ]
        moved: Any = a.connection.execute(
            "select tenant, count(*) from mnemo.move_log group by 1 order by 1"
        ).fetchall()
        assert moved == [("default", DUE), ("one", 1), ("two", 1)]


def test_policies_changed_at_once_are_computed_once_more(database_factory: DatabaseFactory) -> None:
    with stage(database_factory(1024, 64)) as made:
        a, b = made.sessions
        a.run("select mnemo.alter_tier_policy('hot-decay', %s)", Jsonb({"threshold": 0.69}))
        future = b.start("select mnemo.alter_tier_policy('warm-decay', %s)", Jsonb({"threshold": 0.2}))
        assert not future.done()
        a.commit()
        future.result(WAIT)
        b.commit()
        # A change while the deadlines are computed: from the start again.
        step = made.stop(a, "recompute.deadlines", "select mnemo.recompute_step()")
        future = b.start("select mnemo.alter_tier_policy('hot-decay', %s)", Jsonb({"threshold": 0.68}))
        assert not future.done()
        made.go_on()
        assert step.result(WAIT) == ALL
        a.commit()
        future.result(WAIT)
        b.commit()
        assert made.value("select count(*) from mnemo.stale_deadline") == 1
        while made.value("select mnemo.recompute_step()"):
            pass
        assert made.value(
            "select count(*) from mnemo.activity where leaves_tier_at is distinct from mnemo.leaves_tier_at("
            "ltp, ltp_at, case tier when 'hot' then 0.68 else 0.2 end, mnemo.half_life())"
        ) == 0  # fmt: skip
