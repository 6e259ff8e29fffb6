"""Settings follow the machine, and the limits set on this process."""

from pathlib import Path

import pytest

from engine.embedded import settings
from engine.embedded.settings import GB, MB, Machine


def megabytes(computed: dict[str, str], name: str) -> int:
    """The value of a memory setting, in MB."""
    assert computed[name].endswith("MB")
    return int(computed[name][:-2])


@pytest.mark.parametrize("memory", [256 * MB, 1 * GB, 8 * GB, 64 * GB, 1024 * GB])
@pytest.mark.parametrize("processors", [1, 2, 64])
def test_settings_fit_the_machine(memory: int, processors: int) -> None:
    computed = settings.compute(Machine(memory, processors, disk_free=100 * GB, shm_size=memory // 2))
    fixed = megabytes(computed, "shared_buffers") + megabytes(computed, "maintenance_work_mem")
    assert fixed <= memory // MB * 0.6
    assert megabytes(computed, "effective_cache_size") <= memory // MB
    assert megabytes(computed, "work_mem") >= 4
    assert 1 <= int(computed["max_parallel_maintenance_workers"]) <= max(1, processors - 1)
    for safe in ("fsync", "full_page_writes", "synchronous_commit"):
        assert computed[safe] == "on"


def test_little_shared_memory_and_disk_are_respected() -> None:
    computed = settings.compute(Machine(16 * GB, 4, disk_free=2 * GB, shm_size=64 * MB))
    assert computed["dynamic_shared_memory_type"] == "sysv"
    assert megabytes(computed, "max_wal_size") <= 256
    assert "dynamic_shared_memory_type" not in settings.compute(Machine(16 * GB, 4, 100 * GB, 12 * GB))


@pytest.mark.parametrize(
    ("files", "memory", "processors"),
    [
        ({"memory.max": "268435456", "cpu.max": "150000 100000"}, 256 * MB, 2),
        ({"memory.max": "max", "cpu.max": "max 100000"}, None, None),
        (
            {
                "memory.limit_in_bytes": "536870912",
                "cpu.cfs_quota_us": "50000",
                "cpu.cfs_period_us": "100000",
            },
            512 * MB,
            1,
        ),
        ({"memory.limit_in_bytes": "9223372036854771712", "cpu.cfs_quota_us": "-1"}, None, None),
    ],
    ids=["v2", "v2 unlimited", "v1", "v1 unlimited"],
)
def test_control_groups_limit_the_measure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    memory: int | None,
    processors: int | None,
) -> None:
    monkeypatch.setattr(settings, "_group_dirs", lambda controller: [])
    whole = settings.measure(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(settings, "_group_dirs", lambda controller: [tmp_path, tmp_path / "absent"])
    limited = settings.measure(tmp_path)
    assert limited.memory == (memory or whole.memory)
    assert limited.processors == min(processors or whole.processors, whole.processors)
