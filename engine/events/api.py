"""The event bus as methods of `Mnemo`."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.events.consumer import Consumer
from engine.memory import MemoryId


class EventsApi:
    """Publishing and consuming events; docs/events.md tells what is promised."""

    _pool: Pool

    async def publish(
        self, topic: str, payload: Any, *, context: str | None = None, memory_id: MemoryId | None = None
    ) -> int | None:
        """Publish an event in a transaction of its own; return its number, None where nobody wants the topic.

        Raises:
            UnknownName: there is no such topic.
            Backpressure: a subscription is too far behind; nothing was published.
        """
        seq = await self._event_value(
            "select mnemo.publish(%s::text, %s, %s::text, %s::uuid)",
            topic,
            Jsonb(payload),
            context,
            memory_id,
        )
        return None if seq is None else int(seq)

    async def create_topic(self, name: str, *, kept: bool = True, description: str = "") -> bool:
        """Add a topic; one that is not kept is written only while somebody subscribes to it."""
        return bool(await self._event_value("select mnemo.create_topic(%s, %s, %s)", name, kept, description))

    async def subscribe(
        self,
        name: str,
        topics: Sequence[str],
        *,
        from_start: bool = False,
        visibility: timedelta = timedelta(seconds=30),
        max_attempts: int = 5,
        backoff: timedelta = timedelta(seconds=1),
    ) -> bool:
        """Make a group of consumers that gets all events of some topics; False when it is there.

        `visibility`: how long a consumer may work on one event. `backoff`: wait before the second attempt; it
        doubles with each further one. After `max_attempts` the event is a dead letter.
        """
        return bool(
            await self._event_value(
                "select mnemo.subscribe(%s::text, %s::text[], %s, %s, %s, %s)",
                name,
                list(topics),
                from_start,
                visibility,
                max_attempts,
                backoff,
            )
        )

    async def unsubscribe(self, name: str) -> None:
        """End a subscription; what it still had to get is dropped with it."""
        await self._event_value("select mnemo.unsubscribe(%s)", name)

    def consume(
        self, subscription: str, *, most: int = 100, stopping: asyncio.Event | None = None
    ) -> Consumer:
        """Return a consumer; it keeps a connection of the pool as long as its `async with` block lasts.

        `async with mnemo.consume("group") as events: async for event in events: ...`. Asking for the next
        event acknowledges the one before; up to `most` are leased at a time. Iterating ends once `stopping`
        is set.
        """
        return Consumer(self._pool, subscription, most=most, stopping=stopping)

    async def replay_dead_letters(self, subscription: str, ids: Sequence[int] | None = None) -> int:
        """Deliver dead letters, by default all, again; return how many."""
        return int(
            await self._event_value(
                "select mnemo.replay_dead_letters(%s, %s::bigint[])",
                subscription,
                None if ids is None else list(ids),
            )
        )

    async def _event_value(self, query: str, *parameters: Any) -> Any:
        with translate_errors():
            async with self._pool.connection() as connection:
                row = await (await connection.execute(query.encode(), parameters)).fetchone()
        return row[0] if row is not None else None
