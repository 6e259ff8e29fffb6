"""mnemo worker."""

import asyncio
import logging
import os
import socket

import click
import psycopg

from engine.archive import objects_url
from engine.archive.service import WANTED, ArchiveService
from engine.cli.options import with_settings
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.worker import JobService, serve

logger = logging.getLogger(__name__)


@click.command()
@click.option(
    "--once", is_flag=True, show_envvar=True, help="Do what is due and end; exit with 1 if a run failed."
)
@click.pass_context
@with_settings
def command(settings: Settings, context: click.Context, once: bool) -> None:
    """Run the jobs until stopped.

    With an object store, and a policy that asks for it, also what is due in the archive. SIGTERM or SIGINT
    lets the current step finish, cancels it after worker.grace_seconds, and exits with 0; a second signal
    cancels at once. Any number of workers share the jobs. mnemo jobs shows them.
    """
    served = kept_server(settings)
    process = f"{socket.gethostname()} {os.getpid()}"
    names = [f"{process}/{place}" for place in range(1, settings.worker.concurrency + 1)]
    services: list[JobService | ArchiveService]
    services = [JobService(served.dsn, settings, name, once=once) for name in names]
    if objects_url(settings) is not None:
        services.append(ArchiveService(served.dsn, settings, process, once=once))
    else:
        _warn_without_store(served.dsn)
    asyncio.run(serve(services, settings.worker.grace_seconds))
    if once and any(service.failed for service in services):
        context.exit(1)


def _warn_without_store(dsn: str) -> None:
    with translate_errors(), psycopg.connect(dsn) as connection:
        row = connection.execute(WANTED).fetchone()
    if row is not None and row[0]:
        logger.warning(
            "archived, copied or restored is nothing here, though the database asks for it: set archive.url"
        )
