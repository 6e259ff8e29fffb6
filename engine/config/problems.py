"""Validation errors in the user's words: key, value, what is allowed, where it came from."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as limits
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from engine.config.sources import Layer, variable


def describe(error: ValidationError, model: type[BaseModel], layers: Sequence[Layer]) -> list[str]:
    """One line for each problem, such as
    ``search.k = 0: must be a whole number from 1 to 4096 (from MNEMO_SEARCH__K)``.
    """
    lines = []
    for problem in error.errors(include_url=False):
        keys = tuple(str(part) for part in problem["loc"])
        name = ".".join(keys)
        origin = f"(from {_origin(keys, layers)})"
        group, field = _find(model, keys)
        if field is None:
            lines.append(f"{name}: unknown key; {_known(group, keys)} {origin}")
            continue
        own = problem.get("ctx", {}).get("error") if problem["type"] == "value_error" else None
        shown = "" if field.repr is False else f" = {_shown(problem['input'])}"
        lines.append(f"{name}{shown}: {own or f'must be {allowed(field)}'} {origin}")
    return lines


def allowed(field: FieldInfo) -> str:
    """What a setting accepts, as the end of the sentence "must be ..."."""
    kind = _kind(field)
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a group of the keys " + ", ".join(kind.model_fields)
    return " ".join([{int: "a whole number", float: "a number"}.get(kind, "text"), *_range(field)])


def _range(field: FieldInfo) -> list[str]:
    words = []
    low: str | None = None
    for rule in field.metadata:
        match rule:
            case limits.Ge(ge=bound):
                low = f"{bound}"
            case limits.Gt(gt=bound):
                words.append(f"above {bound}")
            case limits.Le(le=bound):
                words.append(f"from {low} to {bound}" if low else f"and at most {bound}")
            case limits.Lt(lt=bound):
                words.append(f"and below {bound}")
            case limits.MultipleOf(multiple_of=unit):
                words.append(f"in steps of {unit}")
    return words


def _kind(field: FieldInfo) -> Any:
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _find(model: type[BaseModel], keys: tuple[str, ...]) -> tuple[type[BaseModel], FieldInfo | None]:
    field = model.model_fields.get(keys[0])
    if field is None or len(keys) == 1:
        return model, field
    kind = _kind(field)
    return (kind, kind.model_fields.get(keys[1])) if issubclass(kind, BaseModel) else (model, field)


def _known(group: type[BaseModel], keys: tuple[str, ...]) -> str:
    close = get_close_matches(keys[-1], group.model_fields, n=1)
    if close:
        return f"did you mean {'.'.join((*keys[:-1], close[0]))}?"
    return "known are " + ", ".join(group.model_fields)


def _origin(keys: tuple[str, ...], layers: Sequence[Layer]) -> str:
    for layer in layers:
        value = _value(layer.values, keys)
        if value is None:
            continue
        if layer.origin == "environment":
            return variable(*keys, *list(value)[:1]) if isinstance(value, Mapping) else variable(*keys)
        return layer.origin
    return "the default"


def _value(values: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if isinstance(values, BaseModel):
            values = values.model_dump(exclude_unset=True)
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
