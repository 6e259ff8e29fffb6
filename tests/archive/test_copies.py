"""Durability copies: every write reaches the object store, and none is taken from the queue that did not."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from engine.archive.copying import copy_step, merge_step
from engine.archive.objects import ObjectStore
from engine.errors import StoreUnavailable
from tests.archive.copies import copy_all, manifests, memories, rows_of, session_on
from tests.archive.invariants import check
from tests.conftest import DatabaseFactory

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors."""
    return database_factory(1024, 256)


def remember(connection: Connection, names: range | list[str], text: str = "memory") -> None:
    for name in names:
        connection.execute(
            "select mnemo.remember(%s, mnemo.random_hypervector(%s), key => %s, context => 'c')",
            (f"{text} {name}", f"{text} {name}", f"k{name}"),
        )


def id_of(connection: Connection, key: str) -> Any:
    row = connection.execute("select id from mnemo.memory_key where key = %s", (key,)).fetchone()
    assert row is not None
    return row[0]


async def last_versions(store: ObjectStore) -> dict[Any, dict[str, Any] | None]:
    """The last copy of each memory by the documented rule, None for those forgotten."""
    last: dict[Any, dict[str, Any] | None] = {}
    for manifest in await manifests(store):
        for row in await rows_of(store, manifest):
            known = last.get(row["id"], {})
            if known is not None:
                last[row["id"]] = None if row["forgotten"] else {**known, **row}
    return last


async def expect_copied(connection: Connection, store: ObjectStore) -> None:
    last = await last_versions(store)
    there = memories(connection)
    assert {memory_id for memory_id, row in last.items() if row is not None} == set(there)
    for memory_id, (content_hash, bits, tier, pinned, encoded, _) in there.items():
        row = last[memory_id]
        assert row is not None
        assert (row["content_sha256"], row["pinned"], row["encoded"]) == (content_hash, pinned, encoded)
        assert row["tier"] == tier
        vector = np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0"))
        assert row["hdv"].tobytes() == vector.tobytes()


