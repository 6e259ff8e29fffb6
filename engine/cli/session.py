"""A server to work on: started where it is down, and left running."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from engine.archive import objects_url
from engine.cli.output import notify
from engine.config import Settings
from engine.config.database import database_settings
from engine.database.errors import translate_errors
from engine.embedded import EmbeddedServer
from engine.errors import InvalidArgument
from engine.mnemo import Mnemo
from engine.server import Served, embedded_server, ensure_server

T = TypeVar("T")


def kept_server(settings: Settings) -> Served:
    """Return the server to use; an embedded one that was down is started, which is said, and stays up."""
    if settings.dsn is None:
        server = embedded_server(settings)
        if not server.status().running:
            notify(f"starting the embedded server on {server.status().data_dir}; mnemo down stops it")
    return ensure_server(settings)


def with_mnemo(settings: Settings, work: Callable[[Mnemo], Awaitable[T]]) -> T:
    """Run `work` on an open Mnemo; the one place where the command line turns asynchronous."""
    served = kept_server(settings)
    # A dsn has no store of its own by default; the embedded server has, and is named by its dsn from here on.
    archive = settings.archive.model_copy(update={"url": objects_url(settings)})
    located = settings.model_copy(update={"archive": archive})

    async def run() -> T:
        async with Mnemo.open(served.dsn, settings=located) as mnemo:
            return await work(mnemo)

    return asyncio.run(run())


def without_password(dsn: str) -> str:
    """Return a connection string that may be shown."""
    parts = conninfo_to_dict(dsn)
    parts.pop("password", None)
    return make_conninfo("", **parts)


def own_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server, for commands about it; refuse where a dsn names another one."""
    if settings.dsn is not None:
        raise InvalidArgument(
            "a dsn is configured, and Mnemo starts and stops only its own server:"
            " unset MNEMO_DSN (or dsn in the configuration file), or give --data-dir"
        )
    return embedded_server(settings)


def apply_settings(settings: Settings, dsn: str) -> dict[str, float]:
    """Give the database its copy of the settings that were given; return them."""
    wanted = database_settings(settings)
    if wanted:
        with translate_errors(), psycopg.connect(dsn) as connection:
            connection.execute("select mnemo.configure(%s)", (Jsonb(wanted),))
    return wanted
