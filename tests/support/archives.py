"""Databases with an archive, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.archive.session import ArchiveSession, open_archive
from engine.config import Settings
from engine.mnemo import Mnemo

# In the past as a file system has it: older than any grace period of the tests.
LONG_AGO = 1_500_000_000


@asynccontextmanager
async def opened(
    dsn: str, where: Path | str | Settings, worker: str = "worker", **archive: Any
) -> AsyncIterator[tuple[Mnemo, ArchiveSession]]:
    """Yield Mnemo and a session of its archive in a store: a directory, a URL, or whole settings."""
    settings = _settings(dsn, where, archive)
    async with (
        Mnemo.open(dsn, settings=settings) as mnemo,
        open_archive(mnemo.pool, settings, worker=worker) as session,
    ):
        yield mnemo, session


def keys_in(store: Path) -> set[str]:
    """Return the keys of the objects in a directory store, read from the disk."""
    return {
        str(path.relative_to(store))
        for path in store.rglob("*")
        if path.is_file() and not path.relative_to(store).parts[0].startswith(".")
    }


def _settings(dsn: str, where: Path | str | Settings, archive: dict[str, Any]) -> Settings:
    if isinstance(where, Settings):
        return where.model_copy(update={"dsn": dsn})
    return Settings(dsn=dsn, archive={"url": str(where)} | archive)
