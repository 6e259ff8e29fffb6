"""What every vector store must do, run against each of them (N1)."""

from collections.abc import AsyncIterator
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backends import VectorStore, create_store, register_store, store_names
from engine.composition import open_store
from engine.errors import (
    InvalidArgument,
    InvalidEmbedding,
    InvalidHypervector,
    MalformedFilter,
    UnknownTier,
)
from engine.memory import Memory, MemoryId, Record
from tests.conftest import DatabaseFactory

BITS = 1024


@pytest.fixture(params=["memory", "postgres"])
async def store(
    request: pytest.FixtureRequest, database_factory: DatabaseFactory
) -> AsyncIterator[VectorStore]:
    """An empty store of that backend at 1,024 bits."""
    if request.param == "memory":
        async with open_store("memory", bits=BITS) as opened:
            yield opened
    else:
        async with open_store(
            "postgres", dsn=database_factory(BITS, 256), collection="conformance"
        ) as opened:
            yield opened


def hypervectors(n: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, BITS // 8), np.uint8)


def flipped(hdv: NDArray[np.uint8], bits: int, seed: int = 0) -> NDArray[np.uint8]:
    """The hypervector with that many components changed."""
    mask = np.zeros(BITS, np.uint8)
    mask[np.random.default_rng(seed).choice(BITS, bits, replace=False)] = 1
    return hdv ^ np.packbits(mask)


def hamming(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return bin(int.from_bytes(a.tobytes()) ^ int.from_bytes(b.tobytes())).count("1")


async def test_a_new_store_is_empty(store: VectorStore) -> None:
    assert store.bits == BITS
    assert await store.count() == 0
    assert await store.query(hypervectors(1)[0]) == []
    page = await store.scroll()
    assert (page.records, page.after) == ((), None)


async def test_query_returns_the_nearest_by_distance_then_id(store: VectorStore) -> None:
    hdvs = hypervectors(60)
    hdvs[40:] = hdvs[7]  # equal distances
    ids = await store.store([Memory(f"memory {i}", hdv=hdv) for i, hdv in enumerate(hdvs)])
    query = flipped(hdvs[7], 100)
    expected = sorted((hamming(hdv, query), memory_id) for hdv, memory_id in zip(hdvs, ids, strict=True))
    for exact in (True, False):
        hits = await store.query(query, k=30, exact=exact)
        assert [(hit.distance, hit.memory_id) for hit in hits] == expected[:30]
    assert [hit.similarity for hit in hits] == pytest.approx([1 - hit.distance / BITS for hit in hits])
    assert len(await store.query(query, k=4096)) == 60


async def test_what_is_stored_is_what_is_read(store: VectorStore) -> None:
    hdv = hypervectors(1)[0]
    attributes = {"n": 1.5, "tags": ["a", "ä"], "nested": {"deep": None}, "yes": True}
    memory = Memory("Größe 漢字 🙂", key="k", context="c", session="s", attributes=attributes, hdv=hdv)
    (memory_id,) = await store.store([memory])
    (record,) = await store.get([memory_id])
    assert record is not None
    assert (record.memory_id, record.key, record.content) == (memory_id, "k", "Größe 漢字 🙂")
    assert (record.context, record.session, record.attributes) == ("c", "s", attributes)
    assert record.hdv.tobytes() == hdv.tobytes()
    (hit,) = await store.query(hdv, k=1)
    assert (hit.memory_id, hit.key, hit.distance, hit.content) == (memory_id, "k", 0, memory.content)
    assert (hit.tier, hit.attributes, hit.created_at) == ("hot", attributes, record.created_at)


async def test_get_keeps_the_order_and_marks_the_missing(store: VectorStore) -> None:
    ids = await store.store([Memory(str(i), hdv=hdv) for i, hdv in enumerate(hypervectors(3))])
    missing = MemoryId(uuid4())
    found = await store.get([ids[2], missing, ids[0], ids[2]])
    assert [record and record.content for record in found] == ["2", None, "0", "2"]


async def test_a_key_used_again_keeps_its_id(store: VectorStore) -> None:
    first, second, third = hypervectors(3)
    ids = await store.store([Memory("one", key="a", hdv=first), Memory("other", key="b", hdv=second)])
    (before,) = await store.get(ids[:1])
    again = await store.store([Memory("lost", key="a", hdv=second), Memory("two", key="a", hdv=third)])
    assert again == [ids[0], ids[0]]
    (record,) = await store.get(ids[:1])
    assert record is not None
    assert before is not None
    assert (record.content, record.hdv.tobytes(), record.created_at) == (
        "two",
        third.tobytes(),
        before.created_at,
    )
    assert await store.count() == 2


async def test_delete_forgets_and_frees_the_key(store: VectorStore) -> None:
    hdvs = hypervectors(3)
    ids = await store.store([Memory(str(i), key=str(i), hdv=hdv) for i, hdv in enumerate(hdvs)])
    assert await store.delete([ids[1], MemoryId(uuid4()), ids[1]]) == 1
    assert await store.delete([ids[1]]) == 0
    assert await store.count() == 2
    assert ids[1] not in [hit.memory_id for hit in await store.query(hdvs[1])]
    (new_id,) = await store.store([Memory("new", key="1", hdv=hdvs[1])])
    assert new_id != ids[1]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"n": 3}, [3]),
        ({"n": {"$gte": 7}}, [7, 8, 9]),
        ({"n": {"$in": [1, 5]}, "odd": True}, [1, 5]),
        ({"$or": [{"n": 0}, {"tag": "t2"}]}, [0, 2, 5, 8]),
        ({"tag": {"$exists": False}}, [9]),
        ({"tag": {"$ne": "t1"}}, [0, 2, 3, 5, 6, 8, 9]),
        ({"n": {"$not": {"$lt": 8}}}, [8, 9]),
        ({"n": "3"}, []),
    ],
)
async def test_filters_select(store: VectorStore, where: dict[str, object], expected: list[int]) -> None:
    def attributes(i: int) -> dict[str, object]:
        return {"n": i, "odd": i % 2 == 1} | ({"tag": f"t{i % 3}"} if i < 9 else {})

    hdvs = hypervectors(10)
    await store.store([Memory(str(i), hdv=hdv, attributes=attributes(i)) for i, hdv in enumerate(hdvs)])
    hits = await store.query(hdvs[0], where=where)
    assert sorted(int(hit.content) for hit in hits) == expected
    assert await store.count(where) == len(expected)
    page = await store.scroll(where=where)
    assert sorted(int(record.content) for record in page.records) == expected


