"""A process of services: run together, stopped by a signal, each allowed to finish what it is at."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Protocol

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Service(Protocol):
    """Something that a worker process does until it is told to stop."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish the piece at hand and return.

        A service that takes too long for that is cancelled, so what it does must be safe to cancel.
        """


async def serve(services: Sequence[Service], grace_seconds: float) -> None:
    """Run services until all have ended, one has failed, or SIGTERM or SIGINT arrives.

    After a signal they have `grace_seconds` to end by themselves, and are cancelled then, or at a second
    signal. Raises what the first failed service raised.
    """
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(service.run(stopping)) for service in services]

    def stop() -> None:
        if stopping.is_set():
            for task in tasks:
                task.cancel()
        stopping.set()

    loop = asyncio.get_running_loop()
    for sign in _SIGNALS:
        loop.add_signal_handler(sign, stop)
    told = asyncio.create_task(stopping.wait())
    try:
        running = set(tasks)
        while running and not stopping.is_set():
            ended, _ = await asyncio.wait({*running, told}, return_when=asyncio.FIRST_COMPLETED)
            running -= ended
            if any(not task.cancelled() and task.exception() for task in ended):
                stopping.set()
        if running:
            await asyncio.wait(running, timeout=grace_seconds)
    finally:
        for task in (told, *tasks):
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for sign in _SIGNALS:
            loop.remove_signal_handler(sign)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
