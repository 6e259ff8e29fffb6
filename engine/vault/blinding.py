"""Filters on sealed attributes: equality becomes equality of tokens, before anything leaves this process."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.errors import MalformedFilter

# The token of a value of an attribute.
Token = Callable[[str, Any], str]
_SETS = {"$in", "$nin"}
_VALUES = {"$eq", "$ne"}


def names_sealed(where: Any, sealed: Sequence[str]) -> bool:
    """Tell whether a filter asks for a sealed attribute."""
    if isinstance(where, Mapping):
        return any(
            str(key).partition(".")[0] in sealed or (str(key).startswith("$") and names_sealed(value, sealed))
            for key, value in where.items()
        )
    return isinstance(where, list | tuple) and any(names_sealed(part, sealed) for part in where)


def blinded(where: Any, sealed: Sequence[str], token: Token) -> Any:
    """Return a filter that asks for tokens where this one asks for values of sealed attributes.

    Raises MalformedFilter, naming the attribute and never the value, for what tokens cannot answer: ranges,
    and what lies inside.
    """
    if isinstance(where, list | tuple):
        return [blinded(part, sealed, token) for part in where]
    if not isinstance(where, Mapping):
        return where
    parts: list[dict[str, Any]] = []
    for key, value in where.items():
        name = str(key).partition(".")[0]
        if str(key).startswith("$"):
            parts.append({key: blinded(value, sealed, token)})
        elif name not in sealed:
            parts.append({key: value})
        elif name != key:
            raise MalformedFilter(f"attribute {name!r} is sealed: a filter cannot look inside it")
        else:
            parts.append(_condition(name, value, token))
    # Two may ask for one field by now, so that they are no longer one object.
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}


def _condition(name: str, condition: Any, token: Token) -> dict[str, Any]:
    if not isinstance(condition, Mapping):
        return _equal(name, [_scalar(name, condition)], token)
    if not condition:
        raise MalformedFilter(f"no condition for field {name!r}")
    parts = [_operation(name, str(operator), operand, token) for operator, operand in condition.items()]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _operation(name: str, operator: str, operand: Any, token: Token) -> dict[str, Any]:
    if operator == "$exists":
        return {name: {"$exists": operand}}
    if operator == "$not":
        if not isinstance(operand, Mapping):
            raise MalformedFilter(f"$not of field {name!r} takes an object of operators")
        return {"$nor": [_condition(name, operand, token)]}
    if operator in _VALUES:
        found = _equal(name, [_scalar(name, operand)], token)
    elif operator in _SETS:
        if not isinstance(operand, list | tuple):
            raise MalformedFilter(f"{operator} of field {name!r} takes an array")
        found = _equal(name, [_scalar(name, one) for one in operand], token)
    else:
        raise MalformedFilter(
            f"attribute {name!r} is sealed: $eq, $ne, $in, $nin and $exists compare it, not {operator}"
        )
    return {"$nor": [found]} if operator in ("$ne", "$nin") else found


def _equal(name: str, values: Sequence[Any], token: Token) -> dict[str, Any]:
    wanted = [token(name, value) for value in values]
    field = f"{name}.blind"
    equal: dict[str, Any] = {field: wanted[0]} if len(wanted) == 1 else {field: {"$in": wanted}}
    # As in MongoDB, null is what an absent field equals, too.
    return {"$or": [equal, {name: {"$exists": False}}]} if any(v is None for v in values) else equal


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        raise MalformedFilter(f"attribute {name!r} is sealed: it can be compared with scalars only")
    return value
