"""A pool of connections that carry the tenant and the search settings, and that outlives its server."""

import asyncio
import select
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from engine.config import Resilience, Settings
from engine.database.errors import translated
from engine.database.parameters import register
from engine.errors import ConnectionFailed
from engine.resilience import Breaker, Sleep, retried

Connection = AsyncConnection[TupleRow]


class Pool(AsyncConnectionPool[Connection]):
    """Connections to one database. Getting one is retried, behind a circuit breaker; see `Resilience`.

    Raises ConnectionFailed where none can be had, and PoolTimeout where all stayed in use.
    """

    resilience = Resilience()
    sleep: Sleep = staticmethod(asyncio.sleep)
    _breaker: Breaker | None = None

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109
        """Return a connection that the server has not closed meanwhile."""
        if self._breaker is None:
            self._breaker = Breaker(self.resilience, is_lost)
        get = partial(self._breaker.through, partial(self._living, timeout))
        try:
            return await retried(get, is_lost, self.resilience, self.sleep)
        except psycopg.OperationalError as error:
            ours = translated(error)
            if ours is None or isinstance(error, PoolTimeout):
                raise
            raise ours from error

    async def _living(self, limit: float | None) -> Connection:
        # More than all connections cannot have died.
        for _ in range(self.max_size + 1):
            try:
                connection = await super().getconn(limit)
            except PoolTimeout:
                await self._knock()
                raise
            try:
                if _has_news(connection):
                    await self.check_connection(connection)
            except psycopg.OperationalError:
                await self.putconn(connection)
            else:
                return connection
        raise ConnectionFailed("every connection of the pool was closed by the server")

    async def _knock(self) -> None:
        """Raise what a new connection meets: no server, where it was not that all connections are in use."""
        connection = await AsyncConnection.connect(str(self.conninfo), connect_timeout=2)
        await connection.close()


def make_pool(dsn: str, settings: Settings, kind: type[Pool] = Pool) -> Pool:
    """Return a pool, not yet open, whose connections autocommit."""
    session: dict[str, str] = {
        "mnemo.ef_search": str(settings.search.ef_search),
        "application_name": "mnemo",
        # By warnings a search says which tier it could not read.
        "client_min_messages": "warning",
        # Whatever the database or the role says: the driver reads and writes no other forms.
        "datestyle": "iso",
        "standard_conforming_strings": "on",
    }
    if settings.tenant is not None:
        session["mnemo.tenant"] = settings.tenant

    async def configure(connection: Connection) -> None:
        register(connection)
        for name, value in session.items():
            await connection.execute("select set_config(%s, %s, false)", (name, value))

    keywords: dict[str, Any] = {
        "autocommit": True,
        "connect_timeout": max(2, int(settings.pool.timeout_seconds)),
    }
    pool = kind(
        dsn,
        kwargs=keywords,
        min_size=settings.pool.min_size,
        max_size=settings.pool.max_size,
        timeout=settings.pool.timeout_seconds,
        # Its own attempts to reconnect end with the wait of who asked: the next one starts new ones at once.
        reconnect_timeout=settings.pool.timeout_seconds,
        configure=configure,
        open=False,
        name="mnemo",
    )
    pool.resilience = settings.resilience
    return pool


def is_lost(error: BaseException) -> bool:
    """Whether an error of the driver says that the server cannot be reached, or went away."""
    return (
        isinstance(error, psycopg.Error)
        and not isinstance(error, PoolTimeout)
        and isinstance(translated(error), ConnectionFailed)
    )


def _has_news(connection: Connection) -> bool:
    """Whether the server said something unasked: mostly that it closed the connection. No round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
