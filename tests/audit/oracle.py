"""The chain as docs/audit.md defines it, computed by hashlib alone."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import Connection

ROOT = bytes(32)
COLUMNS = (
    "tenant", "seq", "at", "actor", "login", "client", "application",
    "action", "subject", "detail", "previous",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_hash(entry: dict[str, Any]) -> bytes:
    """What the hash of an entry has to be."""
    value = {**entry, "at": (entry["at"] - _EPOCH) // timedelta(microseconds=1)}
    encoded = b""
    for field in ("mnemo audit 1", *(value[name] for name in COLUMNS)):
        match field:
            case None:
                encoded += struct.pack(">i", -1)
                continue
            case int():
                part = struct.pack(">q", field)
            case str():
                part = field.encode()
            case _:
                part = bytes(field)
        encoded += struct.pack(">i", len(part)) + part
    return hashlib.sha256(encoded).digest()


def entries(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """The entries of a chain in order, the detail as text."""
    rows = connection.execute(
        "select tenant, seq, at, actor, login, client, application, action, subject, detail::text,"
        " previous, hash from mnemo.audit where tenant = %s order by seq",
        [tenant],
    ).fetchall()
    return [dict(zip((*COLUMNS, "hash"), row, strict=True)) for row in rows]


def is_chain(found: list[dict[str, Any]], previous: bytes = ROOT, seq: int = 0) -> bool:
    """Whether entries follow each other from a hash and a seq on, each with the hash it must have."""
    for entry in found:
        if (entry["seq"], entry["previous"], entry["hash"]) != (seq + 1, previous, entry_hash(entry)):
            return False
        seq, previous = entry["seq"], entry["hash"]
    return True
