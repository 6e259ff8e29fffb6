"""A client to be killed: does one act on a vault, and stops where it is told."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.protocol import KeyStore

# What it puts, long enough for several chunks of the smallest size.
NEW = b"new" * 3000


async def act(mnemo: Mnemo, what: str) -> None:
    """Do what the crash matrix names: each takes the vault from one good state to another."""
    match what:
        case "put":
            await mnemo.vault.put("new", NEW, replace=True)
        case "replace":
            await mnemo.vault.put("b", NEW, replace=True)
        case "rotate":
            await mnemo.vault.rotate()
        case "rotate and destroy":
            await mnemo.vault.rotate(destroy_old=True)
        case "shred":
            await mnemo.vault.shred(["a"])
        case "shred tenant":
            await mnemo.vault.shred_tenant()


class StoppingKeys:
    """A key store that stops before or after it makes or destroys a key, as `create before` says."""

    def __init__(self, keys: KeyStore, stop: str) -> None:
        self._keys, self._stop = keys, stop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._keys, name)
        return self._stopping(name, method) if name in ("create", "destroy") else method

    def _stopping(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def stopping(*arguments: Any) -> Any:
            await self._at(f"{name} before")
            result = await method(*arguments)
            await self._at(f"{name} after")
            return result

        return stopping

    async def _at(self, place: str) -> None:
        if place == self._stop:
            print("reached", flush=True)
            await asyncio.Event().wait()


@asynccontextmanager
async def opened(dsn: str, keys: str, stop: str = "") -> AsyncIterator[Mnemo]:
    """Yield Mnemo with a vault of small chunks, whose key store stops where it is told."""
    async with Mnemo.open(
        dsn, settings=Settings(dsn=dsn, vault={"keys": keys, "chunk_bytes": 4096})
    ) as mnemo:
        session = await mnemo.vault._session()
        mnemo.vault._keys = StoppingKeys(session.keys, stop)
        yield mnemo


async def main() -> None:
    """Act: DSN, key store, act, and where to stop."""
    dsn, keys, what, stop = sys.argv[1:]
    async with opened(dsn, keys, stop) as mnemo:
        await act(mnemo, what)


if __name__ == "__main__":
    asyncio.run(main())
