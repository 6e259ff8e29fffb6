"""Documents and filters to try: few names and values, so that they meet; among them awkward ones."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

NAMES = ["a", "b", "c"]
STRANGE_NAMES = [
    "type", "last", "to", "@", "a b", 'a"b', "a\\b", "a'b", "é", "日本", "\x01", "\n", "\x7f", "a$", "$.a",
    "?(@ == 1)", "') or true --", "{}", "%s", ":x", "true", "null", "0", "-", "\U0001f600",
]  # fmt: skip
TEXTS = [
    "", "a", "b", "B", "Z", "aa", "é", "z", "\uffff", "\U0001f600",
    '"', "\\", "'", "$1", "\\u0041", "\x01\t\n", "\x7f", "@ == 1", "') or true --", "%s %(x)s", "1",
    "true", "null", "a" * 600,
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "-1", "-2.5", "0.1", "1.0", "1e0", "0.30000000000000004", "1e300", "1e-300", "-1e300",
    "9223372036854775808", "12345678901234567890123456789.000000001",
]  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    text: str


def spell(value: Any) -> str:
    """Return JSON text in which each Number is written as given."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spell, value)) + "]"
    return json.dumps(value)


names = st.sampled_from(NAMES) | st.sampled_from(STRANGE_NAMES)
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS).map(Number),
    st.integers(-3, 3).map(str).map(Number),
    _texts,
)
_few = st.sampled_from([*NAMES, *NAMES, *STRANGE_NAMES, "", "a.b"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_few, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(_few, values, max_size=5)

_steps = st.sampled_from([*NAMES, *NAMES, *(name for name in STRANGE_NAMES if "." not in name)])
fields = st.one_of(
    st.sampled_from(NAMES),
    st.lists(_steps, min_size=1, max_size=3).map(".".join).filter(lambda field: not field.startswith("$")),
)


def _operators(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    compared = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
    return st.one_of(
        st.dictionaries(compared, scalars, min_size=1, max_size=2),
        st.dictionaries(
            st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=3), min_size=1, max_size=2
        ),
        st.booleans().map(lambda wanted: {"$exists": wanted}),
        inner.map(lambda operators: {"$not": operators}),
    )


conditions = scalars | st.recursive(
    st.booleans().map(lambda wanted: {"$exists": wanted}), _operators, max_leaves=3
)


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), several).map(lambda pair: dict([pair])),
        inner.map(lambda one: {"$not": one}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    )


filters = st.recursive(
    st.just({}) | st.dictionaries(fields, conditions, min_size=1, max_size=2), _combined, max_leaves=4
)