async def test_contexts_are_apart(store: VectorStore) -> None:
    hdvs = hypervectors(6)
    await store.store([Memory(str(i), context="ab"[i % 2], hdv=hdv) for i, hdv in enumerate(hdvs)])
    assert {hit.content for hit in await store.query(hdvs[0], context="b")} == {"1", "3", "5"}
    assert await store.query(hdvs[0], context="c") == []


async def test_scroll_meets_each_record_once(store: VectorStore) -> None:
    ids = await store.store([Memory(str(i), hdv=hdv) for i, hdv in enumerate(hypervectors(25))])
    met: list[Record] = []
    page = await store.scroll(limit=10)
    met.extend(page.records)
    while page.after is not None:
        page = await store.scroll(page.after, limit=10)
        met.extend(page.records)
    assert len(met) == 25
    assert {record.memory_id for record in met} == set(ids)


async def test_texts_and_embeddings_become_hypervectors(store: VectorStore) -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(3, 12)).astype(np.float32)
    await store.store([Memory("how to connect to a database"), Memory("painting the house red")])
    await store.store([Memory(f"embedded {i}", embedding=vector) for i, vector in enumerate(embeddings)])
    (hit,) = await store.query("database connection", k=1)
    assert hit.content == "how to connect to a database"
    (hit,) = await store.query(embedding=embeddings[2] + 0.01, k=1)
    assert hit.content == "embedded 2"


NAN = np.array([np.nan] * 12, np.float32)


@pytest.mark.parametrize(
    ("memory", "error", "culprit"),
    [
        (Memory("x", hdv=np.zeros(BITS // 8 + 1, np.uint8)), InvalidHypervector, "memory 2"),
        (Memory("x", hdv=np.zeros(BITS // 8, np.float32)), InvalidHypervector, "float32"),
        (Memory("  "), InvalidArgument, "content of memory 2"),
        (Memory("a\x00b"), InvalidArgument, "NUL"),
        (Memory("lone \ud800"), InvalidArgument, "memory 2"),
        (Memory("x", key=""), InvalidArgument, "key of memory 2"),
        (Memory("x", key="k", importance=1.5), InvalidArgument, "1.5"),
        (Memory("x", tier="lukewarm"), UnknownTier, "lukewarm"),  # type: ignore[arg-type]
        (Memory("x", embedding=NAN), InvalidEmbedding, "NaN"),
        (Memory("x", embedding=np.ones(13)), InvalidEmbedding, "13"),
        (Memory("x", attributes={"when": object()}), InvalidArgument, "attributes"),
        (Memory("x", attributes={"n": float("nan")}), InvalidArgument, "attributes"),
    ],
)
async def test_a_bad_memory_is_named_and_nothing_is_stored(
    store: VectorStore, memory: Memory, error: type[Exception], culprit: str
) -> None:
    await store.store([Memory("fixes the dimension", embedding=np.ones(12))])
    with pytest.raises(error, match=culprit):
        await store.store([Memory("good", key="good"), memory, Memory("good too")])
    assert await store.count() == 1


@pytest.mark.parametrize("k", [0, -1, 100_000])
async def test_k_out_of_range_is_refused(store: VectorStore, k: int) -> None:
    with pytest.raises(InvalidArgument, match=str(k)):
        await store.query(hypervectors(1)[0], k=k)


@pytest.mark.parametrize(
    ("where", "culprit"),
    [
        ({"$almost": 1}, r"\$almost"),
        ({"a": {"$gt": [1]}}, "'a'"),
        ({"$or": []}, r"\$or"),
        ({"a": {}}, "'a'"),
        ({"a": {"$regex": "x"}}, r"\$regex"),
    ],
)
async def test_a_malformed_filter_is_refused(
    store: VectorStore, where: dict[str, object], culprit: str
) -> None:
    for ask in (store.query(hypervectors(1)[0], where=where), store.count(where), store.scroll(where=where)):
        with pytest.raises(MalformedFilter, match=culprit):
            await ask


async def test_an_empty_query_is_refused(store: VectorStore) -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        await store.query("  ")
    with pytest.raises(InvalidHypervector, match="the query"):
        await store.query(np.zeros(3, np.uint8))


def test_the_registry_names_its_stores() -> None:
    assert {"memory", "postgres"} <= set(store_names())
    with pytest.raises(InvalidArgument, match="'oracle'"):
        create_store("oracle")
    with pytest.raises(InvalidArgument, match="'memory'"):
        register_store("memory", open_store)
