"""mnemo psql."""

import os
import shutil

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.cli.options import with_settings
from engine.cli.session import kept_server
from engine.config import Settings
from engine.embedded import EmbeddedServerError
from engine.server import embedded_server


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_settings
def command(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Open psql on Mnemo's database; ARGUMENTS go to psql.

    For example: mnemo psql -- -c 'select * from mnemo.tier_stats'
    """
    dsn = settings.dsn or kept_server(settings).dsn
    program, environment = _psql(settings)
    parts = conninfo_to_dict(dsn)
    # Other users of the machine can read a process's arguments, not its environment.
    password = parts.pop("password", None)
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    if settings.tenant is not None:
        tenant = "".join("\\" + c if c in "\\ " else c for c in settings.tenant)
        parts["options"] = f"{parts.get('options') or ''} -c mnemo.tenant={tenant}".strip()
    os.execve(program, [program, make_conninfo("", **parts), *arguments], environment)


def _psql(settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the psql of the embedded server, else the one on the path, and the environment it needs."""
    server = embedded_server(settings)
    try:
        return str(server.binary("psql")), server.environment()
    except EmbeddedServerError:
        found = shutil.which("psql")
        if found is None:
            raise
        return found, dict(os.environ)
