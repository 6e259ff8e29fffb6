"""The server's settings, computed from the size of the machine."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.embedded.errors import EmbeddedServerError

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30

# The server finds itself by these; they are given on its command line and are not the user's to set.
RESERVED = frozenset(
    {"cluster_name", "config_file", "data_directory", "hba_file", "listen_addresses", "port",
     "log_directory", "logging_collector", "unix_socket_directories", "unix_socket_permissions"}
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What the server may use: memory, free disk and shared memory in bytes, and processors."""

    memory: int
    processors: int
    disk_free: int
    shm_size: int


def measure(directory: Path) -> Machine:
    """Measure this machine, within the limits of its control groups."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = min([physical, *_group_numbers("memory", ("memory.max", "memory.limit_in_bytes"))])
    shm = Path("/dev/shm")
    return Machine(
        memory=memory,
        processors=max(1, min([usable, *_group_processors()])),
        disk_free=shutil.disk_usage(directory).free,
        shm_size=shutil.disk_usage(shm).total if shm.is_dir() else 0,
    )


def compute(machine: Machine) -> dict[str, str]:
    """Settings for a machine of this size; memory in PostgreSQL's units."""
    memory, processors = machine.memory, machine.processors
    maintenance = _clamp(memory // 8, 64 * MB, 2 * GB)
    settings = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "shared_buffers": _mb(_clamp(memory // 4, 64 * MB, 8 * GB)),
        "effective_cache_size": _mb(_clamp(memory * 5 // 8, 128 * MB, 1024 * GB)),
        # An HNSW graph that outgrows this is built many times slower.
        "maintenance_work_mem": _mb(maintenance),
        "autovacuum_work_mem": _mb(_clamp(maintenance // 4, 32 * MB, 512 * MB)),
        "work_mem": _mb(_clamp(memory // 512, 4 * MB, 64 * MB)),
        "max_worker_processes": str(8 + processors),
        "max_parallel_workers": str(processors),
        "max_parallel_workers_per_gather": str(_clamp(processors // 2, 1, 4)),
        "max_parallel_maintenance_workers": str(_clamp(processors - 1, 1, 7)),
        "max_wal_size": _mb(_clamp(machine.disk_free // 20, 256 * MB, 4 * GB)),
        "min_wal_size": "80MB",
        "wal_compression": "lz4",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        # Compiling takes longer than the short queries that this server answers.
        "jit": "off",
        "log_filename": "server-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        # A hypervector as text is 16 KB; a log line must not carry it.
        "log_parameter_max_length": "256",
        "log_parameter_max_length_on_error": "0",
        "log_lock_waits": "on",
        "lc_messages": "C",
    }
    # A parallel HNSW build takes maintenance_work_mem from /dev/shm, which containers often limit to 64 MB.
    if machine.shm_size < maintenance + 64 * MB:
        settings["dynamic_shared_memory_type"] = "sysv"
    return settings


def render(settings: Mapping[str, str], overrides: Mapping[str, str]) -> str:
    """The text of the configuration file; what the user gave comes last and wins."""
    for name, value in overrides.items():
        if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", name):
            raise EmbeddedServerError(f"{name!r} is not the name of a PostgreSQL setting")
        if name in RESERVED:
            raise EmbeddedServerError(f"the setting {name} belongs to the embedded server; leave it out")
        if "\n" in value or "\0" in value:
            raise EmbeddedServerError(f"the value of the setting {name} must be one line, not {value!r}")
    merged = {**settings, **overrides}
    lines = [f"{name} = '{_quoted(value)}'" for name, value in merged.items()]
    heading = (
        "# Written by mnemo at every start. Put settings of your own into postgresql.conf, below the include."
    )
    return "\n".join([heading, *lines, ""])


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def _mb(size: int) -> str:
    return f"{size // MB}MB"


def _group_dirs(controller: str) -> list[Path]:
    """This process's control group and the ones above it, in either version of the hierarchy."""
    try:
        rows = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for row in rows:
        _, controllers, path = row.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup", controller) if controllers else Path("/sys/fs/cgroup")
        group = root / path.lstrip("/")
        # In a container the path may name a group of the host; its own limit then stands at the root.
        found += [level for level in (group, *group.parents) if level == root or root in level.parents]
    return found


def _group_numbers(controller: str, names: tuple[str, ...]) -> list[int]:
    words = [word for folder in _group_dirs(controller) for name in names for word in _words(folder / name)]
    return [int(word) for word in words if word.isdigit() and int(word) > 0]


def _group_processors() -> list[int]:
    limits: list[int] = []
    for folder in _group_dirs("cpu"):
        quota = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
            limits.append(-(-int(quota[0]) // int(quota[1])))
    return limits


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
