"""Equality on sealed attributes answers as it does on clear ones, by an index, and ranges are refused."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.errors import MalformedFilter
from engine.memory import Memory
from engine.mnemo import Mnemo
from tests.conftest import Connection
from tests.vault.conftest import Opener

VALUES: list[Any] = ["flu", "cold", "", 1, 1.5, True, None, ["flu", 2], ["cold"], [], ["x", None]]
MISSING = object()
FILTERS: list[Mapping[str, Any]] = [
    *({"a": value} for value in ("flu", "cold", "", "none", 1, 1.0, True, False, None)),
    *({"a": {operator: value}} for operator in ("$eq", "$ne") for value in ("flu", 2, None, True)),
    *({"a": {operator: values}} for operator in ("$in", "$nin") for values in (["flu", 1], [None], [])),
    *({"a": {"$exists": there}} for there in (True, False)),
    {"a": {"$not": {"$eq": "flu"}}},
    {"a": {"$in": ["flu", "cold"], "$ne": "cold"}},
    {"a": "flu", "b": {"$gt": 3}},
    {"$or": [{"a": "cold"}, {"b": 0}]},
    {"$and": [{"a": {"$exists": True}}, {"$nor": [{"a": "flu"}, {"a": None}]}]},
    {"$not": {"a": "flu"}},
    {},
]


def scalars(value: Any) -> list[Any]:
    """Return what a comparison looks at."""
    return [] if value is MISSING else value if isinstance(value, list) else [value]


def same(value: Any, operand: Any) -> bool:
    """Return whether two JSON scalars are equal: of one type, numbers by value."""
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)


def holds(value: Any, operator: str, operand: Any) -> bool:
    """Evaluate one operator, as MongoDB documents it."""
    match operator:
        case "$eq":
            return any(same(one, operand) for one in scalars(value)) or (operand is None and value is MISSING)
        case "$in":
            return any(holds(value, "$eq", one) for one in operand)
        case "$ne":
            return not holds(value, "$eq", operand)
        case "$nin":
            return not holds(value, "$in", operand)
        case "$exists":
            return (value is not MISSING) is bool(operand)
        case "$gt":
            return any(isinstance(one, int) and one > operand for one in scalars(value))
        case "$not":
            return not all(holds(value, *inner) for inner in operand.items())
    raise AssertionError(operator)


def matches(document: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Evaluate a filter in plain Python."""
    for key, condition in where.items():
        if key == "$and":
            found = all(matches(document, part) for part in condition)
        elif key in ("$or", "$nor"):
            found = any(matches(document, part) for part in condition) == (key == "$or")
        elif key == "$not":
            found = not matches(document, condition)
        else:
            operations = condition if isinstance(condition, dict) else {"$eq": condition}
            found = all(holds(document.get(key, MISSING), *one) for one in operations.items())
        if not found:
            return False
    return True


async def test_equality_answers_as_plain_python_does(mnemo: Mnemo) -> None:
    await mnemo.create_collection("ward", sealed=["a"])
    documents: dict[str, dict[str, Any]] = {
        str(n): ({"b": n % 7} if value is MISSING else {"a": value, "b": n % 7})
        for n, value in enumerate(itertools.islice(itertools.cycle([*VALUES, MISSING]), 60))
    }
    await mnemo.remember_many(
        [
            Memory(f"turn {key}", key=key, attributes=one, private=int(key) % 2 == 0)
            for key, one in documents.items()
        ],
        collection="ward",
    )
    for where in FILTERS:
        expected = {key for key, document in documents.items() if matches(document, where)}
        records = await mnemo.scroll(where=where, collection="ward", limit=1000)
        assert {record.key for record in records} == expected, where
        assert all(record.attributes == documents[str(record.key)] for record in records)
        assert await mnemo.count(where, collection="ward") == len(expected), where
        hits = await mnemo.search("turn", k=100, where=where, collection="ward")
        assert {hit.key for hit in hits} == expected, where


@pytest.mark.parametrize(
    "where",
    [
        *({"a": {operator: "canary"}} for operator in ("$gt", "$gte", "$lt", "$lte", "$regex")),
        {"a.b": "canary"},
        {"a": ["canary"]},
        {"a": {"$eq": {"canary": 1}}},
        {"a": {"$in": "canary"}},
        {"$or": [{"b": 1}, {"a": {"$gt": "canary"}}]},
        {"a": {"$not": {"$lt": "canary"}}},
    ],
    ids=json.dumps,
)
async def test_what_tokens_cannot_answer_is_refused(mnemo: Mnemo, where: Mapping[str, Any]) -> None:
    await mnemo.create_collection("ward", sealed=["a"])
    with pytest.raises(MalformedFilter, match="'a'") as raised:
        await mnemo.count(where, collection="ward")
    assert "canary" not in str(raised.value)


async def test_tokens_differ_by_attribute_and_tenant(
    mnemo: Mnemo, open_mnemo: Opener, connection: Connection
) -> None:
    await mnemo.create_collection("ward", sealed=["a", "b"])
    for tenant in ("default", "other"):
        async with open_mnemo(tenant=tenant) as one:
            for _ in range(2):
                await one.remember("x", collection="ward", attributes={"a": "v", "b": "v"})
    row = connection.execute(
        "select count(*), count(distinct m.attributes #>> '{a,sealed}'), count(distinct t.token)"
        " from mnemo.memory m,"
        " lateral (values (m.attributes #>> '{a,blind}'), (m.attributes #>> '{b,blind}')) t (token)"
    ).fetchone()
    assert row == (8, 4, 4)


async def test_equality_uses_the_index_on_attributes(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.create_collection("ward", sealed=["a"])
    memories = [Memory(f"turn {n}", attributes={"a": f"value {n}"}) for n in range(600)]
    await mnemo.remember_many(memories, collection="ward")
    connection.execute("analyze mnemo.memory")
    how = await mnemo.collection("ward")
    asked = await mnemo._seals.filter({"a": "value 7"}, how)
    path = connection.execute("select mnemo.filter_jsonpath(%s)::text", [json.dumps(asked)]).fetchone()
    assert path is not None
    plan = "\n".join(
        line
        for (line,) in connection.execute(
            "explain (costs off) select id from mnemo.memory"
            " where segment = 0 and attributes @@ %s::jsonpath",
            path,
        )
    )
    assert "memory_hot_attributes" in plan, plan
    indexed = connection.execute("select mnemo.filter_is_indexed(%s)", [json.dumps(asked)]).fetchone()
    assert indexed == (True,)
