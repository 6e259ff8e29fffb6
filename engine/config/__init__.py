"""Settings of one process: YAML file, environment, presets; see README.md beside this file."""

from engine.config.sections import (
    Archive,
    Embedded,
    Ingest,
    Install,
    Lifecycle,
    Logging,
    Pool,
    Resilience,
    Search,
    Vault,
    Worker,
)
from engine.config.settings import Settings

__all__ = [
    "Archive",
    "Embedded",
    "Ingest",
    "Install",
    "Lifecycle",
    "Logging",
    "Pool",
    "Resilience",
    "Search",
    "Settings",
    "Vault",
    "Worker",
]
