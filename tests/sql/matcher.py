"""What a filter means, in plain Python: MongoDB's rules for the operators that Mnemo has."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

Json = Any
ABSENT = object()

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, operand: value > operand,
    "$gte": lambda value, operand: value >= operand,
    "$lt": lambda value, operand: value < operand,
    "$lte": lambda value, operand: value <= operand,
}


def exact(text: str) -> Json:
    """Parse JSON with the numbers that it spells, as jsonb keeps them."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def matches(document: Mapping[str, Json], condition: Mapping[str, Json]) -> bool:
    """Return whether a document matches a filter; both from `exact`."""
    return all(_holds(document, key, value) for key, value in condition.items())


def _holds(document: Mapping[str, Json], key: str, value: Json) -> bool:
    if key == "$and":
        return all(matches(document, part) for part in value)
    if key == "$or":
        return any(matches(document, part) for part in value)
    if key == "$nor":
        return not any(matches(document, part) for part in value)
    if key == "$not":
        return not matches(document, value)
    found = list(_reach(document, key.split(".")))
    return _field(found, value if isinstance(value, dict) else {"$eq": value})


def _reach(node: Json, steps: list[str]) -> Iterator[Json]:
    """Yield what the path leads to: a value for each object on the way that has it, else ABSENT."""
    step, *rest = steps
    if not isinstance(node, dict) or step not in node:
        yield ABSENT
    elif not rest:
        yield node[step]
    elif isinstance(node[step], list):
        for element in node[step]:
            if isinstance(element, dict):
                yield from _reach(element, rest)
    else:
        yield from _reach(node[step], rest)


def _field(found: list[Json], operators: Mapping[str, Json]) -> bool:
    return all(_operator(found, name, operand) for name, operand in operators.items())


def _operator(found: list[Json], name: str, operand: Json) -> bool:
    match name:
        case "$not":
            return not _field(found, operand)
        case "$exists":
            return any(value is not ABSENT for value in found) is operand
        case "$ne":
            return not _operator(found, "$eq", operand)
        case "$nin":
            return not _operator(found, "$in", operand)
        case "$in":
            return any(_operator(found, "$eq", one) for one in operand)
        case "$eq":
            return any(_equal(value, operand) for value in _values(found))
    if operand is None:
        return name in ("$gte", "$lte") and _operator(found, "$eq", None)
    return any(type(value) is type(operand) and _ORDERS[name](value, operand) for value in _values(found))


def _values(found: list[Json]) -> Iterator[Json]:
    for value in found:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _equal(value: Json, operand: Json) -> bool:
    if operand is None:
        return value is None or value is ABSENT
    return type(value) is type(operand) and bool(value == operand)
