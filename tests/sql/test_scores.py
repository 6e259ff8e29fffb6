"""Scores of memories: importance and spark by their formulas, strength at birth, filters, refusals."""

import math
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.conftest import Connection
from tests.support.memories import Draft, remember_all

NAMES = ("significance", "user_rating", "relevance", "emotional_impact", "technical_value")
SHARES = st.integers(0, 10**6).map(lambda n: n / 10**6) | st.sampled_from([0.0, 1.0, 1e-300, 1 / 3])
SCORES = st.dictionaries(st.sampled_from((*NAMES, "confidence")), SHARES)


@pytest.fixture(scope="module")
def shared(databases: Any) -> Any:
    """A small database for properties that write nothing."""
    with databases.migrated(1_024, 256) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def value(connection: Connection, query: Any, *arguments: Any) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def importance(scores: dict[str, float], accesses: int = 0) -> float:
    """The formula of docs/lifecycle.md, in plain Python."""
    weights = dict(zip(NAMES, (3, 3, 2, 1, 1), strict=True))
    told = {name: weight for name, weight in weights.items() if name in scores}
    mean = sum(w * scores[n] for n, w in told.items()) / sum(told.values()) if told else 0.8
    base = 0.8 + scores.get("confidence", 1.0) * (mean - 0.8)
    return base + (1 - base) * accesses / (accesses + 20)


def spark(scores: dict[str, float], surprise: float | None = None) -> float:
    weights = dict(zip(NAMES, (2, 1, 1, 2, 1), strict=True))
    told = {name: weight for name, weight in weights.items() if name in scores}
    mean = (
        math.prod(round(scores[n], 6) ** (w / sum(told.values())) for n, w in told.items()) if told else 0.5
    )
    lift = 1 - scores.get("confidence", 1.0) if surprise is None else surprise
    return mean + mean * (1 - mean) * lift / 2


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SCORES, st.integers(0, 10**12), st.none() | SHARES, st.sampled_from(NAMES), SHARES)
def test_m3_the_formulas(
    shared: Connection,
    scores: dict[str, float],
    accesses: int,
    surprise: float | None,
    name: str,
    more: float,
) -> None:
    ask = "select mnemo.importance_of(%s, %s), mnemo.spark_of(%s, %s)"
    found, sparks = value(shared, ask, Jsonb(scores), accesses, Jsonb(scores), surprise)
    assert found == pytest.approx(importance(scores, accesses), abs=1e-4)
    assert sparks == pytest.approx(spark(scores, surprise), abs=1e-4)
    assert 0 <= found <= 1
    assert 0 <= sparks <= 1
    if name in scores:
        risen = {**scores, name: max(scores[name], more)}
        higher, brighter = value(shared, ask, Jsonb(risen), accesses + 1, Jsonb(risen), surprise)
        assert higher >= found
        assert brighter >= sparks


def test_m3_nothing_given_is_neutral_and_tags_say_nothing(shared: Connection) -> None:
    for scores in (None, Jsonb({}), Jsonb({"tags": ["a"], "source": "chat", "significance": None})):
        assert value(shared, "select mnemo.importance_of(%s), mnemo.spark_of(%s)", scores, scores) == (
            0.8,
            0.5,
        )
    # What nobody is sure of counts as what nobody has scored.
    assert value(shared, 'select mnemo.importance_of(\'{"significance": 0.1, "confidence": 0}\')') == 0.8


BAD: list[tuple[Any, str]] = [
    ({"significance": 1.5}, "score 'significance' must be a number from 0 to 1, not 1.5"),
    ({"confidence": -0.1}, "score 'confidence' must be a number from 0 to 1, not -0.1"),
    ({"relevance": "high"}, "score 'relevance' must be a number from 0 to 1, not \"high\""),
    ({"user_rating": [1]}, "score 'user_rating' must be a number from 0 to 1, not [1]"),
    ({"grandeur": 1}, "there is no score 'grandeur'"),
    ({"source": 7}, "score 'source' must be a text of at most 1000 bytes, not 7"),
    ({"tags": "a"}, "score 'tags' must be an array of at most 64 texts of at most 200 bytes, not \"a\""),
    ({"tags": ["a", 1]}, "score 'tags' must be an array"),
    ({"tags": ["é" * 101]}, "score 'tags' must be an array"),
    ({"tags": ["a"] * 65}, "score 'tags' must be an array"),
]  # fmt: skip


def test_m3_what_is_no_score_is_refused_by_name_on_every_way_in(small: Connection) -> None:
    made = value(small, "select mnemo.remember('kept')")
    for scores, message in BAD:
        attributes = Jsonb({"scores": scores})
        for query, arguments in (
            ("select mnemo.remember('x', scores => %s)", [Jsonb(scores)]),
            ("select mnemo.remember('x', attributes => %s)", [attributes]),
            ("select mnemo.set_attributes(%s, %s)", [made, attributes]),
            ("insert into mnemo.memories (content, attributes) values ('x', %s)", [attributes]),
            ("update mnemo.memories set attributes = %s", [attributes]),
            ("select mnemo.importance_of(%s)", [Jsonb(scores)]),
            ("select mnemo.spark_of(%s)", [Jsonb(scores)]),
        ):
            with pytest.raises(psycopg.Error) as refused:
                small.execute(query, arguments)
            assert refused.value.sqlstate == "MN002", query
            assert str(refused.value).startswith(message), query
        with pytest.raises(psycopg.Error) as refused:
            remember_all(
                small, [Draft("x", None), Draft("y", None, attributes={"scores": scores}, key="bad")]
            )
        assert (refused.value.sqlstate, refused.value.diag.message_detail) == (
            "MN002",
            "Memory 2 of the batch, key 'bad'.",
        )
    for query in ("importance_of('{}', -1)", "spark_of('{}', 1.5)", "remember('x', scores => '[]')"):
        with pytest.raises(psycopg.Error) as refused:
            small.execute(f"select mnemo.{query}".encode())
        assert refused.value.sqlstate == "MN002"
    assert value(small, "select array_agg(content), array_agg(attributes) from mnemo.memories") == (
        ["kept"],
        [{}],
    )


