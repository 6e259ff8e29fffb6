"""The process: what a user sees of errors and interrupts, and the exit codes."""

import io
import signal
import sys
import traceback
from typing import NoReturn

import click

from engine.cli.group import group
from engine.cli.options import Given
from engine.errors import MnemoError

FAILURE = 1
INTERRUPTED = 128 + signal.SIGINT


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character of a memory is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; mistakes of the user become one message, no traceback."""
    given = Given()
    try:
        code = group.main(list(arguments), prog_name="mnemo", standalone_mode=False, obj=given)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, click.Abort) as error:
        _report("interrupted; what was not finished was undone", error, given.debug)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader has gone; Python would complain again when it flushes at exit.
        sys.stdout = sys.stderr = open("/dev/null", "w")  # noqa: PTH123, SIM115
        return FAILURE
    except MnemoError as error:
        _report("\n".join([str(error), *getattr(error, "__notes__", ())]), error, given.debug)
        return FAILURE
    except OSError as error:
        _report(f"{error.filename}: {error.strerror}" if error.filename else str(error), error, given.debug)
        return FAILURE
    except Exception as error:
        _report(f"unexpected {type(error).__name__}: {error}\nmnemo --debug shows where", error, given.debug)
        return FAILURE


def _report(message: str, error: BaseException, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    click.echo(f"mnemo: {message}", err=True)
