"""Distances, searches and joins as ORM queries, against an oracle that counts bits."""

from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Select, and_, func, select, text, true
from sqlalchemy.orm import Session, aliased

from engine.errors import (
    InvalidArgument,
    InvalidHypervector,
    MalformedFilter,
    UnknownCollection,
    UnknownTier,
)
from engine.orm import (
    Activity,
    Collection,
    Hypervector,
    Job,
    JobStatus,
    Memory,
    Policy,
    Segment,
    StoredMemory,
    Tier,
    TierStats,
    nearest,
    recall,
    recall_text,
    search,
)
from tests.orm.conftest import BITS, STORED, Run, near, oracle, vector

QUERY = near(7, 800)


async def test_the_order_of_distances_is_that_of_counted_bits(read: Run) -> None:
    def work(session: Session) -> None:
        distance = Memory.hdv.hamming(QUERY).label("distance")
        rows = session.execute(
            select(distance, Memory.attributes["i"].as_integer()).order_by("distance")
        ).all()
        assert sorted(map(tuple, rows)) == oracle(QUERY)
        assert [row.distance for row in rows] == [d for d, _ in oracle(QUERY)]
        assert isinstance(rows[0].distance, int)
        close = select(func.count()).where(Memory.hdv.hamming(QUERY) <= 800)
        assert session.scalar(close) == 1

    await read(work)


async def test_expressions_are_the_algebra(read: Run) -> None:
    def work(session: Session) -> None:
        row = session.execute(
            select(
                Memory.hdv,
                Memory.hdv.bind(QUERY).label("bound"),
                Memory.hdv.permute(-3).label("permuted"),
                Memory.hdv.sketch(512).label("head"),
                Memory.hdv.sketch().label("sketch"),
                Memory.hdv.similarity(QUERY).label("similarity"),
                Memory.hdv.bind(Memory.hdv).label("nothing"),
            ).where(Memory.key == "5")
        ).one()
        bits = np.unpackbits(vector(5))
        assert np.array_equal(row.hdv, vector(5))
        assert np.array_equal(np.unpackbits(row.bound), bits ^ np.unpackbits(QUERY))
        assert np.array_equal(np.unpackbits(row.permuted), np.roll(bits, -3))
        assert np.array_equal(np.unpackbits(row.head), bits[:512])
        assert np.array_equal(np.unpackbits(row.sketch), bits[:1536])
        assert row.similarity == 1 - oracle_distance(5) / BITS
        assert not row.nothing.any()
        bundle = func.mnemo.bundle(Memory.hdv, type_=Hypervector())
        majority = session.scalar(select(bundle).where(Memory.key.in_(["1", "2", "3"])))
        assert majority is not None
        votes = sum(np.unpackbits(vector(i)).astype(int) for i in (1, 2, 3))
        assert np.array_equal(np.unpackbits(majority), votes > 1)

    await read(work)


async def test_nearest_ranks_by_the_whole_hypervector(read: Run) -> None:
    def work(session: Session) -> None:
        rows = session.execute(nearest(QUERY, 20, candidates=STORED)).all()
        assert [(distance, memory.attributes["i"]) for memory, distance in rows] == oracle(QUERY)[:20]
        ((memory, distance),) = session.execute(nearest(QUERY, 1)).all()
        assert (memory.key, distance) == ("7", 800)
        warm = session.execute(nearest(QUERY, 5, tier="warm")).all()
        expected = [(d, i) for d, i in oracle(QUERY) if i >= STORED - 10]
        assert [(d, m.attributes["i"]) for m, d in warm] == expected[:5]
        assert session.execute(nearest(QUERY, 5, tier="cold")).all() == []
        narrow = nearest(QUERY, 3, context="c1", where=[StoredMemory.key.startswith("1")])
        expected = [(d, i) for d, i in oracle(QUERY) if i % 3 == 1 and str(i).startswith("1")]
        assert [(d, m.attributes["i"]) for m, d in session.execute(narrow)] == expected[:3]

    await read(work)


async def test_nearest_scans_the_sketch_index(read: Run) -> None:
    def work(session: Session) -> None:
        plan = explain(session, nearest(QUERY, 10, tier="hot"))
        assert "Index Scan using memory_hot_sketch" in plan
        assert "memory_warm" not in plan
        assert "Seq Scan" not in plan
        plan = explain(session, nearest(QUERY, 10))
        assert "Merge Append" in plan
        assert all(f"Index Scan using memory_{tier}_sketch" in plan for tier in ("hot", "warm", "cold_2"))

        # A statement that is used again gets prepared, and then perhaps a generic plan.
        for i in range(20):
            memory, _ = session.execute(nearest(near(i, 80), 1, tier="hot")).one()
            assert memory.key == str(i)
        scans = "select pg_stat_get_xact_numscans('mnemo.memory_hot_sketch'::regclass)"
        assert session.scalar(text(scans)) == 20

    await read(work)


