"""Locks and processes: which PostgreSQL processes belong to a data directory, and are they alive."""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.embedded.errors import EmbeddedServerError

LOCK_PATIENCE_S = 600.0
# Above the largest process id of Linux (2^22) and of macOS (99999).
IMPOSSIBLE_PID = 2_147_483_646


@contextmanager
def locked(path: Path, patience_s: float = LOCK_PATIENCE_S) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel frees it when its holder dies."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot open the lock file {path}: {error.strerror}. Choose a data directory in which you may "
            "write, with --data-dir or MNEMO_DATA_DIR"
        ) from error
    try:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"another mnemo process has held {path} for {patience_s:.0f} s; "
                        f"find it with `fuser {path}`, end it, and try again"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def cluster_name(pgdata: Path) -> str:
    """The name that every process of the server on `pgdata` shows in its title."""
    return "mnemo-" + hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]


@dataclass(frozen=True)
class PidFile:
    """What a running server wrote into postmaster.pid."""

    pid: int
    port: int
    socket_dir: str
    listen_address: str
    ready: bool


def pid_file_text(pgdata: Path) -> str:
    """The text of postmaster.pid, never of a file that a link in its place points to."""
    descriptor = os.open(pgdata / "postmaster.pid", os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_pid_file(pgdata: Path) -> PidFile | None:
    """The content of postmaster.pid; None when it is missing, empty or damaged."""
    try:
        lines = pid_file_text(pgdata).splitlines()
        lines += [""] * (8 - len(lines))
        return PidFile(int(lines[0]), int(lines[3] or 0), lines[4], lines[5], lines[7].strip() == "ready")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except PermissionError as error:
        raise EmbeddedServerError(
            f"{pgdata} belongs to another user; run mnemo as that user or as root, or choose another data "
            "directory with --data-dir or MNEMO_DATA_DIR"
        ) from error


def command_line(pid: int) -> list[str]:
    """The words of a process's command line; empty when it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            # A server's own title replaces the words by one string, padded with NULs.
            return [
                os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if word
            ]
        except OSError:
            return []
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.split()


def is_alive(pid: int, pgdata: Path) -> bool:
    """Whether `pid` is a server process of `pgdata`, and not some other process that got an old number."""
    words = command_line(pid)
    if not words:
        return False
    name = cluster_name(pgdata)
    program = Path(words[0]).name
    if " ".join(words).startswith(f"postgres: {name}: "):
        return True
    # The shell is what the server is for an instant between fork and exec.
    if program in ("postgres", "sh") and f"cluster_name={name}" in words:
        return True
    # Someone may have started the server by hand, with or without -D.
    return program == "postgres" and (str(pgdata) in words or _working_dir(pid) == str(pgdata))


def server_processes(pgdata: Path) -> list[int]:
    """The ids of all living processes of the server on `pgdata`."""
    if sys.platform == "linux":
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    else:
        shown = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=False)
        pids = [int(word) for word in shown.stdout.split()]
    return [pid for pid in pids if pid != os.getpid() and is_alive(pid, pgdata)]


def wait_for_end(pgdata: Path, patience_s: float) -> list[int]:
    """Wait until no process of the server on `pgdata` is left; returns those that are, after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while (left := server_processes(pgdata)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def is_taken(pid: int) -> bool:
    """Whether any process, a zombie too, has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(pid: int, sign: int) -> None:
    """Signal a process that may end at any moment."""
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, sign)
        except PermissionError as error:
            raise EmbeddedServerError(
                f"the server process {pid} belongs to another user; run mnemo as that user or as root"
            ) from error


def _working_dir(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""
