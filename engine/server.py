"""Which server: the one that is named, else the embedded one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from engine.config import Settings
from engine.database.errors import translate_errors
from engine.embedded import EmbeddedServer, default_data_dir
from engine.errors import InstallationMismatch
from engine.migrate import current, heads, is_newer, newer, upgrade

# Any other client of the embedded server keeps it running.
_OTHERS = (
    "select exists (select from pg_stat_activity"
    " where backend_type = 'client backend' and pid <> pg_backend_pid())"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A server with an installation of Mnemo: how to reach it, and the widths it was installed with."""

    dsn: str
    bits: int
    sketch_bits: int


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server that the configuration describes, as it is: running or not."""
    memory = {
        "shared_buffers": settings.embedded.shared_buffers,
        "maintenance_work_mem": settings.embedded.maintenance_work_mem,
    }
    return EmbeddedServer(
        settings.data_dir or default_data_dir(),
        port=settings.embedded.port,
        settings={name: value for name, value in memory.items() if value is not None},
    )


def ensure_server(settings: Settings) -> Served:
    """Return the server to use, started and migrated if it is the embedded one. Blocks.

    Raises:
        ConnectionFailed, EmbeddedServerError: it cannot be reached or started.
        InstallationMismatch: the database named by a dsn has no Mnemo or one of another version.
    """
    if settings.dsn is not None:
        _check_revision(settings.dsn)
        return _served(settings.dsn)
    dsn = embedded_server(settings).start().dsn
    given = settings.install.model_fields_set
    upgrade(
        dsn,
        bits=settings.install.bits if "bits" in given else None,
        sketch_bits=settings.install.sketch_bits if "sketch_bits" in given else None,
    )
    return _served(dsn)


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Served]:
    """Use the server for the time of the context.

    An embedded server that was started for it is stopped with it, unless another client is connected.
    """
    started_here = (
        settings.dsn is None and not (await asyncio.to_thread(embedded_server(settings).status)).running
    )
    served = await asyncio.to_thread(ensure_server, settings)
    try:
        yield served
    finally:
        if started_here:
            await asyncio.to_thread(_stop_unless_used, settings, served.dsn)


def _stop_unless_used(settings: Settings, dsn: str) -> None:
    try:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(_OTHERS).fetchone()
        used = row is not None and bool(row[0])
    except psycopg.OperationalError:
        used = False
    if not used:
        embedded_server(settings).stop()


def _check_revision(dsn: str) -> None:
    found = current(dsn)
    if is_newer(found):
        raise InstallationMismatch(newer(found))
    if found not in heads():
        what = (
            "has no Mnemo"
            if found is None
            else f"has Mnemo at revision {found}, this program needs {heads()[0]}"
        )
        raise InstallationMismatch(f"this database {what}; run: mnemo migrate")


def _served(dsn: str) -> Served:
    with translate_errors(), psycopg.connect(dsn) as connection:
        rows: dict[str, int] = dict(
            connection.execute(
                "select name, value::integer from mnemo.setting where name in ('bits', 'sketch_bits')"
            ).fetchall()
        )
    return Served(dsn, rows["bits"], rows["sketch_bits"])
