"""Blind indexes are equal exactly where PostgreSQL calls the values equal."""

import json
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto.canonical import canonical
from adapters.crypto.layers import Layers
from engine.errors import InvalidArgument
from engine.vault.protocol import BLIND_BYTES, Cipher

KEY = bytes(range(32))

cipher: Cipher = Layers()

# Texts of JSON: what PostgreSQL reads, and Python too, each in its own way.
TEXTS = [
    *("null", "true", "false", '""', '"null"', '"1"', '"true"', "[]", "{}", "[[]]", "[{}]", "[null]"),
    *("0", "-0", "0.0", "-0.0", "0e5", "1", "1.0", "1.00", "1e0", "10e-1", "-1", "10", "1e1", "100", "1e2"),
    *("0.1", "0.10", "1e-1", "0.01", "1.5", "15e-1", "123456789012345678901234567890", "1e30", "1e-30"),
    *(
        "123456789012345678901234567891",
        "9007199254740993",
        "9007199254740992",
        "1e22",
        "10000000000000000000000",
    ),
    *('"a"', '"A"', '"a "', '"\\u00e4"', '"a\\u0308"', '"ä"', '"\\ud83d\\ude00"', '"😀"', '"n+1e0"'),
    *("[1, 2]", "[2, 1]", "[1.0, 2]", "[12]", "[1, [2]]", "[[1], 2]", '["1", 2]', "[1, 2, null]", "[true]"),
    *('{"a": 1}', '{"a": 1.0}', '{"b": 1}', '{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": {"b": 2}}'),
    *('{"a": null}', '{"": 1}', '{"aa": 1, "b": 2}', '{"b": 2, "aa": 1.0}', '["a", 1]', '[{"a": 1}, 2]'),
]


def _read(text: str) -> Any:
    # Floats would round what jsonb keeps.
    return json.loads(text, parse_float=Decimal)


def test_equality_is_that_of_jsonb(server_dsn: str) -> None:
    with psycopg.connect(server_dsn) as connection:
        rows = connection.execute(
            "select a.n, b.n, a.v::jsonb = b.v::jsonb from unnest(%s::text[]) with ordinality as a(v, n)"
            " cross join unnest(%s::text[]) with ordinality as b(v, n) where a.n < b.n",
            (TEXTS, TEXTS),
        ).fetchall()
    equal = {(first - 1, second - 1) for first, second, same in rows if same}
    blind = [cipher.blind(KEY, "field", _read(text)) for text in TEXTS]
    pairs = list(combinations(range(len(TEXTS)), 2))
    assert len(rows) == len(pairs)
    assert 30 < len(equal) < 300
    assert {(a, b) for a, b in pairs if blind[a] == blind[b]} == equal


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _decimals(value: Any) -> Any:
    return json.loads(json.dumps(value), parse_float=Decimal, parse_int=Decimal)


@given(_json)
@settings(max_examples=300, deadline=None)
def test_a_value_equals_what_is_stored_of_it(value: Any) -> None:
    assert cipher.blind(KEY, "field", value) == cipher.blind(KEY, "field", _decimals(value))


@given(_json, _json)
@settings(max_examples=300, deadline=None)
def test_other_values_are_other_bytes(one: Any, two: Any) -> None:
    # Truth values are no numbers in JSON, as they are in Python.
    same = json.dumps(_marked(one), sort_keys=True) == json.dumps(_marked(two), sort_keys=True)
    assert (canonical(one) == canonical(two)) == same


def _marked(value: Any) -> Any:
    match value:
        case bool() | None | str():
            return [type(value).__name__, value]
        case int() | float():
            return ["number", str(Fraction(repr(value)))]
        case list():
            return ["list", *map(_marked, value)]
        case _:
            return {f"key {key}": _marked(inner) for key, inner in value.items()}


def test_what_else_decides() -> None:
    values = {
        cipher.blind(KEY, "city", "x"),
        cipher.blind(KEY, "town", "x"),
        cipher.blind(KEY, "cit", "yx"),
        cipher.blind(bytes(32), "city", "x"),
    }
    assert len(values) == 4
    assert {len(value) for value in values} == {BLIND_BYTES}
    assert cipher.blind(KEY, "city", ("a", 1)) == cipher.blind(KEY, "city", ["a", 1])


def test_long_numbers_are_exact() -> None:
    long = 10**6000
    assert cipher.blind(KEY, "n", long) == cipher.blind(KEY, "n", Decimal(f"1e{6000}"))
    assert cipher.blind(KEY, "n", long) != cipher.blind(KEY, "n", long + 1)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        b"x",
        {1: 2},
        {1, 2},
        object(),
        "\ud800",
        ["\ud800"],
    ],
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="a blind index is of"):
        cipher.blind(KEY, "field", value)
