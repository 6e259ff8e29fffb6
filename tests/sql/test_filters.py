"""M4: what filters match, by an independent matcher; what they refuse."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.conftest import Connection
from tests.sql.filters import documents, filters, spell
from tests.sql.matcher import exact, matches
from tests.support.databases import Databases
from tests.support.memories import Draft, bulk_load

PROPERTY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PROPERTY
@given(st.lists(documents, min_size=1, max_size=8), filters)
@example([{"a": [[5.0]]}, {"a": [5.0]}, {"a": 5.0}], {"a": 5.0})
@example([{"a": [{"b": 1.0}, {}]}, {"a": []}, {"a": [1.0]}, {"a": 1.0}, {"a": None}, {}], {"a.b": None})
@example([{"a": {"b": [{}]}}, {"a": {"b": [1.0]}}, {"a": [{"b": 1.0}]}, {"a": [[{}]]}], {"a.b.c": None})
@example([{}, {"a": None}, {"a": 1.0}, {"a": []}, {"a": [None]}], {"a": {"$gte": None}})
def test_m4_a_filter_matches_what_mongodb_would(
    module_connection: Connection, batch: list[Any], condition: Any
) -> None:
    texts, filter_text = [spell(document) for document in batch], spell(condition)
    found = module_connection.execute(
        "select array_agg(case when p is null then true else d @@ p end order by place)"
        " from mnemo.filter_jsonpath(%s) p, unnest(%s::jsonb[]) with ordinality as u (d, place)",
        [filter_text, texts],
    ).fetchone()
    assert found == ([matches(exact(text), exact(filter_text)) for text in texts],), (texts, filter_text)


ROWS = 3_000
FILTERS: list[Any] = [
    {"tag": "t7"},
    {"tag": {"$in": ["t7", "t8", True, None, 'q"\\']}},
    {"tag": {"$in": ["t7", 'q"\\']}, "size": {"$gte": -1}},
    {"tag": {"$nin": ["t7"]}, "size": {"$lt": -490}},
    {"size": {"$gte": -10.5, "$lt": 10}},
    {"size": {"$gt": 480}, "tag": {"$ne": "t1"}},
    {"size": {"$lte": -490}},
    {"size": {"$gt": "5"}},
    {"size": 5},
    {"$and": [{"size": {"$gte": 0}}, {"size": {"$lt": 3}}, {"name": {"$exists": True}}]},
    {"$or": [{"size": {"$lt": -498}}, {"name": {"$lt": "B"}}]},
    {"name": {"$gte": "a", "$lt": "é"}},
    {"name": {"$gt": "é"}},
    {"name": {"$lte": ""}},
    {"name": {"$gte": "a" * 600}},
    {"name": {"$lte": "a" * 600, "$gt": "a" * 599}},
    {"name": {"$not": {"$gte": "a"}}},
    {"name": {"$gte": None}},
    {"size": {"$gte": 1e300}},
    {"nested.tag": "t7"},
]


def attributes_of(n: int, rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "tag": rng.choice([f"t{n % 300}", f"t{n % 300}", ["t7", "x"], 'q"\\', None, True, n]),
        "size": rng.choice([rng.randint(-500, 500), rng.uniform(-500, 500), str(n), None, True, 1e300, {}]),
        "name": rng.choice(
            [*"aBbZzé\U0001f600\uffff", "", "a" * 599, "a" * 600, "a" * 601, str(n), f"{n}x", n]
        ),
        "nested": {"tag": rng.choice([f"t{n % 300}", ["t7"]])},
    }
    return {name: value for name, value in made.items() if rng.random() < 0.9}


@pytest.fixture(scope="module")
def filtered(databases: Databases) -> Iterator[tuple[Connection, list[dict[str, Any]]]]:
    """A database of ROWS memories; the key of each is its place in the list of attributes."""
    rng = random.Random(7)
    vectors = np.random.default_rng(7).integers(0, 256, (ROWS, 128), np.uint8)
    attributes = [attributes_of(n, rng) for n in range(ROWS)]
    with databases.migrated(1024, 256) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        bulk_load(
            connection,
            [Draft("x", vectors[n], attributes=attributes[n], key=str(n)) for n in range(ROWS)],
        )
        yield connection, attributes


def found_by(connection: Connection, condition: Any) -> set[int]:
    rows = connection.execute(
        "select key from mnemo.search(mnemo.random_hypervector('q'), 4096, filter => %s, exact => true)",
        [Jsonb(condition)],
    )
    return {int(row[0]) for row in rows}


def plans_of(connection: Connection, condition: Any) -> str:
    """Return the plans of the statements inside a filtered search that compares every match."""
    notices: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        notices.append(notice.message_primary or "")

    connection.add_notice_handler(keep)
    with connection.transaction(force_rollback=True):
        connection.execute("load 'auto_explain'")
        connection.execute("set local auto_explain.log_min_duration = 0")
        connection.execute("set local auto_explain.log_nested_statements = on")
        connection.execute("set local client_min_messages = log")
        found_by(connection, condition)
    connection.remove_notice_handler(keep)
    return "\n".join(line for line in notices if "from mnemo.memory m\n" in line and "order by" in line)


def index_condition(plan: str) -> str:
    return plan.partition("Index Cond: ")[2].partition("\n")[0]


def test_m4_indexes_serve_filters_and_change_no_answer(
    filtered: tuple[Connection, list[dict[str, Any]]],
) -> None:
    connection, attributes = filtered
    exactly = [exact(json.dumps(one)) for one in attributes]
    expected = [
        {n for n, one in enumerate(exactly) if matches(one, exact(json.dumps(condition)))}
        for condition in FILTERS
    ]
    assert sum(not some for some in expected) <= 2
    for condition, some in zip(FILTERS, expected, strict=True):
        assert found_by(connection, condition) == some, condition

    assert connection.execute("select mnemo.index_attribute('size')").fetchone() == (True,)
    assert connection.execute("select mnemo.index_attribute('size')").fetchone() == (False,)
    connection.execute("select mnemo.index_attribute('name', 'text')")
    connection.execute("analyze mnemo.memory")
    for condition, some in zip(FILTERS, expected, strict=True):
        assert found_by(connection, condition) == some, condition

    # Strings are ordered by code point, whatever the collation of the database.
    definition = connection.execute(
        "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'mnemo.memory'::regclass"
        " and pg_get_indexdef(indexrelid) like '%text_attribute%COLLATE \"C\"%'"
    ).fetchall()
    assert len(definition) == 1
    for condition in ({"tag": "t7"}, {"tag": {"$in": ["t7", "t8"]}}, {"nested.tag": "t7"}):
        assert "memory_hot_attributes" in plans_of(connection, condition), condition
    for condition in ({"size": {"$gte": -1, "$lt": 1}}, {"$and": [{"size": {"$lt": -495}}]}):
        assert "{size}" in index_condition(plans_of(connection, condition)), condition
    assert "{name}" in index_condition(plans_of(connection, {"name": {"$gte": "1", "$lt": "11"}}))


def test_m4_an_indexed_attribute_takes_no_array(
    filtered: tuple[Connection, list[dict[str, Any]]],
) -> None:
    connection, _ = filtered
    connection.execute("select mnemo.index_attribute('price')")
    with pytest.raises(psycopg.Error, match="'price' is indexed and takes no array") as refused:
        connection.execute(
            "select mnemo.remember('x', mnemo.random_hypervector('q'), attributes => '{\"price\": [1]}')"
        )
    assert refused.value.sqlstate == "MN002"
    row = connection.execute("select id from mnemo.memories limit 1").fetchone()
    assert row is not None
    with pytest.raises(psycopg.Error, match="'price' is indexed and takes no array"):
        connection.execute("select mnemo.set_attributes(%s, '{\"price\": []}')", row)
    # Arrays in the memories that are there; names and types that cannot be.
    for name, kind, message in [
        ("tag", "number", "a memory has an array there"),
        ("price", "text", "'price' is indexed as number"),
        ("a..b", "number", "cannot index attribute 'a..b'"),
        ("$a", "number", "cannot index"),
        ("", "number", "cannot index"),
        ("a", "date", "cannot index attribute 'a' as 'date'"),
    ]:
        with pytest.raises(psycopg.Error, match=re.escape(message)) as refused:
            connection.execute("select mnemo.index_attribute(%s, %s)", [name, kind])
        assert refused.value.sqlstate == "MN002"


MALFORMED: list[tuple[Any, str]] = [
    ([], "expected an object, not []"),
    ("a", 'expected an object, not "a"'),
    (None, "expected an object, not null"),
    ({"$where": 1}, "unknown operator $where"),
    ({"a": {"$regex": "x"}}, "unknown operator $regex of field 'a'"),
    ({"a": {"$gt": 1, "b": 1}}, "unknown operator b of field 'a'"),
    ({"a": {}}, "no condition for field 'a'"),
    ({"a": [1]}, "$eq of field 'a' takes a string, number, boolean or null, not [1]"),
    ({"a": {"$gt": {"x": 1}}}, "$gt of field 'a' takes a string, number, boolean or null, not {\"x\": 1}"),
    ({"a": {"$in": 1}}, "$in of field 'a' takes an array, not 1"),
    ({"a": {"$nin": [1, {"x": 1}]}}, "$nin of field 'a' takes an array of strings"),
    ({"a": {"$exists": 1}}, "$exists of field 'a' takes true or false, not 1"),
    ({"a": {"$not": 1}}, "$not of field 'a' takes an object of operators, not 1"),
    ({"a": {"$not": {}}}, "no condition for field 'a'"),
    ({"$and": []}, "$and takes a non-empty array of filters, not []"),
    ({"$or": {"a": 1}}, "$or takes a non-empty array of filters"),
    ({"$nor": [1]}, "expected an object, not 1"),
    ({"$not": 1}, "expected an object, not 1"),
    ({"": 1}, "'' is not a field name"),
    ({".a": 1}, "'.a' is not a field name"),
    ({"a..b": 1}, "'a..b' is not a field name"),
    ({"a.": 1}, "'a.' is not a field name"),
]


@pytest.mark.parametrize(("condition", "message"), MALFORMED, ids=lambda value: str(value)[:30])
def test_m4_malformed_filters_are_refused_by_name(
    module_connection: Connection, condition: Any, message: str
) -> None:
    for call in ("search(mnemo.random_hypervector('q'), filter => %s)", "filter_jsonpath(%s)"):
        with pytest.raises(psycopg.Error, match="malformed filter: .*" + re.escape(message)) as refused:
            module_connection.execute(f"select mnemo.{call}".encode(), [Jsonb(condition)])
        assert refused.value.sqlstate == "MN003"


def nested(levels: int, *wrap: str) -> Any:
    condition: Any = {"a": 1} if wrap[0] != "field" else {"$gt": 1}
    for _ in range(levels):
        condition = {wrap[-1]: [condition] if wrap[-1] != "$not" else condition}
    return {"a": condition} if wrap[0] == "field" else condition


@pytest.mark.parametrize("wrap", [("$and",), ("$not",), ("field", "$not")])
def test_m4_nesting_is_bounded_and_cheap(module_connection: Connection, wrap: tuple[str, ...]) -> None:
    module_connection.execute("select mnemo.filter_jsonpath(%s)", [Jsonb(nested(32, *wrap))])
    with pytest.raises(psycopg.Error, match="nested more than 32 deep") as refused:
        module_connection.execute("select mnemo.filter_jsonpath(%s)", [Jsonb(nested(40, *wrap))])
    assert refused.value.sqlstate == "MN003"


def test_m4_long_lists_fit_the_stack(module_connection: Connection) -> None:
    wanted = [f"t{n}" for n in range(100_000)]
    for condition in ({"tag": {"$in": wanted}}, {"$or": [{"tag": name} for name in wanted[:20_000]]}):
        found = module_connection.execute(
            "select array(select d @@ p from unnest(%s::jsonb[]) d) from mnemo.filter_jsonpath(%s) p",
            [['{"tag": "t19999"}', '{"tag": ["x"]}'], Jsonb(condition)],
        ).fetchone()
        assert found == ([True, False],)


def test_m4_what_jsonb_refuses_is_an_error(module_connection: Connection) -> None:
    for text in ('{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": "\\ud800"}', '{"a": NaN}'):
        with pytest.raises(psycopg.errors.DataError):
            module_connection.execute("select mnemo.filter_jsonpath(%s::jsonb)", [text])
