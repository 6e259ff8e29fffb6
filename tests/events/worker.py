"""A consumer process: appends each event's payload to a file, and dies of the one it is told to."""

import asyncio
import os
import signal
import sys

from engine import Mnemo


async def main(dsn: str, path: str, fatal: str) -> None:
    """Consume until killed."""
    done = os.open(path, os.O_WRONLY | os.O_CREAT)
    async with Mnemo.open(dsn) as mnemo, mnemo.consume("g", most=20) as events:
        async for event in events:
            if str(event.payload) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(done, f"{event.payload}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
