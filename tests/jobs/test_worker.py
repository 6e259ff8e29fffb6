"""The worker: stopped, killed, cut off, woken; several at once."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import LiteralString

import psycopg
import pytest

from engine.config import Settings, Worker
from engine.errors import ConnectionFailed, InstallationMismatch
from engine.worker import JobService, jobs, serve
from tests.conftest import Connection
from tests.jobs.conftest import add, status, value

WAIT = 60
PROGRAM = [sys.executable, "-c", "from engine.cli import main; main()", "worker"]
_KEYS = "hashtext('mnemo.injection_point'), hashtext(%s)"
_WORKERS: LiteralString = (
    "select pid from pg_stat_activity"
    " where application_name = 'mnemo worker' and datname = current_database()"
)
_WAITING: LiteralString = f"{_WORKERS} and wait_event_type = 'Lock'"
_IDLE: LiteralString = f"{_WORKERS} and state = 'idle' and query ~ 'run_job_step'"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(jobs_dsn: str) -> Iterator[Start]:
    """Starts a worker process; one given the name of a point waits there while the test holds its lock."""
    started: list[subprocess.Popen[str]] = []

    def make(*arguments: str, point: str = "", **environment: str) -> subprocess.Popen[str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("MNEMO_")}
        process = subprocess.Popen(
            [*PROGRAM, "--dsn", jobs_dsn, *arguments],
            # One connection, so that the server process found waiting is the only one to wait for.
            env={
                **kept,
                "MNEMO_WORKER__CONCURRENCY": "1",
                "PGOPTIONS": f"-c mnemo.injection_point={point}",
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()


def hold(db: Connection, point: str) -> None:
    db.execute(f"select pg_advisory_lock({_KEYS})".encode(), (point,))


def release(db: Connection, point: str) -> None:
    db.execute(f"select pg_advisory_unlock({_KEYS})".encode(), (point,))


def wait_until_held_up(db: Connection, process: subprocess.Popen[str]) -> int:
    """Return the server process of a worker once it waits for a lock."""
    while (row := db.execute(_WAITING).fetchone()) is None:
        assert process.poll() is None, process.communicate()[1]
    return int(row[0])


def wait_for_end(db: Connection, backend: int) -> None:
    while db.execute("select from pg_stat_activity where pid = %s", (backend,)).rowcount:
        pass


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_finish_and_the_run_open(db: Connection, start: Start, sign: int) -> None:
    add(db, "a", steps=1_000_000)
    hold(db, "job.stepped")
    worker = start(point="job.stepped")
    wait_until_held_up(db, worker)
    worker.send_signal(sign)
    release(db, "job.stepped")
    _, said = worker.communicate(timeout=WAIT)
    assert worker.returncode == 0, said
    shown = status(db, "a")
    assert (shown["state"], shown["failures"]) == ("running", 0)
    assert 1 <= shown["last_steps"] < 1_000
    assert value(db, "select count(*) from task.done") == shown["last_steps"]


@pytest.mark.parametrize("grace", ["0", "3600"])
def test_a_step_that_outlasts_its_grace_is_cancelled(db: Connection, start: Start, grace: str) -> None:
    add(db, "a", steps=5)
    hold(db, "job.stepped")
    worker = start(point="job.stepped", MNEMO_WORKER__GRACE_SECONDS=grace)
    wait_until_held_up(db, worker)
    worker.send_signal(signal.SIGTERM)
    if grace != "0":
        worker.send_signal(signal.SIGINT)
    _, said = worker.communicate(timeout=WAIT)
    assert worker.returncode == 0, said
    shown = status(db, "a")
    assert (shown["state"], shown["last_steps"], shown["failures"]) == ("running", 0, 0)
    assert value(db, "select count(*) from task.done") == 0


@pytest.mark.crash
@pytest.mark.parametrize(
    ("point", "server_too"),
    [
        ("job.opened", True),
        ("job.claimed", True),
        ("job.stepped", False),
        ("job.stepped", True),
        ("job.recorded", True),
    ],
)
def test_a_killed_worker_leaves_its_run_to_the_next(
    jobs_dsn: str, db: Connection, start: Start, point: str, server_too: bool
) -> None:
    add(db, "a", steps=4)
    if point != "job.opened":
        # Two steps are done before the worker comes.
        for _ in range(3):
            db.execute("select mnemo.run_job_step()")
    hold(db, point)
    worker = start(point=point)
    backend = wait_until_held_up(db, worker)
    worker.kill()
    if server_too:
        db.execute("select pg_terminate_backend(%s)", (backend,))
    release(db, point)
    wait_for_end(db, backend)
    asyncio.run(service(jobs_dsn, once=True).run(asyncio.Event()))
    row = db.execute("select count(*), min(state), min(work), min(steps) from mnemo.job_run").fetchone()
    assert row == (1, "succeeded", 40, 5)
    assert value(db, "select count(*) from task.done") == 4


@pytest.mark.crash
def test_a_failure_that_a_kill_interrupts_counts_once(jobs_dsn: str, db: Connection, start: Start) -> None:
    add(db, "a", "task.fail")
    hold(db, "job.failed")
    worker = start(point="job.failed")
    backend = wait_until_held_up(db, worker)
    worker.kill()
    db.execute("select pg_terminate_backend(%s)", (backend,))
    release(db, "job.failed")
    wait_for_end(db, backend)
    shown = status(db, "a")
    assert (shown["state"], shown["failures"]) == ("running", 0)
    asyncio.run(service(jobs_dsn, once=True).run(asyncio.Event()))
    assert db.execute("select state, count(*) from mnemo.job_run group by 1").fetchall() == [("failed", 1)]
    assert status(db, "a")["failures"] == 1


def service(dsn: str, once: bool = False, name: str = "here") -> JobService:
    """A service that wakes by itself only after an hour."""
    return JobService(dsn, Settings(worker=Worker(poll_seconds=3600)), name, once=once)


@asynccontextmanager
async def running(*services: JobService) -> AsyncIterator[None]:
    """Run services, and see them stop when told to."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(one.run(stopping)) for one in services]
    try:
        async with asyncio.timeout(WAIT):
            yield
            stopping.set()
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def heard(dsn: str, act: Callable[[], object]) -> str:
    """Do something and return the name of the job whose function says next that it is done."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as listener:
        await listener.execute("listen task_done")
        act()
        async for word in listener.notifies(timeout=WAIT, stop_after=1):
            return word.payload
    raise AssertionError("no job was done")


def idle(db: Connection) -> int:
    """Return the server process of the one worker, once it waits for something to do."""
    while (row := db.execute(_IDLE).fetchone()) is None:
        pass
    return int(row[0])


async def test_an_idle_worker_is_woken(jobs_dsn: str, db: Connection) -> None:
    async with running(service(jobs_dsn)):
        await asyncio.to_thread(idle, db)
        assert await heard(jobs_dsn, lambda: add(db, "a", steps=2)) == "a"
        await asyncio.to_thread(idle, db)
        assert await heard(jobs_dsn, lambda: db.execute("select mnemo.run_job_now('a')")) == "a"
        far = "select mnemo.alter_job('a', jsonb_build_object('next_run_at', now() - interval '1 s'))"
        await asyncio.to_thread(idle, db)
        assert await heard(jobs_dsn, lambda: db.execute(far)) == "a"


async def test_a_worker_wakes_when_a_job_falls_due(jobs_dsn: str, db: Connection) -> None:
    async with running(service(jobs_dsn)):
        await asyncio.to_thread(idle, db)
        soon = "now() + interval '50 milliseconds'"
        query = (
            f"select mnemo.add_job('a', 'task.count_to', '1 h', '{{\"name\": \"a\", \"steps\": 1}}', {soon})"
        )
        assert await heard(jobs_dsn, lambda: db.execute(query.encode())) == "a"


async def test_a_worker_connects_again(jobs_dsn: str, db: Connection) -> None:
    async with running(service(jobs_dsn)):
        for name in "ab":
            backend = await asyncio.to_thread(idle, db)
            db.execute("select pg_terminate_backend(%s)", (backend,))
            await asyncio.to_thread(wait_for_end, db, backend)
            assert await heard(jobs_dsn, lambda name=name: add(db, name, steps=1)) == name  # type: ignore[misc]


async def test_workers_share_the_jobs(jobs_dsn: str, db: Connection, start: Start) -> None:
    add(db, "a", steps=3)
    hold(db, "job.stepped")
    other = start("--once", point="job.stepped")
    wait_until_held_up(db, other)
    for name in "bcd":
        add(db, name, steps=3)
    helpers = [service(jobs_dsn, once=True, name=name) for name in ("one", "two")]
    await asyncio.gather(*(helper.run(asyncio.Event()) for helper in helpers))
    rows = db.execute("select job, steps, state from mnemo.job_run order by job").fetchall()
    assert rows == [("a", 0, "running"), *((job, 4, "succeeded") for job in "bcd")]
    release(db, "job.stepped")
    assert other.wait(WAIT) == 0
    assert status(db, "a")["last_work"] == 30


def test_once_tells_of_a_failed_run_by_its_exit_code(db: Connection, start: Start) -> None:
    add(db, "a", "task.fail", max_failures=1)
    worker = start("--once", MNEMO_LOGGING__FORMAT="json")
    _, said = worker.communicate(timeout=WAIT)
    assert worker.returncode == 1
    assert '"job": "a", "run": 1, "state": "failed"' in said
    assert "and the job is disabled: the well is dry" in said


async def test_what_cannot_get_better_ends_the_worker(empty_dsn: str) -> None:
    with pytest.raises(InstallationMismatch, match="mnemo migrate"):
        await service(empty_dsn).run(asyncio.Event())
    nobody = psycopg.conninfo.make_conninfo(empty_dsn, dbname="nowhere")
    with pytest.raises(ConnectionFailed):
        await service(nobody, once=True).run(asyncio.Event())


async def test_a_worker_waits_for_a_server_that_is_away(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "DELAYS_S", [0, 0.001, 0.002])
    nobody = psycopg.conninfo.make_conninfo(empty_dsn, dbname="nowhere")
    stopping = asyncio.Event()

    def stop_at_the_fifth(record: logging.LogRecord) -> bool:
        said.append(record.getMessage().rsplit("; ")[-1])
        if len(said) == 5:
            stopping.set()
        return True

    said: list[str] = []
    monkeypatch.setattr(jobs.logger, "filters", [stop_at_the_fifth])
    await service(nobody).run(stopping)
    assert said == [f"connecting again in {delay} s" for delay in (0, 0.001, 0.002, 0.002, 0.002)]


async def test_a_service_that_fails_ends_the_others() -> None:
    ended: list[str] = []

    class Failing:
        async def run(self, stopping: asyncio.Event) -> None:
            raise LookupError("lost")

    class Willing:
        async def run(self, stopping: asyncio.Event) -> None:
            await stopping.wait()
            ended.append("willing")

    class Stubborn:
        async def run(self, stopping: asyncio.Event) -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            ended.append("cancelled")

    with pytest.raises(LookupError, match="lost"):
        await serve([Willing(), Failing(), Stubborn()], grace_seconds=0)
    assert ended == ["willing", "cancelled"]
