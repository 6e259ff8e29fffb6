"""The archive's part of a worker: copies, restores, exports, compactions, and what nobody needs any more."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic

import psycopg

from engine.archive.session import ArchiveSession, open_archive
from engine.archive.steps import STEPS, Step
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Pool, make_pool
from engine.errors import ConnectionFailed, InvalidConfiguration, MnemoError, StoreRefused, StoreUnavailable

logger = logging.getLogger(__name__)

# SPEC H10, but for the first attempt, which is made at once.
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
# An archive is idle for days: nobody waits for the second.
_POLLS = 5
WANTED = (
    "select exists (select from mnemo.policy p where p.enabled and p.kind in ('archive', 'copy'))"
    " or exists (select from mnemo.archive) or exists (select from mnemo.object)"
)


class ArchiveService:
    """Does what is due in the archive, once there is a policy that asks for one, or anything in it.

    Any number may share the work. Where the store or the database is away, it waits and says so once; a step
    that fails waits alone. Neither ends the worker.
    """

    def __init__(
        self,
        dsn: str,
        settings: Settings,
        name: str,
        *,
        once: bool = False,
        steps: Sequence[Step] | None = None,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._name = name
        self._once = once
        self._steps = STEPS if steps is None else steps
        self._not_before = dict.fromkeys((step.name for step in self._steps), 0.0)
        self._failures = dict.fromkeys((step.name for step in self._steps), 0)
        self._outages = 0
        self.failed = 0
        """Steps that failed here, and outages."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, or with `once` until nothing is left that can be done now.

        Cancelled in the middle of a step, it leaves that to whoever comes next. Raises InvalidConfiguration.
        """
        async with self._pool() as pool:
            while not stopping.is_set():
                try:
                    if await _wanted(pool):
                        async with open_archive(pool, self._settings, worker=self._name) as session:
                            await self._work(session, stopping)
                    elif not self._once:
                        await _pause(stopping, self._settings.worker.poll_seconds * _POLLS)
                except InvalidConfiguration:
                    raise
                except (MnemoError, psycopg.Error) as error:
                    await self._out(error, stopping)
                if self._once:
                    return

    async def _work(self, session: ArchiveSession, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            worked = False
            for step in self._steps:
                if not stopping.is_set() and monotonic() >= self._not_before[step.name]:
                    worked |= await self._do(step, session)
            if self._outages:
                logger.info("the archive in %s works again", session.store.url)
                self._outages = 0
            if not worked:
                if self._once:
                    return
                await _pause(stopping, self._settings.worker.poll_seconds * _POLLS)

    async def _do(self, step: Step, session: ArchiveSession) -> bool:
        try:
            worked = await step.work(session)
        except (ConnectionFailed, StoreRefused, StoreUnavailable):
            raise
        except Exception as error:
            # An error that is none of ours is a mistake of the program: the other steps go on all the same.
            known = isinstance(error, MnemoError)
            delay = _delay(self._failures[step.name])
            self._failures[step.name] += 1
            self.failed += 1
            traced = None if known else error
            logger.warning("archive, step %s: %s; again in %g s", step.name, error, delay, exc_info=traced)
            self._not_before[step.name] = monotonic() + delay
            return False
        self._failures[step.name] = 0
        if not worked and step.every_seconds:
            self._not_before[step.name] = monotonic() + step.every_seconds
        return worked

    async def _out(self, error: Exception, stopping: asyncio.Event) -> None:
        self.failed += 1
        level = logging.DEBUG if self._outages else logging.WARNING
        logger.log(level, "the archive cannot be worked on, and is tried again: %s", error)
        delay = _delay(self._outages)
        self._outages += 1
        if not self._once:
            await _pause(stopping, delay)

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[Pool]:
        few = self._settings.pool.model_copy(update={"min_size": 0})
        pool = make_pool(self._dsn, self._settings.model_copy(update={"pool": few}))
        try:
            await pool.open()
            yield pool
        finally:
            await pool.close()


async def _wanted(pool: Pool) -> bool:
    with translate_errors():
        async with pool.connection() as connection:
            row = await (await connection.execute(WANTED)).fetchone()
    return row is not None and bool(row[0])


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _delay(failures: int) -> float:
    return DELAYS_S[min(failures, len(DELAYS_S) - 1)]
