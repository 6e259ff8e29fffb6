"""What a worker does before the job consolidate: it prepares what is about to move, a batch at a time."""

import logging
from collections import deque
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from engine.consolidation.reencoding import WINDOW, Connection, Reencoder

logger = logging.getLogger(__name__)

CONSOLIDATION = "mnemo.consolidate_step"
_STATE = (
    "select mnemo.now(), exists (select from mnemo.stale_deadline), exists (select from mnemo.job j"
    " where j.enabled and j.next_run_at <= mnemo.now() and j.function = %s)"
)
# Held for a session: a worker that dies lets go of it.
_LOCK = "select pg_try_advisory_lock(hashtextextended('mnemo.reencoding', 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended('mnemo.reencoding', 0))"


class Preparing:
    """Goes with one connection of a worker. Of several workers one prepares; the others do other jobs."""

    def __init__(self, reencoder: Reencoder) -> None:
        self._reencoder = reencoder
        self._batches: deque[list[UUID]] | None = None
        self._until: datetime | None = None

    @property
    def under_way(self) -> bool:
        """Whether batches are left to do here."""
        return self._batches is not None

    async def advance(self, connection: Connection) -> str | None:
        """Do one batch of what is due; return the function whose jobs must wait yet, None where none must.

        An error that is not of the connection costs the preparation, never the consolidation.
        """
        now, stale, due = await _only(connection, _STATE, CONSOLIDATION)
        if self._batches is None and (not due or (self._until is not None and now < self._until)):
            return None
        try:
            if self._batches is None:
                (locked,) = await _only(connection, _LOCK)
                if not locked:
                    return CONSOLIDATION
                self._batches = deque()
                self._batches.extend(await self._reencoder.due(connection))
            if self._batches:
                await self._reencoder.encode(connection, self._batches.popleft())
        except psycopg.OperationalError:
            raise
        except Exception:
            logger.exception("memories about to move could not be encoded anew; they move as they are")
            self._batches = deque()
        if self._batches:
            return CONSOLIDATION
        self._batches = None
        # As long as deadlines are being computed again, nobody knows what is due.
        self._until = None if stale else now + WINDOW
        await connection.execute(_UNLOCK)
        return None


async def _only(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...]:
    row = await (await connection.execute(query.encode(), parameters)).fetchone()
    assert row is not None
    return row
