"""Errors of the driver and the server as errors of Mnemo."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from engine.errors import (
    Conflict,
    ConnectionFailed,
    InstallationMismatch,
    InvalidArgument,
    MnemoError,
    NotPermitted,
    TimedOut,
    error_for,
)

# A value that no column could hold: invalid or untranslatable text, out of range, JSON that jsonb refuses.
_BAD_VALUES = {"22021", "22P05", "22P02", "22P03", "22003", "22007", "22008", "22023", "54000", "54001"}
# Cancelled by a time limit of the server; waited too long for a lock.
_TIMED_OUT = {"57014", "55P03"}
_CONFLICTS = {"40001", "40P01"}
# Shutting down, crashed, starting up, out of connections.
_UNREACHABLE = {"57P01", "57P02", "57P03", "53300"}
_CORRUPT = {"XX001", "XX002"}
_NOT_INSTALLED = {"3F000", "42883", "42P01"}


def translated(error: Exception) -> MnemoError | None:
    """Return the error of Mnemo that a driver's error stands for; None where there is none."""
    if isinstance(error, PoolTimeout):
        return ConnectionFailed(f"no connection to the database could be had: {error}")
    if isinstance(error, UnicodeEncodeError):
        return InvalidArgument(f"text that is not valid Unicode: {error.object!r}, {error.reason}")
    if not isinstance(error, psycopg.Error):
        return None
    message = error.diag.message_primary or str(error).strip()
    if error.diag.message_detail and (error.sqlstate or "").startswith("MN"):
        message = f"{message}. {error.diag.message_detail}"
    ours = error_for(error.sqlstate, message)
    if ours is not None:
        return ours
    if error.sqlstate in _BAD_VALUES or (error.sqlstate is None and isinstance(error, psycopg.DataError)):
        return InvalidArgument(message)
    if error.sqlstate in _NOT_INSTALLED and "mnemo" in message:
        return InstallationMismatch(
            f"{message}: this database has no Mnemo, or an older one; run mnemo migrate"
        )
    # A file that the server may not open has the same code.
    if error.sqlstate == "42501" and not message.startswith("could not"):
        return NotPermitted(f"{message}: docs/security.md says which role may")
    if error.sqlstate in _TIMED_OUT:
        return TimedOut(message)
    if error.sqlstate in _CONFLICTS:
        return Conflict(message)
    if error.sqlstate is None or error.sqlstate[:2] == "08" or error.sqlstate in _UNREACHABLE:
        return ConnectionFailed(message)
    # A file that is gone or cannot be read is an operational error, one with wrong content an internal one.
    if isinstance(error, psycopg.OperationalError) or error.sqlstate in _CORRUPT:
        return MnemoError(f"the server could not do it: {message}")
    return None


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of Mnemo in place of the driver's where one fits."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, UnicodeEncodeError) as error:
        ours = translated(error)
        if ours is None:
            raise
        raise ours from error
