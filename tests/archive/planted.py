"""An object store that a test can disturb, and memories whose right answers NumPy knows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
from numpy.typing import NDArray

from adapters.objects.directory import DirectoryObjects
from engine import Mnemo
from engine.archive import register_objects
from engine.archive.cache import shared_cache
from engine.config import Settings
from engine.errors import StoreUnavailable
from engine.memory import MemoryId
from tests.support.memories import Draft, clustered, remember_all

SCHEME = "planted"


class Disturbed(DirectoryObjects):
    """A directory whose reads a test counts and harms; `harm` sees key and bytes, and returns the bytes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[tuple[str, int, int]] = []
        self.down = False
        self.hanging = False
        self.harm: Callable[[str, bytes], bytes] = lambda _, data: data

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Return bytes, unless told otherwise."""
        self.reads.append((key, start, length))
        if self.hanging:
            await asyncio.Event().wait()
        if self.down:
            raise StoreUnavailable("told to be down")
        return self.harm(key, await super().read(key, start, length))


_stores: dict[Path, Disturbed] = {}


@asynccontextmanager
async def _open(url: str, _: Settings) -> AsyncIterator[Disturbed]:
    yield _stores[Path(urlsplit(url).path)]


register_objects(SCHEME, _open)


@asynccontextmanager
async def disturbed(root: Path) -> AsyncIterator[Disturbed]:
    """Yield a store, with nothing of it in the cache; `settings_of` names it."""
    shared_cache(0).clear()
    store = _stores[root] = Disturbed(root)
    await store.prepare()
    try:
        yield store
    finally:
        del _stores[root]
        await store.close()


def settings_of(root: Path, **archive: Any) -> Settings:
    """Settings of an archive in that store."""
    return Settings(archive={"url": f"{SCHEME}://{root}"} | archive)


@dataclass
class World:
    """Memories by id with all that a search may ask of them, and the store of those that are archived."""

    dsn: str
    mnemo: Mnemo
    store: Disturbed
    hdvs: dict[MemoryId, NDArray[np.uint8]] = field(default_factory=dict)
    attributes: dict[MemoryId, dict[str, Any]] = field(default_factory=dict)
    contexts: dict[MemoryId, str | None] = field(default_factory=dict)
    contents: dict[MemoryId, str] = field(default_factory=dict)

    def oracle(
        self,
        query: NDArray[np.uint8],
        k: int,
        matches: Callable[[MemoryId], bool] = lambda _: True,
    ) -> list[tuple[int, MemoryId]]:
        """Return the k nearest of the memories that match as (distance, id), by brute force."""
        scored = [
            (int(np.bitwise_count(hdv ^ query).sum()), memory_id)
            for memory_id, hdv in self.hdvs.items()
            if matches(memory_id)
        ]
        return sorted(scored)[:k]

    def write(
        self, hdvs: NDArray[np.uint8], tier: str, tenant: str = "default", name: str = "memory"
    ) -> list[MemoryId]:
        """Store memories of a tenant; those of the tenant 'default' are the oracle's."""
        drafts = [
            Draft(
                f"{name} {n} of {tenant}",
                hdv,
                context=f"c{n % 3}",
                attributes={"n": n, "third": n % 3},
                key=f"{tenant} {name} {n}",
                tier=tier,
            )
            for n, hdv in enumerate(hdvs)
        ]
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("select set_config('mnemo.tenant', %s, false)", (tenant,))
            ids = [MemoryId(one) for one in remember_all(connection, drafts)]
        if tenant == "default":
            for memory_id, draft in zip(ids, drafts, strict=True):
                assert draft.hdv is not None
                self.hdvs[memory_id] = draft.hdv
                self.attributes[memory_id] = draft.attributes
                self.contexts[memory_id] = draft.context
                self.contents[memory_id] = draft.content
        return ids


def by_cluster(ids: Sequence[MemoryId], of: dict[MemoryId, int]) -> list[MemoryId]:
    """Return ids with those of a cluster side by side."""
    return sorted(ids, key=lambda one: (of.get(one, -1), one))


def planted(rows: int, bits: int, clusters: int, seed: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Draw hypervectors around centres; return them and the cluster of each."""
    hdvs, of = clustered(np.random.default_rng(seed), rows, bits, clusters)
    return hdvs, of.tolist()
