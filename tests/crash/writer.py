"""A client to be killed: writes batches for ever, and prints what each acknowledged batch holds."""

import asyncio
import sys
from itertools import count

from engine import Memory, Mnemo


async def write(dsn: str, mode: str) -> None:
    """Write keyed memories in batches of 20, moving and forgetting some; or bulk-load for ever."""
    async with Mnemo.open(dsn) as mnemo:
        if mode == "bulk":
            print("begun", flush=True)
            endless = (Memory(f"bulk memory {i}", key=f"bulk {i}", tier="warm") for i in count())
            await mnemo.remember_many(endless, batch_rows=50, bulk=True)
        for batch in count():
            keys = [f"{batch}-{i}" for i in range(20)]
            ids = await mnemo.remember_many([Memory(f"memory {key}", key=key) for key in keys])
            print("stored", *keys, flush=True)
            await mnemo.demote(ids[:5], "warm")
            await mnemo.demote(ids[5:8], "cold")
            await mnemo.promote(ids[:2], "hot")
            forgotten = await mnemo.forget_many(ids[18:])
            assert forgotten == 2
            print("forgotten", *keys[18:], flush=True)


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2]))