async def test_n3_what_is_there_and_what_is_written_later_is_copied(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    remember(connection, range(8))
    async with session_on(dsn, tmp_path) as session:
        assert not await copy_step(session)
        connection.execute("select mnemo.add_copy_policy('copies')")
        connection.execute("select mnemo.remember('by hand', tier => 'cold', pinned => true)")
        connection.execute("select mnemo.set_attributes(%s, '{\"a\": [1]}')", (id_of(connection, "k1"),))
        forgotten = id_of(connection, "k2")
        connection.execute("select mnemo.forget(%s)", (forgotten,))
        assert await copy_all(session) >= 2
        await expect_copied(connection, session.store)
        remember(connection, ["1", "9"], "again")
        connection.execute("select mnemo.forget(%s)", (id_of(connection, "k3"),))
        assert connection.execute("select pending from mnemo.copy_status").fetchone() == (3,)
        await copy_all(session)
        await expect_copied(connection, session.store)
        assert forgotten in {i for i, row in (await last_versions(session.store)).items() if row is None}
        await check(connection, session.store)
        for manifest in await manifests(session.store):
            for described in manifest["objects"].values():
                content = await session.store.get(described["key"])
                assert hashlib.sha256(content).hexdigest() == described["sha256"]
                assert len(content) == described["size"]
        assert connection.execute("select pending, error from mnemo.copy_status").fetchone() == (0, None)


async def test_n3_a_write_that_commits_late_is_not_skipped(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        with psycopg.connect(dsn) as late:
            remember(late, ["late"])
            remember(connection, ["early"])
            await copy_all(session)
            assert len(await last_versions(session.store)) == 1
            late.commit()
        await copy_all(session)
        await expect_copied(connection, session.store)
        assert len(memories(connection)) == 2


async def test_n3_a_writer_that_had_not_seen_the_policy_is_waited_for(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    async with session_on(dsn, tmp_path) as session:
        with psycopg.connect(dsn) as before, psycopg.connect(dsn) as repeating:
            remember(before, ["before"])
            repeating.execute("set transaction isolation level repeatable read")
            repeating.execute("select count(*) from mnemo.policy")
            connection.execute("select mnemo.add_copy_policy('copies')")
            remember(repeating, ["repeating"])
            assert await copy_all(session) == 0
            assert connection.execute("select queueing from mnemo.copy_status").fetchone() == (True,)
            before.commit()
            assert await copy_all(session) == 0
            repeating.commit()
        await copy_all(session)
        await expect_copied(connection, session.store)
        assert len(memories(connection)) == 2


async def test_n3_a_lost_row_is_not_called_forgotten(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    remember(connection, ["a", "b"])
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        connection.execute("select mnemo.set_attributes(%s, '{\"n\": 1}')", (id_of(connection, "ka"),))
        connection.execute("truncate mnemo.memory_hot")
        await copy_all(session)
        assert None not in (await last_versions(session.store)).values()


async def test_n3_workers_share_the_queue(dsn: str, connection: Connection, tmp_path: Path) -> None:
    connection.execute('select mnemo.configure(\'{"copy_batch_rows": 7, "copy_sets_most": 1000}\')')
    connection.execute("select mnemo.add_copy_policy('copies')")
    async with session_on(dsn, tmp_path, "one") as one, session_on(dsn, tmp_path, "two") as two:
        await copy_all(one)
        remember(connection, range(60))
        await asyncio.gather(copy_all(one), copy_all(two), copy_all(one))
        sets = await manifests(one.store)
        assert sum(manifest["rows"] for manifest in sets) == 60
        await expect_copied(connection, one.store)
        await check(connection, one.store)


async def test_n3_merging_leaves_the_last_of_each_and_nothing_of_the_forgotten(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select set_config('mnemo.clock', '2030-01-01T00:00:00Z', false)")
    connection.execute('select mnemo.configure(\'{"copy_batch_rows": 5, "copy_sets_most": 4}\')')
    connection.execute("select mnemo.add_copy_policy('copies')")
    async with session_on(dsn, tmp_path) as session:
        for turn in range(12):
            remember(connection, [str(turn % 5), f"only {turn}"], f"turn {turn}")
            if turn % 3 == 0:
                connection.execute("select mnemo.forget(%s)", (id_of(connection, f"konly {turn}"),))
            await copy_all(session)
        there = connection.execute("select count(*) from mnemo.copy").fetchone()
        assert there is not None
        assert there[0] <= 5
        while await merge_step(session, everything=True):
            pass
        kept = connection.execute("select manifest_key from mnemo.copy").fetchall()
        assert len(kept) == 1
        last = json.loads(await session.store.get(kept[0][0]))
        rows = await rows_of(session.store, last)
        assert {row["id"] for row in rows if not row["forgotten"]} == set(memories(connection))
        assert sum(row["forgotten"] for row in rows) == 4
        await check(connection, session.store)
        # Long after, no object of the archive can hold what was forgotten.
        with psycopg.connect(dsn, autocommit=True) as later:
            later.execute("alter role current_user set mnemo.clock = '2031-01-01T00:00:00Z'")
        try:
            remember(connection, ["new"], "new")
            async with session_on(dsn, tmp_path, "later") as session_later:
                await copy_all(session_later)
                while await merge_step(session_later, everything=True):
                    pass
        finally:
            connection.execute("alter role current_user reset mnemo.clock")
        assert connection.execute("select rows, forgotten from mnemo.copy").fetchall() == [(14, 0)]


async def test_n3_a_store_that_is_away_is_shown_and_tried_again(
    dsn: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies', '1 minute')")
    connection.execute("select mnemo.configure('{\"archive_lease_seconds\": 1}')")
    remember(connection, ["a"])
    async with session_on(dsn, tmp_path) as session:
        with monkeypatch.context() as patched:

            async def away(*_: object) -> None:
                raise StoreUnavailable("away")

            patched.setattr(type(session.store), "put", away)
            with pytest.raises(StoreUnavailable):
                await copy_all(session)
        status = connection.execute("select pending, failures, error from mnemo.copy_status").fetchone()
        # Queued by its writer, and once more with all that was older than the policy may be.
        assert status == (2, 1, "StoreUnavailable: away")
        connection.execute("update mnemo.uncopied set at = mnemo.now() - interval '2 minutes'")
        finding = connection.execute("select (mnemo.doctor_copies()).*").fetchone()
        assert finding is not None
        assert finding[1] == "warn"
        assert "away" in finding[2]
        # The wait after a failure, by the real clock.
        connection.execute("update mnemo.copy_attempt set lease_until = clock_timestamp()")
        await copy_all(session)
        await expect_copied(connection, session.store)
        await check(connection, session.store)


async def test_ending_the_policy_gives_up_the_copies(
    dsn: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute("select mnemo.add_copy_policy('copies')")
    remember(connection, ["a", "b"])
    async with session_on(dsn, tmp_path) as session:
        await copy_all(session)
        remember(connection, ["c"])
        connection.execute("select mnemo.remove_copy_policy('copies')")
        remember(connection, ["d"])
        counts = "select (select count(*) from mnemo.uncopied), (select count(*) from mnemo.copy)"
        assert connection.execute(counts).fetchone() == (0, 0)
        states = connection.execute("select distinct state from mnemo.object").fetchall()
        assert states == [("dropped",)]
        connection.execute("select mnemo.add_copy_policy('again')")
        await copy_all(session)
        assert connection.execute("select rows from mnemo.copy_status").fetchone() == (4,)
        await check(connection, session.store)
