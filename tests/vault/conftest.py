"""Vaults on databases of their own, with their keys in a directory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from engine.config import Settings
from engine.mnemo import Mnemo

# Small, so that small items have several chunks.
CHUNK = 4096
Opener = Callable[..., AbstractAsyncContextManager[Mnemo]]


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """URL of an empty key store."""
    return (tmp_path / "keys").as_uri()


@pytest.fixture
def open_mnemo(dsn: str, keys: str) -> Opener:
    """Opens Mnemo on the test's database, or another, with the test's key store, or another."""

    @asynccontextmanager
    async def opened(
        database: str = dsn, *, keys: str = keys, tenant: str = "default", chunk_bytes: int = CHUNK
    ) -> AsyncIterator[Mnemo]:
        settings = Settings(dsn=database, tenant=tenant, vault={"keys": keys, "chunk_bytes": chunk_bytes})
        async with Mnemo.open(database, settings=settings) as mnemo:
            yield mnemo

    return opened


@pytest.fixture
async def mnemo(open_mnemo: Opener) -> AsyncIterator[Mnemo]:
    """Mnemo with a vault and no item."""
    async with open_mnemo() as opened:
        yield opened
