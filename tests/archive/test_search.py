"""Searching and reading archived memories from Python, against brute force over everything."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from itertools import islice, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine import Hit, Memory, Mnemo
from engine.archive.searching import ArchiveReader, Fetched, Sought
from engine.config import Settings
from engine.demo.docstrings import docstrings
from engine.errors import InvalidConfiguration, ObjectCorrupted, StoreUnavailable
from engine.memory import MemoryId, Recall
from tests.archive.by_hand import archive_cold
from tests.archive.planted import World, by_cluster, disturbed, planted, settings_of
from tests.conftest import DatabaseFactory

BITS = 4_096
CLUSTERS = 12
HOT, COLD, OTHERS = 120, 240, 120


@pytest.fixture
async def world(database_factory: DatabaseFactory, tmp_path: Path) -> AsyncIterator[World]:
    """Clustered memories, a third of them hot, the others archived among those of another tenant."""
    dsn = database_factory(BITS, 256)
    async with disturbed(tmp_path) as store, Mnemo.open(dsn, settings=settings_of(tmp_path)) as mnemo:
        made = World(dsn, mnemo, store)
        hdvs, of = planted(HOT + COLD + OTHERS, BITS, CLUSTERS, seed=5)
        made.write(hdvs[:HOT], "hot", name="hot")
        cold = made.write(hdvs[HOT : HOT + COLD], "cold", name="cold")
        others = made.write(hdvs[HOT + COLD :], "cold", tenant="other", name="cold")
        clusters = dict(zip([*cold, *others], of[HOT:], strict=True))
        assert await archive_cold(dsn, store, order=lambda ids: by_cluster(ids, clusters)) == COLD + OTHERS
        yield made


def queries(count: int = 12) -> NDArray[np.uint8]:
    """Draw hypervectors near those of the world, which are none of them."""
    hdvs, _ = planted(HOT + COLD + OTHERS, BITS, CLUSTERS, seed=5)
    noise = np.random.default_rng(6).random((count, BITS)) < 0.1
    return hdvs[:: len(hdvs) // count][:count] ^ np.packbits(noise, axis=1)


def found(recall: Recall) -> list[tuple[int, MemoryId]]:
    return [(hit.distance, hit.memory_id) for hit in recall]


def share(recall: Recall, right: list[tuple[int, MemoryId]]) -> float:
    """Return the share of hits as near as the last right one."""
    return sum(hit.distance <= right[-1][0] for hit in recall) / len(right)


async def test_hits_of_the_archive_rank_among_the_others_by_their_true_distance(world: World) -> None:
    shares = []
    for query in queries():
        recall = await world.mnemo.search(query, k=10, archive=True)
        right = world.oracle(query, 10)
        shares.append(share(recall, right))
        assert [hit.distance for hit in recall] == sorted(hit.distance for hit in recall)
        for hit in recall:
            assert hit.distance == int(np.bitwise_count(world.hdvs[hit.memory_id] ^ query).sum())
            assert hit.content == world.contents[hit.memory_id]
            assert hit.attributes == world.attributes[hit.memory_id]
            assert not hit.estimated
            assert hit.tier == ("hot" if hit.content.startswith("hot") else "archive")
        assert recall.unreachable == ()
    assert np.mean(shares) >= 0.97
    assert {hit.tier for query in queries() for hit in await world.mnemo.search(query, archive=True)} == {
        "hot",
        "archive",
    }


async def test_an_exact_search_equals_brute_force(world: World) -> None:
    filters: list[tuple[dict[str, Any], Callable[[int], bool]]] = [
        ({}, lambda _: True),
        ({"third": 2}, lambda n: n % 3 == 2),
        ({"n": {"$lt": 30}}, lambda n: n < 30),
        ({"n": -1}, lambda _: False),
    ]
    for (where, passes), context in product(filters, (None, "c1")):

        def matches(memory_id: MemoryId) -> bool:
            return passes(world.attributes[memory_id]["n"]) and context in (None, world.contexts[memory_id])  # noqa: B023

        for query in queries(4):
            right = world.oracle(query, 7, matches)
            for ask in (world.mnemo.search, world.mnemo.recall):
                recall = await ask(query, k=7, context=context, where=where, exact=True, archive=True)
                assert found(recall) == right
            near = await world.mnemo.search(query, k=7, context=context, where=where, archive=True)
            assert len(near) == len(right)
            assert all(matches(hit.memory_id) for hit in near)


async def test_another_tenant_sees_its_own_memories_of_the_same_blocks(world: World, tmp_path: Path) -> None:
    async with Mnemo.open(world.dsn, settings=settings_of(tmp_path), tenant="other") as other:
        for query in queries(4):
            hits = await other.search(query, k=200, exact=True, archive=True)
            assert len(hits) == OTHERS
            assert all(hit.content.endswith("of other") for hit in hits)
            mine = await world.mnemo.search(query, k=400, exact=True, archive=True)
            assert {hit.memory_id for hit in mine} == set(world.hdvs)
        assert await other.get(list(world.hdvs)) == []


async def test_without_being_asked_the_archive_is_not_read(world: World) -> None:
    for query in queries(3):
        assert {hit.tier for hit in await world.mnemo.recall(query)} == {"hot"}
    assert world.store.reads == []


async def test_what_is_confident_in_the_database_is_not_looked_for_in_the_archive(world: World) -> None:
    near = await world.mnemo.search(next(iter(world.hdvs.values())), k=1, archive=True)
    assert near.confident
    assert world.store.reads == []


async def test_what_was_read_is_not_asked_for_again(world: World) -> None:
    (query,) = queries(1)
    first = await world.mnemo.search(query, archive=True)
    requests = len(world.store.reads)
    assert requests > 0
    assert found(await world.mnemo.search(query, archive=True)) == found(first)
    assert len(world.store.reads) == requests


async def test_changes_after_archiving_are_seen_at_once(world: World) -> None:
    (query,) = queries(1)
    archived = [hit for hit in await world.mnemo.search(query, archive=True) if hit.tier == "archive"]
    forgotten, rewritten, changed = archived[:3]
    assert await world.mnemo.forget(forgotten.memory_id)
    await world.mnemo.remember("something new", key=rewritten.key, hdv=np.zeros(BITS // 8, np.uint8))
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        connection.execute("select mnemo.set_attributes(%s, %s)", (changed.memory_id, Jsonb({"new": True})))

    now = {hit.memory_id: hit for hit in await world.mnemo.search(query, k=400, exact=True, archive=True)}
    assert len(now) == HOT + COLD - 1
    assert forgotten.memory_id not in now
    assert (now[rewritten.memory_id].content, now[rewritten.memory_id].tier) == ("something new", "hot")
    assert now[changed.memory_id].attributes == {"new": True}
    assert now[changed.memory_id].content == changed.content
    (hit,) = await world.mnemo.search(query, where={"new": True}, archive=True)
    assert hit.memory_id == changed.memory_id
    (record,) = await world.mnemo.get([changed.memory_id, forgotten.memory_id])
    assert record.attributes == {"new": True}


async def test_a_recall_counts_as_an_access(world: World) -> None:
    (query,) = queries(1)
    hits = await world.mnemo.recall(query, archive=True)
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        connection.execute("select mnemo.fold_accesses()")
        counted = {row[0] for row in connection.execute("select id from mnemo.archived_access")}
    assert counted == {hit.memory_id for hit in hits if hit.tier == "archive"} != set()


async def test_a_block_that_arrived_damaged_is_read_again(world: World) -> None:
    (query,) = queries(1)
    seen: set[str] = set()

    def once(key: str, data: bytes) -> bytes:
        fresh = key not in seen
        seen.add(key)
        return flipped(data) if fresh else data

    world.store.harm = once
    recall = await world.mnemo.search(query, exact=True, archive=True)
    assert recall.unreachable == ()
    assert found(recall) == world.oracle(query, 10)


@pytest.mark.parametrize(("extension", "part"), [(".npy", "block"), (".parquet", "row group")])
async def test_a_damaged_object_is_left_out_and_named(
    world: World, caplog: pytest.LogCaptureFixture, extension: str, part: str
) -> None:
    (query,) = queries(1)
    world.store.harm = lambda key, data: flipped(data) if key.endswith(extension) else data
    with caplog.at_level(logging.WARNING):
        recall = await world.mnemo.search(query, k=20, exact=True, archive=True)
    assert recall.unreachable == ("archive",)
    hot = [one for one in world.oracle(query, 400) if world.contents[one[1]].startswith("hot")]
    assert found(recall) == hot[:20]
    assert any(part in message and extension in message for message in caplog.messages)
    with pytest.raises(ObjectCorrupted, match=part):
        await world.mnemo.get(list(world.hdvs))


async def test_without_its_store_the_archive_is_left_out(world: World) -> None:
    (query,) = queries(1)
    world.store.down = True
    recall = await world.mnemo.recall(query, archive=True)
    assert recall.unreachable == ("archive",)
    assert {hit.tier for hit in recall} == {"hot"}
    with pytest.raises(StoreUnavailable):
        await world.mnemo.get(list(world.hdvs))
    world.store.down = False
    assert (await world.mnemo.recall(query, archive=True)).unreachable == ()


async def test_a_store_that_does_not_answer_is_not_waited_for(world: World, tmp_path: Path) -> None:
    world.store.hanging = True
    (query,) = queries(1)
    async with Mnemo.open(world.dsn, settings=settings_of(tmp_path, search_seconds=0.05)) as hasty:
        recall = await hasty.search(query, archive=True)
    assert recall.unreachable == ("archive",)
    assert len(recall) == 10


async def test_archived_memories_without_a_configured_store_are_an_error(world: World) -> None:
    (query,) = queries(1)
    async with Mnemo.open(world.dsn, settings=Settings()) as unconfigured:
        with pytest.raises(InvalidConfiguration, match=r"archive\.url"):
            await unconfigured.search(query, archive=True)
        assert len(await unconfigured.search(query)) == 10


async def test_get_reads_the_archive(world: World) -> None:
    wanted = list(world.hdvs)[HOT - 5 : HOT + 40]
    records = await world.mnemo.get([*wanted, MemoryId(uuid4())])
    assert {record.memory_id for record in records} == set(wanted)
    for record in records:
        assert record.hdv.tobytes() == world.hdvs[record.memory_id].tobytes()
        assert record.content == world.contents[record.memory_id]
        assert record.attributes == world.attributes[record.memory_id]
        assert record.context == world.contexts[record.memory_id]


async def test_a_search_only_reads_where_only_reading_is_allowed(world: World, tmp_path: Path) -> None:
    dsn = f"{world.dsn} options='-c default_transaction_read_only=on'"
    (query,) = queries(1)
    async with Mnemo.open(dsn, settings=settings_of(tmp_path)) as reader:
        assert found(await reader.search(query, exact=True, archive=True)) == world.oracle(query, 10)


async def test_what_is_archived_during_a_search_is_there_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.mnemo.remember_many(
        [Memory(f"the {n}. thing that is remembered", key=f"thing {n}", tier="cold") for n in range(20)]
    )
    original = ArchiveReader.search
    archived: list[int] = []

    async def meanwhile(self: ArchiveReader, connection: Any, sought: Sought) -> Fetched:
        # The question was encoded by now, so that the snapshot is older than the archived segment.
        if not archived:
            with psycopg.connect(world.dsn, autocommit=True) as other:
                (segment,) = other.execute(
                    "select max(segment) from mnemo.segment where tier = 'cold' and state = 'open'"
                ).fetchone() or (None,)
            archived.append(await archive_cold(world.dsn, world.store, segment))
        return await original(self, connection, sought)

    monkeypatch.setattr(ArchiveReader, "search", meanwhile)
    during = await world.mnemo.search("the 7. thing that is remembered", k=20, archive=True)
    assert archived == [20]
    assert during.unreachable == ()
    after = await world.mnemo.search("the 7. thing that is remembered", k=20, archive=True)
    for recall, tier in ((during, "cold"), (after, "archive")):
        assert {hit.key for hit in recall} == {f"thing {n}" for n in range(20)}
        assert {hit.tier for hit in recall} == {tier}


async def test_what_is_forgotten_while_it_is_read_is_gone_from_the_next_search_on(world: World) -> None:
    (query,) = queries(1)
    right = world.oracle(query, 10)
    gone = next(one for _, one in right if world.contents[one].startswith("cold"))

    def forget(_: str, data: bytes) -> bytes:
        world.store.harm = lambda _, data: data
        with psycopg.connect(world.dsn, autocommit=True) as other:
            assert other.execute("select mnemo.forget(%s)", (gone,)).fetchone() == (True,)
        return data

    world.store.harm = forget
    # One search is one moment: before it was forgotten.
    assert found(await world.mnemo.search(query, exact=True, archive=True)) == right
    after = world.oracle(query, 10, lambda one: one != gone)
    assert found(await world.mnemo.search(query, exact=True, archive=True)) == after
    assert await world.mnemo.get([gone]) == []


async def test_texts_are_found_as_they_were_before_they_were_archived(dsn: str, tmp_path: Path) -> None:
    texts = dict(islice(docstrings(), 300))
    async with disturbed(tmp_path) as store, Mnemo.open(dsn, settings=settings_of(tmp_path)) as mnemo:
        await mnemo.remember_many([Memory(text, key=key, tier="cold") for key, text in texts.items()])
        asked = [" ".join(text.split()[::2]) for text in list(texts.values())[::12] if len(text) > 80]
        before = [await mnemo.search(text, k=10) for text in asked]
        assert await archive_cold(dsn, store) == len(texts)
        assert len(await mnemo.search(asked[0])) == 0
        after = [await mnemo.search(text, k=10, archive=True) for text in asked]
    kept = [
        len({hit.key for hit in old} & {hit.key for hit in new}) / len(old)
        for old, new in zip(before, after, strict=True)
    ]
    assert np.mean(kept) >= 0.97
    for old, new in zip(before, after, strict=True):
        assert old[0].key == new[0].key
        scores = {hit.key: hit.score for hit in old}
        for hit in new:
            assert hit.score == pytest.approx(scores.get(hit.key, hit.score), abs=0.02)


async def test_questions_of_embeddings_rank_archived_memories_alike(dsn: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(60, 32)).astype(np.float32)

    def of(tier: Any) -> list[Memory]:
        return [
            Memory("x", key=f"{tier} {n}", embedding=vector, tier=tier) for n, vector in enumerate(vectors)
        ]

    async with disturbed(tmp_path) as store, Mnemo.open(dsn, settings=settings_of(tmp_path)) as mnemo:
        await mnemo.remember_many([*of("hot"), *of("cold")])
        assert await archive_cold(dsn, store) == 60
        for n in range(0, 60, 10):
            hits: dict[str | None, Hit] = {}
            for hit in await mnemo.search(embedding=vectors[n], k=20, exact=True, archive=True):
                hits[hit.key] = hit
            assert {f"hot {n}", f"cold {n}"} <= set(hits)
            for key, hit in hits.items():
                assert key is not None
                twin = hits.get(key.replace("hot", "cold"))
                if twin is not None:
                    assert twin.score == pytest.approx(hit.score, abs=1e-9)


async def test_searches_at_the_same_time_do_not_disturb_each_other(world: World) -> None:
    asked = queries(8)
    recalls = await asyncio.gather(
        *[world.mnemo.search(query, exact=True, archive=True) for query in asked for _ in range(2)]
    )
    for query, recall in zip(np.repeat(asked, 2, axis=0), recalls, strict=True):
        assert found(recall) == world.oracle(query, 10)


def flipped(data: bytes) -> bytes:
    """Return the bytes with one bit of every hundred bytes changed."""
    changed = bytearray(data)
    for place in range(0, len(data), 100):
        changed[place] ^= 1
    return bytes(changed)