def test_m3_importance_is_the_strength_at_birth_unless_it_is_given(small: Connection) -> None:
    small.execute("set mnemo.clock = '2030-01-01 00:00:00+00'")
    scores = {"significance": 1, "relevance": 0.25, "tags": ["a", "b"], "source": None}
    kept = {**{n: s for n, s in scores.items() if s is not None}, "importance": 0.7, "spark": 0.63}
    born: list[tuple[UUID, float]] = [
        (value(small, "select mnemo.remember('a', scores => %s)", Jsonb(scores)), 0.7),
        (value(small, "select mnemo.remember('b', scores => %s, importance => 0.1)", Jsonb(scores)), 0.1),
        (value(small, "select mnemo.remember('c', attributes => %s)", Jsonb({"scores": scores})), 0.7),
        (value(small, "insert into mnemo.memories (content, attributes) values ('d', %s) returning id",
               Jsonb({"scores": {**scores, "importance": 1, "spark": "?"}})), 0.7),
        (value(small, "select mnemo.remember('e')"), 0.8),
        # Anything but an object is an attribute like any other.
        (value(small, "select mnemo.remember('f', attributes => '{\"scores\": [3, 1]}')"), 0.8),
    ]  # fmt: skip
    staged: Any = Draft("g", None, attributes={"scores": scores}, importance=None)  # type: ignore[arg-type]
    born.append((remember_all(small, [staged])[0], 0.7))
    rows = small.execute("select id, strength, attributes -> 'scores' from mnemo.memories order by content")
    for (memory, strength), (found, stored, told) in zip(born, rows.fetchall(), strict=True):
        assert (found, stored) == (memory, pytest.approx(strength, abs=1e-7))
        assert told == ([3, 1] if memory == born[5][0] else None if memory == born[4][0] else kept)
    # Read, changed and written back: computed anew; the strength it has lived with stays.
    small.execute(
        "update mnemo.memories set attributes = jsonb_set(attributes, '{scores,significance}', '0.5')"
        " where content = 'a'"
    )
    assert value(
        small,
        "select attributes #> '{scores,importance}', strength from mnemo.memories where content = 'a'",
    ) == (0.4, pytest.approx(0.7, abs=1e-6))
    # Now: with its accesses.
    assert value(small, "select mnemo.importance(%s)", born[0][0]) == 0.4
    for _ in range(20):
        small.execute("select mnemo.reinforce(%s)", [born[0][0]])
    assert value(small, "select mnemo.importance(%s)", born[0][0]) == pytest.approx(0.4 + 0.6 / 2)
    small.execute("set mnemo.tenant = 'else'")
    with pytest.raises(psycopg.Error) as refused:
        small.execute("select mnemo.importance(%s)", [born[0][0]])
    assert refused.value.sqlstate == "MN005"


def found_by(connection: Connection, where: dict[str, Any]) -> set[str]:
    rows = connection.execute(
        "select content from mnemo.search(mnemo.random_hypervector('q'), 100, filter => %s)", [Jsonb(where)]
    )
    return {content for (content,) in rows.fetchall()}


def test_m3_scores_are_filtered_as_attributes_are(small: Connection) -> None:
    for n in range(40):
        scores = {"significance": n / 40, "tags": [f"t{n % 4}", f"u{n % 3}"]}
        small.execute("select mnemo.remember(%s, scores => %s)", [str(n), Jsonb(scores)])
    small.execute("select mnemo.remember('none')")
    for _ in range(2):
        assert found_by(small, {"scores.importance": {"$gte": 0.7}}) == {str(n) for n in range(28, 40)}
        assert found_by(small, {"scores.tags": "t1"}) == {str(n) for n in range(1, 40, 4)}
        assert found_by(small, {"scores.tags": {"$in": ["t1", "u0"]}, "scores.spark": {"$lt": 0.25}}) == {
            str(n) for n in range(10) if n % 4 == 1 or n % 3 == 0
        }
        assert found_by(small, {"scores.importance": {"$exists": False}}) == {"none"}
        # The second time by a B-tree on a path.
        small.execute("select mnemo.index_attribute('scores.importance')")
        small.execute("analyze mnemo.memory")
    broken: list[Any] = [{"scores": [{"importance": 1}]}, {"scores": []}]
    for attributes in broken:
        with pytest.raises(
            psycopg.Error, match=r"'scores\.importance' is indexed and takes no array"
        ) as refused:
            small.execute("select mnemo.remember('x', attributes => %s)", [Jsonb(attributes)])
        assert refused.value.sqlstate == "MN002"
    small.execute("set enable_seqscan = off")
    plan = small.execute(
        "explain select from mnemo.memory m"
        " where mnemo.numeric_attribute(m.attributes, 'scores.importance') >= 0.9"
    ).fetchall()
    assert any("Index Cond" in line and "scores" in line for (line,) in plan)
