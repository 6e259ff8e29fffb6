"""A pool of connections that carry the tenant and the search settings."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from engine.config import Settings
from engine.database.parameters import register

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]


def make_pool(dsn: str, settings: Settings) -> Pool:
    """Return a pool, not yet open, whose connections autocommit."""
    session: dict[str, str] = {
        "mnemo.tenant": settings.tenant,
        "mnemo.ef_search": str(settings.search.ef_search),
        "application_name": "mnemo",
    }

    async def configure(connection: Connection) -> None:
        register(connection)
        for name, value in session.items():
            await connection.execute("select set_config(%s, %s, false)", (name, value))

    keywords: dict[str, Any] = {
        "autocommit": True,
        "connect_timeout": max(2, int(settings.pool.timeout_seconds)),
    }
    return AsyncConnectionPool(
        dsn,
        kwargs=keywords,
        min_size=settings.pool.min_size,
        max_size=settings.pool.max_size,
        timeout=settings.pool.timeout_seconds,
        configure=configure,
        open=False,
        name="mnemo",
    )
