"""Writing through Memory: the unit of work and plain statements, and what the database refuses."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from engine.errors import (
    InvalidArgument,
    InvalidHypervector,
    MnemoError,
    UnknownCollection,
    UnknownTier,
)
from engine.orm import Activity, Memory, Segment, StoredMemory, Tier
from tests.conftest import Connection
from tests.orm.conftest import Run, vector


def stored(connection: Connection) -> list[tuple[Any, ...]]:
    """All memories, whole."""
    return connection.execute(
        "select key, collection, context, session, occurred_at, content, attributes, hdv, tier, pinned,"
        " strength, id from mnemo.memories order by content"
    ).fetchall()


async def test_a_memory_is_added_changed_and_deleted(run: Run, connection: Connection) -> None:
    def add(session: Session) -> Memory:
        memories = [
            Memory(content=f"memory {i}", hdv=vector(i), attributes={"i": i}, context="c", strength=0.9)
            for i in range(3)
        ]
        session.add_all(memories)
        session.flush()
        memory = memories[1]
        assert (memory.collection, memory.tier, memory.pinned, memory.access_count) == (
            "memories",
            "hot",
            False,
            0,
        )
        assert memory.strength == pytest.approx(0.9)
        assert memory.created_at == memory.occurred_at
        assert memory.last_access is None
        memory.attributes["seen"] = ["twice"]
        session.commit()
        session.expunge_all()
        return memory

    memory = await run(add)
    contents = connection.execute(
        "select content, attributes, id from mnemo.memory order by content"
    ).fetchall()
    assert [row[:2] for row in contents] == [
        ("memory 0", {"i": 0}),
        ("memory 1", {"i": 1, "seen": ["twice"]}),
        ("memory 2", {"i": 2}),
    ]

    def read_and_delete(session: Session) -> None:
        found = session.get_one(Memory, contents[1][2])
        assert found is not memory
        assert np.array_equal(found.hdv, vector(1))
        with pytest.raises(ValueError, match="read-only"):
            found.hdv[0] = 0
        session.delete(found)
        session.commit()

    await run(read_and_delete)
    assert [row[5] for row in stored(connection)] == ["memory 0", "memory 2"]
    assert connection.execute("select count(*) from mnemo.activity").fetchone() == (2,)


async def test_statements_return_rows(run: Run, connection: Connection) -> None:
    def work(session: Session) -> None:
        values = [{"content": f"memory {i}", "hdv": vector(i), "key": str(i)} for i in range(3)]
        added = session.execute(insert(Memory).returning(Memory.key, Memory.hdv, Memory.tier), values).all()
        assert sorted((row.key, row.tier) for row in added) == [("0", "hot"), ("1", "hot"), ("2", "hot")]
        assert all(np.array_equal(row.hdv, vector(int(row.key))) for row in added)
        changed = session.scalars(
            update(Memory)
            .where(Memory.key.in_(["0", "2"]))
            .values(attributes={"even": True}, pinned=True)
            .returning(Memory)
        ).all()
        assert {(m.key, m.pinned, m.attributes["even"]) for m in changed} == {
            ("0", True, True),
            ("2", True, True),
        }
        gone = session.scalars(delete(Memory).where(Memory.pinned).returning(Memory.content)).all()
        assert sorted(gone) == ["memory 0", "memory 2"]
        session.commit()

    await run(work)
    assert [row[5] for row in stored(connection)] == ["memory 1"]


async def test_text_alone_is_encoded_by_the_database(run: Run, connection: Connection) -> None:
    def work(session: Session) -> bytes:
        memory = Memory(content="the cat sat on the mat")
        session.add(memory)
        session.commit()
        return bytes(memory.hdv)

    hdv = await run(work)
    encoded = connection.execute(
        "select bit_send(mnemo.encode_text('the cat sat on the mat')::bit(16384))"
    ).fetchone()
    assert encoded == ((8 * len(hdv)).to_bytes(4) + hdv,)


async def test_a_key_used_again_keeps_its_memory(run: Run, connection: Connection) -> None:
    def add(content: str, i: int) -> Callable[[Session], Any]:
        def work(session: Session) -> Any:
            memory = Memory(content=content, hdv=vector(i), key="a")
            session.add(memory)
            session.commit()
            return memory.id

        return work

    assert await run(add("before", 0)) == await run(add("after", 1))
    assert [row[5] for row in stored(connection)] == ["after"]


async def test_tier_and_pin_move_a_memory(run: Run, connection: Connection) -> None:
    def state() -> Any:
        return connection.execute(
            "select m.segment, a.segment, a.tier, a.pinned"
            " from mnemo.memory m join mnemo.activity a using (id)"
        ).fetchone()

    def change(**values: Any) -> Callable[[Session], None]:
        def work(session: Session) -> None:
            (memory,) = session.scalars(select(Memory))
            for name, value in values.items():
                setattr(memory, name, value)
            session.commit()

        return work

    def add(session: Session) -> None:
        session.add(Memory(content="memory", hdv=vector(0)))
        session.commit()

    await run(add)
    await run(change(tier="warm"))
    assert state() == (1, 1, "warm", False)
    await run(change(tier="hot", pinned=True))
    assert state() == (0, 0, "hot", True)
    with pytest.raises(InvalidArgument, match="pinned to tier hot"):
        await run(change(tier="cold", attributes={"lost": True}))
    assert state() == (0, 0, "hot", True)
    await run(change(tier="cold", pinned=False))
    assert state() == (2, 2, "cold", False)
    assert stored(connection)[0][6] == {}


async def test_other_columns_cannot_be_changed(run: Run, connection: Connection) -> None:
    connection.execute("select mnemo.remember('memory', mnemo.random_hypervector('memory 0'))")
    connection.execute("select set_config('mnemo.clock', now()::text, false)")
    before = stored(connection)
    changes: list[dict[str, Any]] = [
        {"content": "other"},
        {"context": "other"},
        {"key": "other"},
        {"session": "1"},
        {"collection": "other"},
        {"hdv": vector(1)},
        {"strength": 1.0},
        {"access_count": 7},
        {"content": "other", "attributes": {"changed": True}},
        {"attributes": None},
        {"pinned": None},
    ]
    for values in changes:

        def work(session: Session, values: dict[str, Any] = values) -> None:
            (memory,) = session.scalars(select(Memory))
            for name, value in values.items():
                setattr(memory, name, value)
            session.commit()

        def statement(session: Session, values: dict[str, Any] = values) -> None:
            session.execute(update(Memory).values(values))
            session.commit()

        for attempt in (work, statement):
            with pytest.raises(InvalidArgument):
                await run(attempt)
            assert stored(connection) == before


async def test_what_is_no_memory_is_refused(run: Run, connection: Connection) -> None:
    refused: list[tuple[dict[str, Any], type[MnemoError]]] = [
        ({"id": UUID(int=0)}, InvalidArgument),
        ({"access_count": 0}, InvalidArgument),
        ({"content": " "}, InvalidArgument),
        ({"strength": 1.5}, InvalidArgument),
        ({"hdv": vector(0)[:128]}, InvalidHypervector),
        ({"hdv": [0, 1]}, InvalidHypervector),
        ({"hdv": vector(0).astype(np.int64)}, InvalidHypervector),
        ({"collection": "unknown"}, UnknownCollection),
        ({"tier": "tepid"}, UnknownTier),
    ]
    for values, error in refused:
        with pytest.raises(error):
            await run(partial(add, {"content": "memory", "hdv": vector(0)} | values))
    assert stored(connection) == []


def add(values: dict[str, Any], session: Session) -> None:
    session.execute(insert(Memory).values(values))
    session.commit()


async def test_a_session_goes_on_after_a_refusal(run: Run, connection: Connection) -> None:
    def work(session: Session) -> None:
        session.add(Memory(content="kept", hdv=vector(0)))
        session.commit()
        session.add(Memory(content="refused", hdv=vector(0), tier="tepid"))
        with pytest.raises(UnknownTier, match="tepid"):
            session.flush()
        session.rollback()
        session.add(Memory(content="kept too", hdv=vector(0)))
        session.commit()

    await run(work)
    assert [row[5] for row in stored(connection)] == ["kept", "kept too"]


async def test_the_tables_are_for_reading(run: Run, connection: Connection) -> None:
    connection.execute("select mnemo.remember('memory', mnemo.random_hypervector('memory 0'))")

    def add(session: Session) -> None:
        session.add(Tier(tier="tepid", place=5, leaves_below=None))

    def change(session: Session) -> None:
        session.scalars(select(Activity)).one().ltp = 1.0

    def remove(session: Session) -> None:
        session.delete(session.scalars(select(StoredMemory)).one())

    def remove_segment(session: Session) -> None:
        session.delete(session.get_one(Segment, 2))

    for attempt in (add, change, remove, remove_segment):

        def work(session: Session, attempt: Callable[[Session], None] = attempt) -> None:
            attempt(session)
            session.flush()

        with pytest.raises(InvalidArgument, match=r"mnemo\.\w+ is written by the database's own functions"):
            await run(work)


def test_a_row_deleted_by_two_counts_once(dsn: str, connection: Connection) -> None:
    connection.execute("select mnemo.remember('memory', mnemo.random_hypervector('memory 0'))")
    counts = []

    def delete_it() -> None:
        with psycopg.connect(dsn, autocommit=True, application_name="second") as second:
            counts.append(second.execute("delete from mnemo.memories").rowcount)

    with psycopg.connect(dsn) as first:
        counts.append(first.execute("delete from mnemo.memories").rowcount)
        thread = threading.Thread(target=delete_it)
        thread.start()
        waiting = (
            "select from pg_stat_activity where application_name = 'second' and wait_event_type = 'Lock'"
        )
        while not connection.execute(waiting).fetchall() and thread.is_alive():
            pass
        first.commit()
    thread.join()
    assert counts == [1, 0]


async def test_sql_functions_are_within_reach(run: Run) -> None:
    def work(session: Session) -> None:
        memory = Memory(content="memory", hdv=vector(0), strength=0.5)
        session.add(memory)
        session.flush()
        grown = session.scalar(select(func.mnemo.reinforce(memory.id)))
        session.refresh(memory)
        assert memory.strength == pytest.approx(grown)
        assert memory.access_count == 1
        assert session.scalar(select(func.mnemo.forget(memory.id))) is True
        assert session.scalars(select(Memory)).all() == []

    await run(work)
