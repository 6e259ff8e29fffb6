"""Writers that meet: none deadlocks, no change is lost, and what must hold still does."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.conftest import DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.locks import Session, sessions
from tests.support.memories import Draft, bit_text, bulk_load, remember_all, stage

WAIT = 60


def vector(n: int) -> Any:
    return np.random.default_rng(n).integers(0, 256, 128, np.uint8)


@pytest.fixture
def two(database_factory: DatabaseFactory) -> Iterator[tuple[Session, Session]]:
    """Two sessions in transactions on a fresh database of 1,024 bits; checked when the test ends."""
    dsn = database_factory(1_024, 256)
    with sessions(dsn) as (a, b):
        yield a, b
        a.rollback()
        b.rollback()
    with psycopg.connect(dsn) as connection:
        check_invariants(connection)


def write(session: Session, content: str, key: str | None = "k", tier: str = "hot", n: int = 1) -> Any:
    return session.run(
        "select mnemo.remember(%s, %s::varbit, key => %s, tier => %s)",
        content,
        bit_text(vector(n)),
        key,
        tier,
    )


REMEMBER = "select mnemo.remember(%s, %s::varbit, key => 'k', tier => %s)"


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("commits", [True, False])
def test_two_upserts_of_one_key(two: tuple[Session, Session], known: bool, commits: bool) -> None:
    a, b = two
    if known:
        first = write(a, "zero")
        a.commit()
    mine = write(a, "one", tier="warm")
    future = b.start(REMEMBER, "two", bit_text(vector(2)), "cold")
    assert not future.done()
    a.commit() if commits else a.rollback()
    theirs = future.result(WAIT)
    b.commit()
    assert (theirs == mine) == (known or commits)
    assert not known or theirs == first
    assert a.run("select array_agg(content || ' ' || tier) from mnemo.memories") == ["two cold"]


@pytest.mark.parametrize("commits", [True, False])
def test_an_upsert_waits_for_forget(two: tuple[Session, Session], commits: bool) -> None:
    a, b = two
    old = write(a, "one")
    a.commit()
    assert a.run("select mnemo.forget(%s)", old) is True
    future = b.start(REMEMBER, "two", bit_text(vector(2)), "warm")
    assert not future.done()
    a.commit() if commits else a.rollback()
    new = future.result(WAIT)
    b.commit()
    assert (new != old) == commits
    assert a.run("select array_agg(content) from mnemo.memories") == ["two"]


@pytest.mark.parametrize("tier", ["hot", "warm"])
def test_forget_waits_for_an_upsert_and_takes_all(two: tuple[Session, Session], tier: str) -> None:
    a, b = two
    old = write(a, "one")
    a.commit()
    write(a, "two", tier=tier)
    future = b.start("select mnemo.forget(%s)", old)
    assert not future.done()
    a.commit()
    assert future.result(WAIT) is True
    b.commit()
    assert a.run("select count(*) from mnemo.memories") == 0


def test_two_forgets_of_one_memory(two: tuple[Session, Session]) -> None:
    a, b = two
    old = write(a, "one")
    a.commit()
    assert a.run("select mnemo.forget(%s)", old) is True
    future = b.start("select mnemo.forget(%s)", old)
    # Meanwhile the key goes to another memory: the second forget must leave that alone.
    new = write(a, "two", n=2)
    a.commit()
    assert future.result(WAIT) is False
    b.commit()
    assert new != old
    assert a.run("select array_agg(content) from mnemo.memories") == ["two"]


SET = "select mnemo.set_attributes(%s, '{\"set\": true}')"
DEMOTE = "select mnemo.demote(array[%s]::uuid[], 'cold')"
REINFORCE = "select mnemo.reinforce(%s)"


def test_changes_of_one_memory_wait_and_all_count(two: tuple[Session, Session]) -> None:
    a, b = two
    for asked in product((SET, DEMOTE, REINFORCE), repeat=2):
        memory = write(a, "one", key=None)
        a.commit()
        a.run(asked[0], memory)
        future = b.start(asked[1], memory)
        assert not future.done()
        a.commit()
        future.result(WAIT)
        b.commit()
        assert a.connection.execute(
            "select attributes = '{\"set\": true}', tier = 'cold', access_count"
            " from mnemo.memories where id = %s",
            [memory],
        ).fetchall() == [(SET in asked, DEMOTE in asked, asked.count(REINFORCE))]
        a.commit()


def test_a_move_waits_for_an_upsert(two: tuple[Session, Session]) -> None:
    a, b = two
    memory = write(a, "one")
    a.commit()
    write(a, "two", tier="warm", n=2)
    future = b.start(DEMOTE, memory)
    assert not future.done()
    a.commit()
    assert future.result(WAIT) == 1
    b.commit()
    assert a.run("select array_agg(content || ' ' || tier) from mnemo.memories") == ["two cold"]


def test_plain_updates_of_attributes_are_not_lost(two: tuple[Session, Session]) -> None:
    """The second writer of a plain UPDATE saw the old attributes: it is told, and tries again."""
    a, b = two
    memory = write(a, "one")
    a.commit()
    add = (
        "update mnemo.memories set attributes = attributes || jsonb_build_object(%s::text, true) returning id"
    )
    assert a.run(add, "a") == memory
    future = b.start(add, "b")
    assert not future.done()
    a.commit()
    with pytest.raises(psycopg.errors.SerializationFailure, match=f"attributes of memory {memory}"):
        future.result(WAIT)
    b.rollback()
    assert b.run(add, "b") == memory
    # A change of something else does not carry stale attributes along.
    future = a.start("update mnemo.memories set pinned = true returning id")
    assert not future.done() or future.result() == memory
    b.commit()
    assert future.result(WAIT) == memory
    a.commit()
    assert a.connection.execute("select attributes, pinned from mnemo.memories").fetchall() == [
        ({"a": True, "b": True}, True)
    ]


def test_batches_with_common_keys_in_other_orders_do_not_deadlock(two: tuple[Session, Session]) -> None:
    a, b = two
    keys = [f"k{n}" for n in range(50)]
    for session, order in ((a, keys), (b, keys[::-1])):
        stage(session.connection, [Draft(key, vector(n), key=key) for n, key in enumerate(order)])
    ids = a.run("select mnemo.remember_staged()")
    future = b.start("select mnemo.remember_staged()")
    assert not future.done()
    a.commit()
    assert future.result(WAIT) == ids[::-1]
    b.commit()


def load(session: Session, drafts: list[Draft]) -> None:
    stage(session.connection, drafts)
    session.run("select mnemo.remember_staged(mnemo.begin_bulk_load('hot'))")


NEAREST = "select content from mnemo.search(%s::varbit, 1)"


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "select mnemo.remember('meanwhile', mnemo.random_hypervector('m')) is not null",
        "select mnemo.forget((select id from mnemo.activity where tier = 'warm')) and"
        " mnemo.remember('meanwhile', mnemo.random_hypervector('m')) is not null",
        "select mnemo.demote(array(select id from mnemo.activity where tier = 'warm'), 'cold') = 1 and"
        " mnemo.remember('meanwhile', mnemo.random_hypervector('m')) is not null",
    ],
    ids=["remember", "forget", "demote"],
)
def test_recall_answers_during_a_bulk_load_and_writers_wait(
    two: tuple[Session, Session], commits: bool, statement: Any
) -> None:
    a, b = two
    write(a, "warm", key=None, tier="warm", n=0)
    a.commit()
    load(a, [Draft(str(n), vector(n), key=str(n)) for n in range(1, 1_100)])
    assert b.run(NEAREST, bit_text(vector(5))) == "warm"
    b.commit()
    future = b.start(statement)
    assert not future.done()
    if commits:
        a.run("select mnemo.finish_bulk_load('hot')")
        a.commit()
    else:
        a.rollback()
    assert future.result(WAIT) is True
    b.commit()
    assert (b.run(NEAREST, bit_text(vector(5))) == "5") == commits
    assert b.run("select count(*) from mnemo.memory_hot") == (1_100 if commits else 1)
    assert b.run("select count(*) from mnemo.memory_key") == (1_099 if commits else 0)
    assert b.run(NEAREST.replace("%s::varbit", "mnemo.random_hypervector('m')")) == "meanwhile"


def test_a_bulk_load_takes_back_known_keys_and_the_last_of_its_own(two: tuple[Session, Session]) -> None:
    a, _ = two
    known = write(a, "old", tier="warm")
    a.commit()
    drafts = [Draft(f"x{n}", vector(n), key=f"x{n % 1_050}") for n in range(1_100)]
    ids = bulk_load(a.connection, [*drafts, Draft("new", vector(2_000), key="k")])
    a.commit()
    assert ids[-1] == known
    assert ids[1_050:1_100] == ids[:50]
    assert a.run(NEAREST, bit_text(vector(2_000))) == "new"
    assert a.run(NEAREST, bit_text(vector(1_060))) == "x1060"
    assert a.run("select content from mnemo.memories where key = 'x10'") == "x1060"
    assert a.run("select count(*) from mnemo.memories where tier = 'hot'") == 1_051
    with pytest.raises(psycopg.Error, match="tier 'hot' is not empty") as refused:
        a.run("select mnemo.begin_bulk_load('hot')")
    assert refused.value.sqlstate == "MN002"
    a.rollback()
    with pytest.raises(psycopg.Error, match="unknown tier 'tepid'"):
        a.run("select mnemo.begin_bulk_load('tepid')")
    a.rollback()
    # The tier is as good as any other afterwards.
    remember_all(a.connection, [Draft("after", vector(3_000), key="x10")])
    a.commit()
    assert a.run(NEAREST, bit_text(vector(3_000))) == "after"


def test_a_second_bulk_load_waits_and_is_refused(two: tuple[Session, Session]) -> None:
    a, b = two
    load(a, [Draft("x", vector(1))])
    future = b.start("select mnemo.begin_bulk_load('hot')")
    assert not future.done()
    a.run("select mnemo.finish_bulk_load('hot')")
    a.commit()
    with pytest.raises(psycopg.Error, match="tier 'hot' is not empty"):
        future.result(WAIT)


@pytest.mark.parametrize("planned", [False, True], ids=["first search", "later search"])
def test_a_search_locks_no_partition_before_the_table(two: tuple[Session, Session], planned: bool) -> None:
    """As the end of a bulk load does: in another order the two would deadlock."""
    a, b = two
    for tier in ("hot", "warm", "cold"):
        write(a, tier, key=None, tier=tier)
    a.commit()
    if planned:
        b.run(NEAREST, bit_text(vector(1)))
        b.commit()
    a.connection.execute("lock table only mnemo.memory in access exclusive mode")
    future = b.start(NEAREST, bit_text(vector(1)))
    assert not future.done()
    held = "select array_agg(relation::regclass::text) from pg_locks where pid = %s and granted"
    held += " and relation::regclass::text ~ '^mnemo.memory_(hot|warm|cold)'"
    assert a.run(held, b.connection.info.backend_pid) is None
    a.commit()
    assert future.result(WAIT) in ("hot", "warm", "cold")


@pytest.mark.parametrize(
    "statement",
    [
        "select mnemo.remember('meanwhile', mnemo.random_hypervector('m'), key => 'k') is not null",
        "select mnemo.demote(array(select id from mnemo.activity where tier = 'warm'), 'cold') = 1",
        "select mnemo.set_attributes(id, '{\"a\": 1}')::text = '' from mnemo.activity where tier = 'warm'",
        "select mnemo.forget_many(array(select id from mnemo.activity where tier = 'warm')) = 1",
    ],
    ids=["remember", "demote", "set_attributes", "forget_many"],
)
def test_writers_hold_nothing_a_bulk_load_needs(two: tuple[Session, Session], statement: Any) -> None:
    """The load rewrites a memory that somebody else began to write while it was under way."""
    a, b = two
    write(a, "old", tier="warm")
    a.commit()
    load(a, [Draft(str(n), vector(n), key=str(n)) for n in range(1, 10)])
    future = b.start(statement)
    assert not future.done()
    stage(a.connection, [Draft("new", vector(20), key="k")])
    a.run("select mnemo.remember_staged('mnemo.memory_hot_load')")
    a.run("select mnemo.finish_bulk_load('hot')")
    a.commit()
    assert future.result(WAIT) is True
    b.commit()


def test_forgetting_many_waits_for_batches_and_moves(two: tuple[Session, Session]) -> None:
    a, b = two
    ids = remember_all(a.connection, [Draft(f"{n}", vector(n), key=f"{n % 10}{n}") for n in range(40)])
    a.commit()
    for other in (
        "select mnemo.write_drafts(array_agg(row(0, 'x', mnemo.random_hypervector('x'), null, null, null,"
        " null, null, key, 'memories', 1, 'warm', false, null, null, null, null, null)::mnemo.draft))"
        " from mnemo.memory_key",
        "select mnemo.move_memories(array_agg(id), 'cold') from mnemo.memory_key",
    ):
        a.run(other)
        future = b.start("select mnemo.forget_many(%s::uuid[])", [*ids, *ids[:3]])
        assert not future.done()
        a.commit()
        assert future.result(WAIT) == 40
        b.rollback()
    assert a.run("select mnemo.forget_many(%s::uuid[])", [*ids[:30], *ids[20:], ids[0], None]) == 40
    assert a.run("select mnemo.forget_many(null)") == 0
    a.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "update mnemo.memories set attributes = '{\"a\": 1}' returning true",
        "delete from mnemo.memories returning true",
        "select mnemo.remember(content) from mnemo.memories",
        "select mnemo.promote(array[id]) from mnemo.memories",
    ],
)
def test_a_writer_that_a_bulk_load_would_wait_for_fails_at_once(
    two: tuple[Session, Session], statement: Any
) -> None:
    a, b = two
    write(a, "old", tier="warm")
    a.commit()
    load(a, [Draft(str(n), vector(n)) for n in range(1, 10)])
    with pytest.raises(psycopg.errors.SerializationFailure, match="is under way"):
        b.start(statement).result(WAIT)
    b.rollback()
    a.run("select mnemo.finish_bulk_load('hot')")
    a.commit()
    assert b.run(statement) is not None
