"""The Python surface against a real server: opening, writing, recalling, moving, failing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from engine import Hit, Memory, Mnemo
from engine.config import Settings
from engine.embedded import EmbeddedServer
from engine.errors import (
    ConnectionFailed,
    InstallationMismatch,
    InvalidArgument,
    InvalidEmbedding,
    TimedOut,
    UnknownCollection,
    UnknownMemory,
)
from engine.hypervector import project, random_hypervector
from tests.conftest import Connection

NESTED: list[Any] = []
for _ in range(9_999):
    NESTED = [NESTED]


@pytest.fixture
async def mnemo(dsn: str) -> AsyncIterator[Mnemo]:
    """Mnemo on the test's own database."""
    async with Mnemo.open(dsn) as opened:
        yield opened


def count(connection: Connection, relation: str = "mnemo.memory") -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


async def test_text_is_recalled_by_its_words(mnemo: Mnemo) -> None:
    memory_id = await mnemo.remember("connect to the database with a password", key="a", context="ops")
    await mnemo.remember("paint the garden fence green")
    recall = await mnemo.recall("database password", k=2)
    assert [hit.key for hit in recall] == ["a", None]
    assert recall[0].memory_id == memory_id
    assert isinstance(recall[0], Hit)
    assert recall[0].distance < recall[1].distance
    assert recall.latency_ms > 0
    assert not recall.confident


async def test_an_exact_cue_is_confident(mnemo: Mnemo) -> None:
    await mnemo.remember("the exact words of a memory")
    recall = await mnemo.recall("the exact words of a memory", k=1)
    assert recall.confident
    assert recall[0].distance == 0


async def test_a_recall_says_when_nothing_is_related(mnemo: Mnemo) -> None:
    assert (await mnemo.recall("anything")).unrelated
    await mnemo.remember_many(
        [Memory(f"x{i}", hdv=random_hypervector(f"{i}", mnemo.bits)) for i in range(500)]
    )
    assert (await mnemo.recall("anything")).unrelated
    await mnemo.remember("almost anything at all")
    assert not (await mnemo.recall("anything")).unrelated


async def test_embeddings_are_projected_with_the_seed_of_the_collection(mnemo: Mnemo) -> None:
    await mnemo.create_collection("seeded", dimension=8, seed="another seed", encoder="lexical")
    embedding = np.linspace(-1, 1, 8, dtype=np.float32)
    (memory_id,) = await mnemo.remember_many([Memory("x", embedding=embedding)], collection="seeded")
    (record,) = await mnemo.get([memory_id])
    assert record.hdv.tobytes() == project(embedding, "another seed", mnemo.bits).tobytes()
    recall = await mnemo.recall(embedding=embedding, k=1, collection="seeded")
    assert recall[0].distance == 0


async def test_binding_with_the_context_keeps_contexts_apart(mnemo: Mnemo) -> None:
    await mnemo.create_collection("bound", bind_context=True)
    text = "the same words in two conversations"
    await mnemo.remember_many(
        [Memory(text, key="one", context="one"), Memory(text, key="two", context="two")], collection="bound"
    )
    near = await mnemo.recall(text, k=1, collection="bound", context="two")
    assert (near[0].key, near[0].distance) == ("two", 0)
    unbound = await mnemo.recall(text, k=2, collection="bound")
    assert all(abs(hit.distance - mnemo.bits / 2) < 500 for hit in unbound)


