"""The second stage: each term against a plain model, and what it must never change (M3, H5)."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.encoders.text import tokens
from tests.conftest import Connection, DatabaseFactory
from tests.support.memories import Draft, Vectors, bit_text, remember_all

BITS = 1_024
START = datetime(2031, 5, 1, 12, tzinfo=UTC)
QUESTION = "Where did Ann paint the lake, 山と川 again?"
VOCABULARY = (
    *("ann", "bob", "paint", "painted", "lake", "the", "river", "where"),
    *("today", "sky", "山と川", "山", "☀", "zurich", "again", "a"),
)
WEIGHTS: dict[str, float] = {
    "candidates": 30, "coverage": 0.3, "question": -0.1, "length": 0.05, "role": 0.07, "density": 0.6,
    "embedding": 0.2, "recency": 0.11, "recency_days": 5, "strength": 0.13, "importance": 0.17,
}  # fmt: skip
NOTHING: dict[str, float] = {name: 0 for name in WEIGHTS if name not in ("candidates", "recency_days")}


@pytest.fixture
def small(database_factory: DatabaseFactory) -> Iterator[Connection]:
    """A database of 1,024 bits whose clock stands."""
    with psycopg.connect(database_factory(BITS, 256), autocommit=True) as connection:
        connection.execute("select set_config('mnemo.clock', %s, false)", [START.isoformat()])
        yield connection


@dataclass
class World:
    """A query and memories at known distances from it, some of them turns of dialogues."""

    query: Vectors
    embedding: list[float]
    drafts: list[Draft]
    ids: list[UUID]

    def distance(self, at: int) -> int:
        hdv = self.drafts[at].hdv
        assert hdv is not None
        return int(np.bitwise_count(hdv ^ self.query).sum())


def flipped(vector: Vectors, bits: int) -> Vectors:
    mask = np.zeros(8 * vector.size, np.uint8)
    mask[:bits] = 1
    return vector ^ np.packbits(mask)


def populate(connection: Connection, seed: int = 1, rows: int = 60) -> World:
    rng = np.random.default_rng(seed)
    query = rng.integers(0, 256, BITS // 8, np.uint8)
    distances = rng.permutation(np.arange(100, 100 + 5 * rows, 5) // 10 * 10)
    drafts = []
    for at in range(rows):
        drafts.append(
            Draft(
                " ".join(rng.choice(VOCABULARY, rng.integers(1, 9))) + ("", "?", "？ ", " ? ok", "!")[at % 5],
                flipped(query, int(distances[at])),
                embedding=None if at % 7 == 0 else rng.integers(-127, 128, 8, np.int8).tobytes(),
                context=None if at % 11 == 0 else f"c{at % 2}",
                session=None if at % 13 == 0 else f"s{at // 20}",
                occurred_at=START - timedelta(hours=int(rng.integers(0, 40)) // 2),
                attributes={"speaker": ("Ann", "Bob")[at % 2]},
                importance=0.1 + 0.01 * at,
            )
        )
    ids = remember_all(connection, drafts)
    # As they stand in the row, whatever the formulas of scores make of what is given at a writing.
    with connection.cursor() as cursor:
        cursor.executemany(
            "update mnemo.memory set attributes = attributes || %s where id = %s",
            [(Jsonb({"scores": {"importance": importance(at)}}), ids[at]) for at in range(rows) if at % 3],
        )
    return World(query, rng.normal(size=8).tolist(), drafts, ids)


def importance(at: int) -> float:
    return 0.25 * (at % 5) if at % 3 else 0


def log2(x: int) -> int:
    return (int(struct.unpack(">q", struct.pack(">d", x))[0]) >> 44) - 261_888


def words(text: str) -> set[str]:
    single, pairs = tokens(text)
    return {*single, *pairs}


def model(world: World, now: datetime, half_life_days: float) -> dict[UUID, dict[str, float]]:
    """Return the terms of the nearest 30, each as its definition reads."""
    drafts, ids = world.drafts, world.ids
    similarity = [1 - world.distance(at) / BITS for at in range(len(drafts))]
    chosen = sorted(range(len(drafts)), key=lambda at: (-similarity[at], ids[at]))[:30]
    lowest = min(similarity[at] for at in chosen)
    place: dict[int, tuple[str, str, int]] = {}
    for context in ("c0", "c1"):
        for session in ("s0", "s1", "s2"):
            turns = [a for a, d in enumerate(drafts) if (d.context, d.session) == (context, session)]
            turns.sort(key=lambda at: (drafts[at].occurred_at, ids[at]))
            place |= {turn: (context, session, position) for position, turn in enumerate(turns)}

    def apart(a: int, b: int) -> float:
        if a == b:
            return 0
        if a not in place or b not in place or place[a][:2] != place[b][:2]:
            return math.inf
        return abs(place[a][2] - place[b][2])

    written = [words(draft.content) for draft in drafts]
    holding = {w: sum(w in text for text in written) for w in words(QUESTION)}
    idf = {w: max(32, log2(2 * len(drafts) + 2) - log2(2 * holding[w] + 1)) for w in holding}
    terms = {}
    for at in chosen:
        draft = drafts[at]
        near = set().union(*(written[other] for other in chosen if apart(at, other) <= 2))
        age = (now - (draft.occurred_at or now)) / timedelta(days=1)
        cosine = 0.0
        if draft.embedding is not None:
            own = np.frombuffer(draft.embedding, np.int8).astype(float)
            other_one = np.array(world.embedding, np.float32).astype(float)
            cosine = float(own @ other_one / np.linalg.norm(own) / np.linalg.norm(other_one))
        values = {
            "coverage": sum(idf[w] for w in idf if w in near) / sum(idf.values()),
            "question": float(at in place and draft.content.rstrip().endswith(("?", "？"))),
            "length": math.log(len(draft.content) / 100) if at in place else 0,
            "role": float(draft.attributes["speaker"] == "Ann"),
            "density": sum(
                0.5 ** apart(at, other) * (similarity[other] - lowest)
                for other in chosen
                if other != at and apart(at, other) <= 6
            ),
            "embedding": cosine,
            "recency": 0.5 ** (age / WEIGHTS["recency_days"]),
            "strength": draft.importance * 0.5 ** ((now - START) / timedelta(days=1) / half_life_days),
            "importance": importance(at),
        }
        terms[ids[at]] = {"similarity": similarity[at]} | {n: WEIGHTS[n] * v for n, v in values.items()}
    return terms


def alter(connection: Connection, ranking: dict[str, float]) -> Any:
    row = connection.execute("select mnemo.alter_collection('memories', %s)", [Jsonb(ranking)]).fetchone()
    assert row is not None
    return row[0]


def ask(
    connection: Connection, world: World, k: int, function: str = "search_text", **options: Any
) -> list[tuple[UUID, int, float, float, dict[str, float]]]:
    """Return (id, distance, similarity, score, terms) of each hit."""
    given = {"query": QUESTION, "embedding": world.embedding, "hdv": bit_text(world.query), **options}
    casts = {"embedding": "::real[]", "hdv": "::varbit", "filter": "::jsonb", "query": "::text"}
    arguments = ", ".join(f"{name} => %s{casts.get(name, '')}" for name in given)
    return connection.execute(
        "select memory_id, distance, similarity, score, score_terms"  # noqa: S608
        f" from mnemo.{function}(k => {k}, {arguments})".encode(),
        list(given.values()),
    ).fetchall()


def test_each_term_is_what_its_definition_says(small: Connection) -> None:
    world = populate(small)
    assert alter(small, WEIGHTS) == WEIGHTS
    now = START + timedelta(days=3)
    small.execute("select set_config('mnemo.clock', %s, false)", [now.isoformat()])
    row = small.execute("select mnemo.setting('half_life_days')").fetchone()
    assert row is not None
    expected = model(world, now, row[0])
    hits = ask(small, world, 30)
    assert {hit[0] for hit in hits} == set(expected)
    for memory, _, similarity, score, terms in hits:
        assert terms == pytest.approx(expected[memory], rel=1e-6, abs=1e-9), memory
        assert terms["similarity"] == similarity
        assert score == pytest.approx(sum(terms.values()), abs=1e-12)
    assert hits == sorted(hits, key=lambda hit: (-hit[3], hit[1], hit[0]))
    assert hits != sorted(hits, key=lambda hit: (hit[1], hit[0])), "or this shows nothing"
    assert ask(small, world, 7) == hits[:7], "the best of the same candidates"
    assert ask(small, world, 7, exact=True) == hits[:7]


def test_without_weights_or_candidates_the_first_stage_stands(small: Connection) -> None:
    world = populate(small)
    nearest = small.execute(
        "select memory_id, distance, similarity, score from mnemo.search(%s::varbit, 40)",
        [bit_text(world.query)],
    ).fetchall()
    for ranking in (NOTHING, {**WEIGHTS, "candidates": 0}):
        alter(small, ranking)
        hits = ask(small, world, 40)
        assert [hit[:4] for hit in hits] == nearest
        assert all(hit[4] == {"similarity": hit[2]} for hit in hits), "what weighs nothing is not computed"
    alter(small, {**WEIGHTS, "candidates": 5})
    assert {hit[0] for hit in ask(small, world, 40)} == {row[0] for row in nearest}, "at least k take part"
    assert {hit[0] for hit in ask(small, world, 2)} <= {row[0] for row in nearest[:5]}
    for definition, candidates in (
        ("encoder => 'lexical'", 0),
        ("encoder => 'lexical', ranking => '{\"candidates\": 9}'", 9),
        ("ranking => '{\"role\": 1}'", 100),
    ):
        small.execute(f"select mnemo.create_collection('c{candidates}', {definition})".encode())
        row = small.execute(
            "select (ranking ->> 'candidates')::int from mnemo.collection where name = %s", [f"c{candidates}"]
        ).fetchone()
        assert row == (candidates,)


def test_only_what_may_be_seen_takes_part(small: Connection) -> None:
    alter(small, WEIGHTS)
    world = populate(small)
    before = ask(small, world, 60, context="c0", filter=Jsonb({"speaker": "Ann"}))
    small.execute("set mnemo.tenant = 'other'")
    assert ask(small, world, 60) == []
    populate(small, seed=2)
    small.execute("reset mnemo.tenant")
    # Statistics of words are the tenant's own, so nothing at all may have changed.
    assert ask(small, world, 60, context="c0", filter=Jsonb({"speaker": "Ann"})) == before
    assert {hit[0] for hit in before} == {
        memory
        for memory, draft in zip(world.ids, world.drafts, strict=True)
        if draft.context == "c0" and draft.attributes["speaker"] == "Ann"
    }


def test_recall_text_records_and_search_text_writes_nothing(small: Connection) -> None:
    world = populate(small)
    with small.transaction():
        small.execute("set transaction read only")
        found = ask(small, world, 3, context="c1")
    assert small.execute("select memory_ids from mnemo.access_log").fetchall() == []
    assert ask(small, world, 3, "recall_text", context="c1") == found
    logged = small.execute("select memory_ids, context from mnemo.access_log").fetchall()
    assert logged == [([hit[0] for hit in found], "c1")]
    # Encoded here from the text itself: another hypervector, and no error without an embedding.
    assert len(ask(small, world, 3, hdv=None, embedding=None)) == 3
    assert len(ask(small, world, 3, query=None, embedding=None)) == 3, "no words to cover"


def test_h5_what_is_predicted_competes_by_the_same_terms(small: Connection) -> None:
    """The predicted memory is not among the candidates, and its words lift it over them all the same."""
    query = np.random.default_rng(1).integers(0, 256, BITS // 8, np.uint8)
    texts = {"nothing": 100, "near": 101, QUESTION: 120}
    drafts = [Draft(text, flipped(query, d), context="task") for text, d in texts.items()]
    world = World(query, [], drafts, remember_all(small, drafts))
    nothing, near, answer = world.ids
    alter(small, NOTHING | {"candidates": 1, "coverage": 0.5})
    options: dict[str, Any] = {"embedding": None, "context": "task"}
    assert [hit[0] for hit in ask(small, world, 2, "recall_text", **options)] == [nothing, near]
    small.execute("truncate mnemo.access_log")
    small.execute(
        "insert into mnemo.access_log (at, memory_ids, context) values (mnemo.now(), %s, 'task')",
        [[near, answer]],
    )
    small.execute("select mnemo.fold_accesses()")
    first, second = ask(small, world, 2, "recall_text", **options)
    assert (first[0], second[0]) == (answer, near)
    assert first[4] == pytest.approx(
        {"similarity": 1 - 120 / BITS, "coverage": 0.5, "prediction": 0.02 * 0.1, "strength": 0}, rel=1e-6
    )
    assert first[3] == pytest.approx(sum(first[4].values()), abs=1e-12)
    assert [hit[0] for hit in ask(small, world, 2, **options)] == [nothing, near], "search learns nothing"
    assert ask(small, world, 2, "recall_text", **{**options, "context": None})[0][0] == answer


@pytest.mark.parametrize(
    ("ranking", "culprit"),
    [
        ('{"cover": 1}', "cover"),
        ('{"coverage": 11}', "coverage"),
        ('{"coverage": "1"}', "coverage"),
        ('{"candidates": 1.5}', "candidates"),
        ('{"candidates": 1001}', "candidates"),
        ('{"recency_days": 0}', "recency_days"),
        ("[1]", "array"),
        (None, "null"),
    ],
)
def test_a_bad_ranking_is_refused_by_name(
    module_connection: Connection, ranking: str | None, culprit: str
) -> None:
    for statement in (
        "select mnemo.create_collection('bad', ranking => %s)",
        "select mnemo.alter_collection('memories', %s)",
    ):
        with pytest.raises(psycopg.Error, match=culprit) as refused:
            module_connection.execute(statement, [ranking])
        assert refused.value.sqlstate == "MN002"
    with pytest.raises(psycopg.Error) as unknown:
        module_connection.execute("select mnemo.alter_collection('none', '{}')")
    assert unknown.value.sqlstate == "MN004"
