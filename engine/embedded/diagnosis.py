"""Why a server did not start, read from its log, and what to do about it."""

import re
from pathlib import Path

_REMEDIES = (
    (
        r"could not bind|Address already in use",
        "another program listens on that port; choose another port or none (the socket needs no port)",
    ),
    (r"No space left on device", "the disk is full; free some space and start again"),
    (
        r"could not map anonymous shared memory|could not (create|resize) shared memory",
        "the machine refuses that much shared memory; set a smaller shared_buffers",
    ),
    (
        r"pre-existing shared memory block",
        "processes of the earlier server still run; end them and start again",
    ),
    (
        r"unrecognized configuration parameter|invalid value for parameter|requires a numeric value"
        r"|requires a Boolean value|outside the valid range|configuration file .* contains errors",
        "a setting given to the embedded server, or in its postgresql.conf, is wrong; correct it",
    ),
    (
        r"Permission denied|Operation not permitted",
        "the server's user may not use that file; correct its owner",
    ),
    (r"Read-only file system", "the disk is read-only; mount it writable or choose another data directory"),
    (
        r"checkpoint record|database files are incompatible"
        r"|control file|global/pg_control|invalid data in file|could not open file|PANIC"
        r"|is not a valid data directory|could not read file|relation mapping",
        "the data directory is damaged; restore it from a backup, or move it away and start again "
        "with an empty one",
    ),
)


def log_of_last_start(log_dir: Path) -> str:
    """What the latest attempt to start has logged: the standard error, then the log file."""
    parts = [_read(log_dir / "start.log")]
    files = sorted(log_dir.glob("server-*.log"), key=lambda path: path.stat().st_mtime)
    # A log file goes back before this start; the banner says where it begins.
    if files and "redirecting log output" in parts[0]:
        parts.append(_read(files[-1]).rpartition(" LOG:  starting PostgreSQL")[2])
    return "\n".join(parts)


def explain(log: str) -> str:
    """The decisive message of a log, and what to do."""
    grave = re.findall(r"(?:FATAL|PANIC):\s+(.*)", log)
    said = "; ".join(dict.fromkeys(grave)) or log.strip()[-400:] or "it left no message"
    for pattern, remedy in _REMEDIES:
        found = re.search(rf"^(?:.*(?:LOG|HINT|DETAIL):\s+)?(.*(?:{pattern}).*)", log, re.MULTILINE)
        if found:
            # The grave message may be a mere consequence, such as "contains errors".
            cause = "" if found[1] in said or re.search(r"FATAL|PANIC", found[1]) else f"{found[1]}; "
            return f"{cause}{said}. What to do: {remedy}"
    return f"{said}. What to do: read its log"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-100_000:]
    except OSError:
        return ""
