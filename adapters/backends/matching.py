"""The meaning of filters in Python: what mnemo.filter_jsonpath means in SQL."""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from engine.errors import MalformedFilter

Predicate = Callable[[Mapping[str, Any]], bool]
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_DEEPEST = 32


def compile_filter(where: Any, depth: int = 0) -> Predicate:
    """Return what tells whether attributes match a filter. Raises MalformedFilter, naming the part."""
    if depth > _DEEPEST:
        _refuse(f"nested more than {_DEEPEST} deep")
    if not isinstance(where, Mapping):
        _refuse(f"expected an object, not {where!r}")
    return _all([_part(key, value, depth) for key, value in where.items()])


def _part(key: str, value: Any, depth: int) -> Predicate:
    if key in ("$and", "$or", "$nor"):
        if not isinstance(value, list) or not value:
            _refuse(f"{key} takes a non-empty array of filters, not {value!r}")
        parts = [compile_filter(part, depth + 1) for part in value]
        if key == "$and":
            return _all(parts)
        return lambda attributes: any(part(attributes) for part in parts) is (key == "$or")
    if key == "$not":
        return _not(compile_filter(value, depth + 1))
    if key.startswith("$"):
        _refuse(f"unknown operator {key}")
    if not all(key.split(".")):
        _refuse(f"'{key}' is not a field name")
    return _field(key, value, depth)


def _field(field: str, condition: Any, depth: int) -> Predicate:
    if not isinstance(condition, Mapping):
        return _compare(field, "$eq", condition)
    if not condition:
        _refuse(f"no condition for field '{field}'")
    return _all([_operator(field, name, operand, depth) for name, operand in condition.items()])


def _operator(field: str, name: str, operand: Any, depth: int) -> Predicate:
    if name == "$not":
        if not isinstance(operand, Mapping):
            _refuse(f"$not of field '{field}' takes an object of operators, not {operand!r}")
        if depth > _DEEPEST:
            _refuse(f"nested more than {_DEEPEST} deep")
        return _not(_field(field, operand, depth + 1))
    if name in ("$in", "$nin"):
        if not isinstance(operand, list):
            _refuse(f"{name} of field '{field}' takes an array, not {operand!r}")
        parts = [_compare(field, "$eq", value) for value in operand]
        return lambda attributes: any(part(attributes) for part in parts) is (name == "$in")
    if name == "$exists":
        if not isinstance(operand, bool):
            _refuse(f"$exists of field '{field}' takes true or false, not {operand!r}")
        return lambda attributes: bool(_values(attributes, field)) is operand
    if name == "$ne":
        return _not(_compare(field, "$eq", operand))
    if name != "$eq" and name not in _ORDERED:
        _refuse(f"unknown operator {name} of field '{field}'")
    return _compare(field, name, operand)


def _compare(field: str, name: str, operand: Any) -> Predicate:
    if isinstance(operand, (Mapping, list)):
        _refuse(f"{name} of field '{field}' takes a string, number, boolean or null, not {operand!r}")
    compare: Callable[[Any, Any], bool] = _ORDERED.get(name, operator.eq)

    def predicate(attributes: Mapping[str, Any]) -> bool:
        values = _values(attributes, field)
        elements = [one for value in values for one in (value if isinstance(value, list) else [value])]
        if operand is None:
            return (None in elements and name not in ("$gt", "$lt")) or (name == "$eq" and not values)
        return any(_kind(one) == _kind(operand) and compare(one, operand) for one in elements)

    return predicate


def _values(attributes: Mapping[str, Any], field: str) -> list[Any]:
    return list(_walk(attributes, field.split(".")))


def _walk(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, Mapping):
                yield from _walk(element, path)
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _all(parts: list[Predicate]) -> Predicate:
    return lambda attributes: all(part(attributes) for part in parts)


def _not(part: Predicate) -> Predicate:
    return lambda attributes: not part(attributes)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _refuse(problem: str) -> NoReturn:
    raise MalformedFilter(f"malformed filter: {problem}")
