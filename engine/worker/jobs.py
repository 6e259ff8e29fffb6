"""The service that does steps of due jobs, one after the other, on a connection of its own."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow, class_row

from engine.config import Settings
from engine.consolidation.reencoding import Reencoder
from engine.database.errors import translated
from engine.worker.preparing import Preparing

logger = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[TupleRow]

# SPEC H10, but for the first attempt, which is made at once.
DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_STEP = (
    "select job, run, outcome, work, extract(epoch from next_due_at - mnemo.now())::float8 as due_in"
    " from mnemo.run_job_step(%s, %s)"
)
_RUN = (
    "select r.steps, r.work, r.seconds, r.error, j.enabled, j.every < interval '1 minute'"
    " from mnemo.job_run r join mnemo.job j on j.name = r.job where r.run = %s"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What `mnemo.run_job_step` did; outcome None: nothing was due. `due_in`: seconds until something is."""

    job: str | None
    run: int | None
    outcome: str | None
    work: int | None
    due_in: float | None


class JobService:
    """Does steps of due jobs. Any number may share the jobs, in this process and in others."""

    def __init__(self, dsn: str, settings: Settings, name: str, *, once: bool = False) -> None:
        self._dsn = dsn
        self._settings = settings
        self._name = name
        self._once = once
        self._reencoder = Reencoder()
        self.failed = 0
        """Runs that failed here."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Do what is due, then wait for more, or return with `once`; connect again where the server went.

        Cancelled in the middle of a step, it has the server undo that step.

        Raises:
            MnemoError: this database has no jobs, or this role may not run them; with `once`, also when the
                server cannot be reached.
        """
        attempt = 0
        while not stopping.is_set():
            try:
                async with await self._connect() as connection:
                    preparing = Preparing(self._reencoder)
                    while not stopping.is_set():
                        waiting = await preparing.advance(connection)
                        step = await self._step(connection, waiting)
                        attempt = 0
                        if step.outcome is None and not preparing.under_way:
                            if self._once and waiting is None:
                                return
                            await self._idle(connection, step.due_in, stopping)
            except psycopg.Error as error:
                transient = isinstance(error, psycopg.OperationalError | psycopg.InternalError)
                if self._once or not transient:
                    ours = translated(error)
                    if ours is None:
                        raise
                    raise ours from error
                delay = DELAYS_S[attempt]
                attempt = min(attempt + 1, len(DELAYS_S) - 1)
                logger.warning("%s; connecting again in %g s", str(error).strip(), delay)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), delay)

    async def _connect(self) -> Connection:
        connection = await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name="mnemo worker",
            connect_timeout=max(2, int(self._settings.pool.timeout_seconds)),
        )
        session = {
            "mnemo.ef_search": str(self._settings.search.ef_search),
            # A step that a time limit always cuts off would be repeated for ever.
            "statement_timeout": "0",
            # Steps look again once they have a lock; in an older snapshot they could only fail.
            "default_transaction_isolation": "read committed",
        }
        if self._settings.tenant is not None:
            session["mnemo.tenant"] = self._settings.tenant
        try:
            for name, value in session.items():
                await connection.execute("select set_config(%s, %s, false)", (name, value))
            await connection.execute("listen mnemo_job")
        except BaseException:
            await connection.close()
            raise
        logger.info("%s is connected", self._name)
        return connection

    async def _step(self, connection: Connection, leaving_out: str | None) -> Step:
        async with connection.cursor(row_factory=class_row(Step)) as cursor:
            await cursor.execute(_STEP, (self._name, leaving_out))
            step = await cursor.fetchone()
        assert step is not None
        logger.debug("step of job %s, run %s: %s %s", step.job, step.run, step.outcome, step.work)
        if step.outcome in ("succeeded", "failed"):
            await self._report(connection, step)
        return step

    async def _report(self, connection: Connection, step: Step) -> None:
        row = await (await connection.execute(_RUN, (step.run,))).fetchone()
        if row is None:
            # Removed meanwhile, with its job.
            return
        steps, work, seconds, error, enabled, frequent = row
        if error is not None:
            self.failed += 1
            level = logging.WARNING if enabled else logging.ERROR
        else:
            # A job that found nothing to do, as most do mostly, or that always has something, is not news.
            level = logging.INFO if work and not frequent else logging.DEBUG
        outcome = "" if error is None else f": {error}" if enabled else f", and the job is disabled: {error}"
        known = {"job": step.job, "run": step.run, "state": step.outcome, "steps": steps, "work": work}
        logger.log(
            level,
            "job %s: run %d %s, %d steps, work %d, %.3f s%s",
            *known.values(),
            seconds,
            outcome,
            extra={**known, "seconds": round(seconds, 6)},
        )

    async def _idle(self, connection: Connection, due_in: float | None, stopping: asyncio.Event) -> None:
        # Never longer than this: a due job may have been locked by a worker that died since.
        longest = self._settings.worker.poll_seconds
        seconds = longest if due_in is None else min(due_in, longest)
        heard = asyncio.create_task(_notified(connection, max(seconds, 0.0)))
        told = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({heard, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
            told.cancel()
            outcome, _ = await asyncio.gather(heard, told, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome


async def _notified(connection: Connection, seconds: float) -> None:
    async for _ in connection.notifies(timeout=seconds, stop_after=1):
        pass