async def test_kept_embeddings_are_int8(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.create_collection("kept", keep_embedding=True)
    await mnemo.remember_many([Memory("x", embedding=[0.5, -1.0, 0.25])], collection="kept")
    row = connection.execute("select embedding from mnemo.memory").fetchone()
    assert row is not None
    assert np.frombuffer(row[0], np.int8).tolist() == [64, -127, 32]


async def test_batches_before_a_bad_one_stay_and_the_error_says_so(
    mnemo: Mnemo, connection: Connection
) -> None:
    memories = [Memory(f"memory {i}") for i in range(25)] + [Memory("bad", importance=7)]
    with pytest.raises(InvalidArgument, match="memory 6") as caught:
        await mnemo.remember_many(memories, batch_rows=10)
    assert caught.value.__notes__ == ["20 memories of earlier batches are stored"]
    assert count(connection) == 20


async def test_a_bulk_load_is_all_or_nothing(mnemo: Mnemo, connection: Connection) -> None:
    memories = [Memory(f"memory {i}", tier="warm") for i in range(25)]
    with pytest.raises(InvalidArgument):
        await mnemo.remember_many(
            [*memories, Memory("bad", tier="warm", importance=7)], batch_rows=10, bulk=True
        )
    assert count(connection) == 0
    ids = await mnemo.remember_many(memories, batch_rows=10, bulk=True)
    assert len(set(ids)) == count(connection, "mnemo.memory_warm") == 25
    recall = await mnemo.recall("memory 7", k=1)
    assert (recall[0].content, recall[0].tier) == ("memory 7", "warm")
    with pytest.raises(InvalidArgument, match="not empty"):
        await mnemo.remember_many(memories, bulk=True)


async def test_a_failed_first_embedding_does_not_fix_the_dimension(mnemo: Mnemo) -> None:
    with pytest.raises(InvalidEmbedding, match="memory 2"):
        await mnemo.remember_many([Memory("x", embedding=[1.0, 2.0]), Memory("y", embedding=[1.0])])
    assert (await mnemo.collection()).dimension is None
    await mnemo.remember("y", embedding=[1.0, 2.0, 3.0])
    assert (await mnemo.collection()).dimension == 3


async def test_moves_pins_and_strength(mnemo: Mnemo) -> None:
    ids = [await mnemo.remember(f"memory number {i}", importance=0.5) for i in range(3)]
    await mnemo.pin(ids[2])
    assert await mnemo.demote(ids, "cold") == 2
    assert {hit.tier for hit in await mnemo.recall("memory number 0", k=3)} == {"hot", "cold"}
    assert await mnemo.promote(ids[:1], "warm") == 1
    held = {tier.tier: tier.memories for tier in await mnemo.stats()}
    assert held == {"hot": 1, "warm": 1, "cold": 1, "archive": 0}
    assert await mnemo.reinforce(ids[0]) == pytest.approx(0.5 + 0.5 * 0.1, abs=1e-4)
    with pytest.raises(InvalidArgument, match="cannot demote"):
        await mnemo.demote(ids[:2], "hot")
    assert await mnemo.forget(ids[0])
    assert not await mnemo.forget(ids[0])
    with pytest.raises(UnknownMemory, match=str(ids[0])):
        await mnemo.pin(ids[0])


async def test_tenants_do_not_meet(dsn: str) -> None:
    async with Mnemo.open(dsn, tenant="a") as a, Mnemo.open(dsn, tenant="b") as b:
        memory_id = await a.remember("a secret of a", key="k")
        assert await b.remember("a word of b", key="k") != memory_id
        assert [hit.content for hit in await b.recall("a secret of a", exact=True)] == ["a word of b"]
        assert not await b.forget(memory_id)
        assert await b.get([memory_id]) == []
        with pytest.raises(UnknownMemory):
            await b.reinforce(memory_id)
        assert (await b.count(), await a.count()) == (1, 1)


async def test_recall_notes_the_access_and_search_does_not(mnemo: Mnemo, connection: Connection) -> None:
    memory_id = await mnemo.remember("something")
    await mnemo.search("something")
    assert count(connection, "mnemo.access_log") == 0
    await mnemo.recall("something")
    assert connection.execute("select memory_ids from mnemo.access_log").fetchall() == [([memory_id],)]


def hash_of(number: int) -> str:
    """Return a word that no other number has."""
    return random_hypervector(f"{number}").tobytes()[:8].hex()


async def test_many_tasks_share_one_mnemo(mnemo: Mnemo) -> None:
    texts = [f"note {hash_of(i)} about topic {i % 7} by author {i % 5}" for i in range(60)]
    ids = await asyncio.gather(*(mnemo.remember(text, key=text) for text in texts))
    recalls = await asyncio.gather(*(mnemo.recall(text, k=1) for text in texts))
    assert [recall[0].memory_id for recall in recalls] == list(ids)


async def test_occurred_at_needs_a_time_zone(mnemo: Mnemo) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5)
    with pytest.raises(InvalidArgument, match="time zone"):
        await mnemo.remember("x", occurred_at=moment)
    memory_id = await mnemo.remember("x", occurred_at=moment.replace(tzinfo=UTC))
    (record,) = await mnemo.get([memory_id])
    assert record.occurred_at == moment.replace(tzinfo=UTC)


