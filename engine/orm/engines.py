"""Engines for both drivers that carry the session's settings and raise Mnemo's own exceptions."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy
from psycopg.pq import Format
from sqlalchemy import Engine, event, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from engine.database.parameters import register
from engine.errors import InvalidHypervector, MnemoError, error_for
from engine.orm.asyncpg_arguments import asyncpg_arguments, read_conninfo
from engine.orm.hypervector import HammingDistance, Hypervector

# psycopg reads these from the binary format as it does from text.
_BINARY_TYPES = frozenset(
    {
        HammingDistance,
        Hypervector,
        postgresql.JSONB,
        types.BigInteger,
        types.Boolean,
        types.DateTime,
        types.Double,
        types.Float,
        types.Integer,
        types.LargeBinary,
        types.REAL,
        types.SmallInteger,
        types.Text,
        types.Uuid,
    }
)
# A column bit(D), and pgvector's operator <~>, refuse a wrong length before any function of Mnemo sees it.
_WRONG_LENGTH = {"22026": "bit string length", "22000": "different bit lengths"}


def create_engine(
    dsn: str = "",
    *,
    tenant: str | None = None,
    ef_search: int = 100,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> Engine:
    """Return an engine on psycopg 3 for a libpq connection string, URI or key=value pairs.

    `ef_search`: sketch candidates of a search. `settings`: more server settings of each session, which win
    over what is set here. Other options are SQLAlchemy's. What Mnemo's functions refuse raises engine.errors.

    Raises:
        InvalidArgument: the connection string is not valid.
    """
    arguments = read_conninfo(dsn) | options.pop("connect_args", {})
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=arguments, **options)
    session = json.dumps(_session(tenant, ef_search, settings))

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        register(connection)
        _configure(connection, "%s", session)

    event.listen(engine, "before_cursor_execute", _read_hypervectors_in_binary)
    event.listen(engine, "handle_error", _raise_ours)
    return engine


def create_async_engine(
    dsn: str = "",
    *,
    tenant: str | None = None,
    ef_search: int = 100,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncEngine:
    """Return an engine on asyncpg for a libpq connection string; see `create_engine`.

    Raises:
        InvalidArgument: the connection string is not valid, or asks for what asyncpg does not have.
    """
    arguments = asyncpg_arguments(dsn) | options.pop("connect_args", {})
    engine = sqlalchemy_asyncio.create_async_engine(
        "postgresql+asyncpg://", connect_args=arguments, **options
    )
    session = json.dumps(_session(tenant, ef_search, settings))

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:
        _configure(connection, "$1", session)

    event.listen(engine.sync_engine, "handle_error", _raise_ours)
    return engine


def _session(tenant: str | None, ef_search: int, settings: Mapping[str, str] | None) -> dict[str, str]:
    found = {
        "mnemo.ef_search": str(ef_search),
        "hnsw.ef_search": str(min(ef_search, 1000)),
        # For `nearest`: the index is scanned until all candidates are found; re-ranking puts them in order.
        "hnsw.iterative_scan": "relaxed_order",
    }
    if tenant is not None:
        found["mnemo.tenant"] = tenant
    return found | dict(settings or {})


def _configure(connection: Any, placeholder: str, session: str) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"select set_config(s.key, s.value, false) from jsonb_each_text({placeholder}::text::jsonb) as s",  # noqa: S608 - one of two constants
        (session,),
    )
    cursor.close()
    # A rollback would undo the settings.
    connection.commit()


def _read_hypervectors_in_binary(
    _: object, cursor: Any, statement: str, parameters: object, context: Any, executemany: bool
) -> None:
    # 13 us a hypervector where text takes 85; only where every other column is known to be read alike.
    columns = getattr(context.compiled, "_result_columns", None) or ()
    found = {type(entry.type) for entry in columns}
    if Hypervector in found and found <= _BINARY_TYPES:
        cursor.format = Format.BINARY


def _raise_ours(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, MnemoError):
        raise error
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return
    message, detail = _told(error)
    if message.startswith(_WRONG_LENGTH.get(sqlstate, "\0")):
        raise InvalidHypervector(message) from error
    ours = error_for(sqlstate, f"{message}. {detail}" if detail else message)
    if ours is not None:
        raise ours from error


def _told(error: BaseException) -> tuple[str, str | None]:
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None:
        return diagnosis.message_primary or str(error), diagnosis.message_detail
    # asyncpg's own exception is the cause of the one that SQLAlchemy makes of it.
    cause = error.__cause__
    return getattr(cause, "message", None) or str(error), getattr(cause, "detail", None)
