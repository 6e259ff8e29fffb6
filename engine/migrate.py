"""Bring a database to a revision of Mnemo's schema, and ask where it stands."""

import io
import threading
from collections.abc import Callable

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from engine.errors import (
    BY_SQLSTATE,
    ConnectionFailed,
    InstallationMismatch,
    InvalidArgument,
    MigrationFailed,
    MnemoError,
)
from engine.schema.parameters import DEFAULT_BITS
from engine.schema.request import REQUEST_KEY, RESULT_KEY, MigrationResult, Request
from engine.sources import source_dir

# Alembic's `op` and `context` are process-wide.
_one_at_a_time = threading.Lock()


def upgrade(
    dsn: str, *, bits: int | None = None, sketch_bits: int | None = None, revision: str = "head"
) -> MigrationResult:
    """Install Mnemo in a database, or bring an installation up to date; safe to call at any time, by many.

    Args:
        dsn: libpq connection string, keywords or URI.
        bits: width of hypervectors, a multiple of 64 from 1,024 to 32,768; a first installation takes
            16,384 where it is not given, a later call keeps what is recorded.
        sketch_bits: width of sketches, a multiple of 64 up to `bits`; 1,536 or `bits`, the lesser, where not
            given.
        revision: where to stop.

    Raises:
        ConnectionFailed: the server cannot be reached.
        InstallationMismatch: the server cannot hold Mnemo, or was installed with other widths.
        InvalidArgument: a width is not possible, or the revision does not exist.
        MigrationFailed: the server refused a statement; nothing has changed.
    """
    return _move(command.upgrade, Request(dsn, bits, sketch_bits), revision)


def downgrade(dsn: str, revision: str, *, force: bool = False) -> MigrationResult:
    """Go back to a revision; `base` removes all of Mnemo but its (then empty) version table.

    Raises:
        InstallationMismatch: stored memories would be dropped, and `force` is not set.
        ConnectionFailed, InvalidArgument, MigrationFailed: as for `upgrade`.
    """
    return _move(command.downgrade, Request(dsn, force=force), revision)


def offline_sql(bits: int = DEFAULT_BITS, sketch_bits: int | None = None, revision: str = "head") -> str:
    """Return the script that makes a first installation without this program, by psql for one.

    With a revision such as `0001:head` it is that of an upgrade, which refuses a database of other widths.

    Raises:
        InvalidArgument: a width is not possible, or the revision does not exist.
    """
    output = io.StringIO()
    config = _config(Request(bits=bits, sketch_bits=sketch_bits), output)
    try:
        with _one_at_a_time:
            command.upgrade(config, revision, sql=True)
    except CommandError as error:
        raise InvalidArgument(str(error)) from error
    return output.getvalue()


def current(dsn: str) -> str | None:
    """Return the revision a database is at; None where nothing is installed.

    Raises:
        ConnectionFailed: the server cannot be reached.
    """
    try:
        with psycopg.connect(dsn) as connection:
            return _revision(connection)
    except psycopg.OperationalError as error:
        raise ConnectionFailed(str(error).strip()) from error


def heads() -> tuple[str, ...]:
    """Return the newest revisions this program knows: one, unless a development branch forked."""
    return tuple(ScriptDirectory.from_config(_config(Request())).get_heads())


def is_newer(revision: str | None) -> bool:
    """Return whether a database at this revision was made by a newer program than this one."""
    scripts = ScriptDirectory.from_config(_config(Request())).walk_revisions()
    return revision is not None and revision not in {script.revision for script in scripts}


def newer(revision: str | None) -> str:
    """Return what is wrong, and what to do, where `is_newer`."""
    own = heads()[0]
    return f"this database has Mnemo at revision {revision}, newer than this program ({own}): update Mnemo"


def _revision(connection: psycopg.Connection) -> str | None:
    if connection.execute("select to_regclass('mnemo.alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from mnemo.alembic_version").fetchone()
    return None if row is None else str(row[0])


def _config(request: Request, output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", str(source_dir("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes[REQUEST_KEY] = request
    return config


def _move(move: Callable[[Config, str], None], request: Request, revision: str) -> MigrationResult:
    config = _config(request)
    try:
        with _one_at_a_time:
            move(config, revision)
    except CommandError as error:
        if is_newer(found := current(request.dsn)):
            raise InstallationMismatch(newer(found)) from error
        raise InvalidArgument(str(error)) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise _translated(error.orig) from error
        raise
    except psycopg.Error as error:
        raise _translated(error) from error
    outcome = config.attributes[RESULT_KEY]
    assert isinstance(outcome, MigrationResult)
    return outcome


def _translated(error: psycopg.Error) -> MnemoError:
    state, message = error.sqlstate, error.diag.message_primary or str(error).strip()
    if error.diag.message_hint:
        message = f"{message} ({error.diag.message_hint})"
    if state in BY_SQLSTATE:
        return BY_SQLSTATE[state](message)
    if isinstance(error, psycopg.OperationalError) and (state is None or state[:2] in ("08", "28", "3D")):
        return ConnectionFailed(message)
    if state == "55P03":
        message = f"{message}: another session holds a lock on Mnemo's tables; try again when it is done"
    return MigrationFailed(f"{message} (SQLSTATE {state}); nothing was changed")