async def test_unknown_names_are_refused(mnemo: Mnemo) -> None:
    with pytest.raises(UnknownCollection, match="'nowhere'"):
        await mnemo.recall("x", collection="nowhere")
    with pytest.raises(UnknownCollection, match="'nowhere'"):
        await mnemo.remember("x", collection="nowhere")
    with pytest.raises(InvalidArgument, match="colour"):
        await mnemo.create_collection("x", colour="red")
    with pytest.raises(InvalidArgument, match="spaces in a name"):
        await mnemo.create_collection("spaces in a name")


async def test_text_that_is_not_unicode_is_refused(mnemo: Mnemo) -> None:
    for ask in (mnemo.recall("lone \udc80"), mnemo.recall("x", context="lone \udc80")):
        with pytest.raises(InvalidArgument, match=r"udc80|surrogate"):
            await ask


async def test_content_beyond_the_limit_is_refused(mnemo: Mnemo, connection: Connection) -> None:
    with pytest.raises(InvalidArgument, match="10000000 bytes"):
        await mnemo.remember("x" * 10_000_000)
    assert count(connection) == 0


async def test_a_search_that_takes_too_long_is_given_up(dsn: str, connection: Connection) -> None:
    settings = Settings(search={"statement_timeout_ms": 300})
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        with connection.transaction():
            connection.execute("lock table mnemo.memory in access exclusive mode")
            with pytest.raises(TimedOut, match="300 ms"):
                await mnemo.search(random_hypervector("q", mnemo.bits))
        assert list(await mnemo.search(random_hypervector("q", mnemo.bits))) == []


async def test_a_database_without_mnemo_is_named(empty_dsn: str) -> None:
    with pytest.raises(InstallationMismatch, match="mnemo migrate"):
        async with Mnemo.open(empty_dsn):
            pass


async def test_a_server_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed, match=str(tmp_path)):
        async with Mnemo.open(f"host={tmp_path} dbname=mnemo"):
            pass


async def test_a_lost_connection_is_replaced(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.remember("still there")
    killed = connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'mnemo' and datname = current_database()"
    ).fetchall()
    assert killed
    assert (await mnemo.recall("still there"))[0].content == "still there"


@pytest.mark.slow
async def test_the_embedded_server_lives_as_long_as_it_is_used(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data")
    async with Mnemo.open(data_dir=tmp_path / "data") as mnemo:
        await mnemo.remember("kept on disk", key="k")
        assert server.status().running
    assert not server.status().running
    async with Mnemo.open(data_dir=tmp_path / "data") as mnemo:
        assert (await mnemo.recall("kept on disk", k=1))[0].key == "k"
        other = await psycopg.AsyncConnection.connect(mnemo.dsn)
    assert server.status().running
    await other.close()
    assert server.stop()


async def test_a_bulk_load_needs_one_connection(dsn: str) -> None:
    settings = Settings(pool={"min_size": 1, "max_size": 1, "timeout_seconds": 5.0})
    rows = [Memory(f"row {n}", embedding=[n + 1.0, 2.0, 3.0]) for n in range(20)]
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        assert len(await mnemo.remember_many(rows, bulk=True, batch_rows=5)) == 20
        assert (await mnemo.collection()).dimension == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"occurred_at": "2020-01-01"}, "occurred_at of memory 1 is str, not a datetime"),
        ({"occurred_at": date(2020, 1, 1)}, "occurred_at of memory 1 is date, not a datetime"),
        ({"importance": "much"}, "importance of memory 1 must be between 0 and 1, not 'much'"),
        ({"attributes": None}, "attributes of memory 1 are not a JSON object"),
        ({"attributes": {"a": NESTED}}, "attributes of memory 1 are not a JSON object"),
    ],
)
async def test_a_field_of_another_type_is_named(mnemo: Mnemo, fields: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await mnemo.remember("x", **fields)


async def test_a_query_of_another_type_does_not_blame_the_installation(mnemo: Mnemo) -> None:
    for k in ("3", 2.5):
        with pytest.raises(InvalidArgument, match="k must be"):
            await mnemo.recall("x", k=k)  # type: ignore[arg-type]
    with pytest.raises(UnknownCollection, match="'5'"):
        await mnemo.recall("x", collection=5)  # type: ignore[arg-type]
    assert not await mnemo.recall("x", context=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("tenant", ["", "\x00", "\ud800", "x" * 201, 5])
async def test_an_impossible_tenant_is_refused(dsn: str, tenant: Any) -> None:
    """Above all the empty one: the database would take it for the tenant 'default'."""
    with pytest.raises(InvalidArgument, match="tenant must be 1 to 200 characters"):
        async with Mnemo.open(dsn, tenant=tenant):
            pass
