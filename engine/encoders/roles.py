"""The values that a memory has in the roles of its collection: see `mnemo.role_values`."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from engine.encoders.text import spaced

_LONGEST = 200
_PLAIN = (str, int, bool, type(None))
# What PostgreSQL takes for space, whatever the locale of the database.
_SPEAKER = re.compile(r"[ \t\n\r\f\v]*([^:：\n]+)(?::[ \t]|：)")
_LONGEST_NAME = 60
_NAME_WORDS = 3


def role_values(
    roles: Iterable[str], content: str, attributes: Mapping[str, Any], occurred_at: datetime | None
) -> dict[str, list[str]]:
    """Return the folded values of a memory in each role: attributes, days, and who speaks.

    `attributes` are what JSON can hold.
    """
    known: Mapping[str, Any] = attributes
    if not all(type(attributes.get(role)) in _PLAIN for role in roles):
        # As jsonb has it, numbers with all their digits.
        known = json.loads(json.dumps(dict(attributes)), parse_float=Decimal)
    found: dict[str, list[str]] = {}
    for role in roles:
        given = known.get(role)
        values = [_text(value) for value in (given if isinstance(given, list) else [given])]
        if role == "occurred_at" and occurred_at is not None:
            moment = occurred_at.astimezone(UTC)
            day = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
            values += [day[:4], day[:7], day]
        if role == "speaker" and role not in known and (said := _SPEAKER.match(content[:100])):
            name = said.group(1)
            if len(name) <= _LONGEST_NAME and len(spaced(name).strip(" ").split(" ")) <= _NAME_WORDS:
                values.append(name)
        folded = [spaced(value[:_LONGEST]).strip(" ") for value in values if value is not None]
        if any(folded):
            found[role] = list(dict.fromkeys(value for value in folded if value))
    return found


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        # numeric has no negative zero.
        return f"{abs(value) if value.is_zero() else value:f}"
    return str(value) if isinstance(value, str | int) else None
