"""Tiers that a search could not read: mnemo.search says so in warnings."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import BaseConnection
from psycopg.errors import Diagnostic

# What mnemo.warn_unreachable raises.
_SQLSTATE = "01MN1"


@contextmanager
def tiers_left_out(connection: "BaseConnection[object]") -> Iterator[list[str]]:
    """Collect the tiers that statements of this connection leave out, each once, fastest first."""
    tiers: list[str] = []

    def note(diagnostic: Diagnostic) -> None:
        if diagnostic.sqlstate == _SQLSTATE and diagnostic.message_primary is not None:
            tier = diagnostic.message_primary.split()[1]
            if tier not in tiers:
                tiers.append(tier)

    connection.add_notice_handler(note)
    try:
        yield tiers
    finally:
        connection.remove_notice_handler(note)
