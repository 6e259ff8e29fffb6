"""JSON as bytes that are equal exactly where jsonb calls the values equal."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.crypto.derive import framed
from engine.errors import InvalidArgument


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value; InvalidArgument where it is none.

    A letter for the type, then: of a number its sign, digits without zeros at either end, and the power of
    ten of the last one; of a string its UTF-8; of a list the elements, of an object the keys, in the order
    of their UTF-8, and the values, each behind its length.
    """
    match value:
        case None:
            return b"z"
        case bool():
            return b"t" if value else b"f"
        case int() | float() | Decimal():
            return b"n" + _number(value)
        case str():
            return b"s" + _text(value)
        case list() | tuple():
            return b"a" + framed(*(canonical(element) for element in value))
        case Mapping():
            entries = sorted((_text(key), canonical(inner)) for key, inner in value.items())
            return b"o" + framed(*(part for entry in entries for part in entry))
        case _:
            raise InvalidArgument("a blind index is of JSON values")


def _number(value: int | float | Decimal) -> bytes:
    # The shortest text of a float is what JSON carries to the database, which keeps it as a decimal.
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    sign, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidArgument("a blind index is of finite numbers")
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return b"+0e0"
    return f"{'-' if sign else '+'}{short}e{exponent + len(text) - len(short)}".encode()


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise InvalidArgument("a blind index is of JSON values, in which keys are text")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument("a blind index is of text that can be stored") from None