async def test_searches_join_mapped_classes(read: Run) -> None:
    def work(session: Session) -> None:
        hits = search(QUERY, 5, exact=True)
        rows = session.execute(hits.select()).all()
        assert [(row.distance, int(row.key or "")) for row in rows] == oracle(QUERY)[:5]
        assert rows[0].similarity == 1 - 800 / BITS
        assert (rows[0].content, rows[0].attributes, rows[0].tier) == ("memory 7", {"i": 7}, "hot")

        joined = session.execute(
            select(Memory, hits.distance, Activity.ltp)
            .join(hits.rows, hits.memory_id == Memory.id)
            .join(Activity, Activity.id == hits.memory_id)
            .order_by(hits.distance)
        ).all()
        assert [(d, m.attributes["i"]) for m, d, _ in joined] == oracle(QUERY)[:5]
        assert {round(ltp, 6) for *_, ltp in joined} == {0.8}

        found = aliased(StoredMemory, nearest(QUERY, 3, candidates=STORED).subquery())
        strengths = session.execute(
            select(found.key, Activity.tier).join(
                Activity, and_(Activity.bucket == found.bucket, Activity.id == found.id)
            )
        ).all()
        assert {int(row.key or "") for row in strengths} == {i for _, i in oracle(QUERY)[:3]}

        filtered = search(QUERY, 3, context="c0", where={"i": {"$lt": 50}}).select()
        expected = [i for _, i in oracle(QUERY) if i % 3 == 0 and i < 50]
        assert [row.attributes["i"] for row in session.execute(filtered)] == expected[:3]

        other = search(Memory.hdv, 2)
        pairs = select(Memory.key, other.key).select_from(Memory).join(other.rows, true())
        found_itself = session.execute(pairs.where(Memory.key.in_(["8", "9"]), other.distance == 0)).all()
        assert sorted(map(tuple, found_itself)) == [("8", "8"), ("9", "9")]

    await read(work)


async def test_recall_records_what_it_returned(read: Run, filled_dsn: str) -> None:
    def work(session: Session) -> list[Any]:
        ids = session.scalars(recall(QUERY, 4).select()).all()
        texts = session.execute(recall_text("memory 12", 3).select()).all()
        assert len(texts) == 3
        session.commit()
        return [list(ids), [row.memory_id for row in texts]]

    returned = await read(work)
    with psycopg.connect(filled_dsn, autocommit=True) as connection:
        logged = connection.execute("delete from mnemo.access_log returning memory_ids").fetchall()
    assert [row[0] for row in logged] == returned


async def test_tables_and_views_are_read(read: Run) -> None:
    def work(session: Session) -> None:
        memory = session.scalars(select(StoredMemory).where(StoredMemory.key == "7")).one()
        assert (memory.activity.id, memory.activity.tier) == (memory.id, "hot")
        assert session.scalars(select(Collection)).one().name == "memories"
        tiers = [t.tier for t in session.scalars(select(Tier).order_by(Tier.place))]
        assert tiers == ["hot", "warm", "cold", "archive"]
        assert {s.relation for s in session.scalars(select(Segment))} == {
            "memory_hot",
            "memory_warm",
            "memory_cold_2",
        }
        stats = {s.tier: s for s in session.scalars(select(TierStats))}
        assert [(stats[t].memories, stats[t].segments) for t in ("hot", "warm", "cold")] == [
            (STORED - 10, 1),
            (10, 1),
            (0, 1),
        ]
        assert stats["cold"].mean_strength is None
        assert stats["hot"].total_bytes == stats["hot"].heap_bytes + stats["hot"].index_bytes
        capacity = session.scalars(select(Policy).where(Policy.kind == "eviction")).one()
        assert (capacity.tier, capacity.capacity_rows) == ("hot", stats["hot"].capacity_rows)
        state = {job.name: job.state for job in session.scalars(select(JobStatus))}
        assert state["adapt"] == "disabled"
        assert set(state) == set(session.scalars(select(Job.name)))

    await read(work)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (search(QUERY[:128]).select(), InvalidHypervector),
        (search(QUERY, 0).select(), InvalidArgument),
        (search(QUERY, where={"i": {"$near": 1}}).select(), MalformedFilter),
        (search(QUERY, collection="unknown").select(), UnknownCollection),
        (select(Memory.hdv.hamming(QUERY[:128])), InvalidHypervector),
        (select(Memory.hdv.bind(QUERY[:128])), InvalidHypervector),
        (nearest(QUERY[:128]), InvalidHypervector),
        (nearest(QUERY.astype(np.float32)), InvalidHypervector),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(
    read: Run, statement: Select[*tuple[Any, ...]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await read(lambda session: session.execute(statement).all())


def test_what_python_can_refuse_it_refuses() -> None:
    for k, candidates in ((0, None), (10, 9)):
        with pytest.raises(InvalidArgument):
            nearest(QUERY, k, candidates=candidates)
    with pytest.raises(UnknownTier, match="tepid"):
        nearest(QUERY, tier="tepid")
    with pytest.raises(InvalidArgument):
        Memory.hdv.sketch(0)


def oracle_distance(i: int) -> int:
    return next(distance for distance, j in oracle(QUERY) if j == i)


def explain(session: Session, statement: Select[*tuple[Any, ...]]) -> str:
    bind = session.get_bind()
    compiled = statement.compile(bind, compile_kwargs={"literal_binds": True})
    rows = session.connection().exec_driver_sql(f"explain (costs off) {compiled}")
    return "\n".join(row[0] for row in rows)
