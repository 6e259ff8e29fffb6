"""X6: a store that does harm, workers and servers killed -9: nothing lost, doubled or left over."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from engine.archive.exporting import export_step
from engine.archive.registry import open_objects
from engine.archive.session import ArchiveSession
from engine.embedded import EmbeddedServer
from engine.errors import MnemoError
from engine.migrate import upgrade
from tests.archive.exports import at, elsewhere, expire, hold, plant, waiting
from tests.archive.invariants import check, everything
from tests.conftest import Connection
from tests.crash.matrix import quick_place
from tests.support.archives import opened
from tests.support.databases import working_migrations
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.object_servers import ObjectServer

PROGRAM = [sys.executable, "-c", "from engine.cli import main; main()", "archive", "run", "--now"]
# Every step of an export that a worker can die at; the server's death there is in tests/crash.
POINTS = [
    "archive.sealed", "export.begun", "archive.objects_noted", "archive.objects_stored", "export.copied",
    "export.indexed", "export.locked", "export.rows_deleted", "export.attached",
]  # fmt: skip


@dataclass(frozen=True)
class Harm:
    """A fault in requests of a method to objects whose keys contain something."""

    fault: Fault
    method: str
    containing: str

    def __str__(self) -> str:
        return f"{self.fault}-{self.method}{self.containing}"


HARMS = [
    Harm("refused", "PUT", ".npy"),
    Harm("error", "PUT", ".parquet"),
    Harm("slow_down", "PUT", ".npy"),
    Harm("lost_reply", "PUT", ".npy"),
    Harm("lost_reply", "PUT", ".manifest"),
    Harm("timeout", "PUT", ".parquet"),
    Harm("flipped_upload", "PUT", ".npy"),
    Harm("flipped_upload", "PUT", ".manifest"),
    Harm("duplicated", "PUT", ".npy"),
    Harm("reset", "GET", ".npy"),
    Harm("truncated", "GET", ".parquet"),
    Harm("flipped", "GET", ".npy"),
    Harm("error", "GET", ".manifest"),
]
HARMLESS = {"duplicated"}
# The other server where it may do otherwise: it checks what arrives, and ignores conditions.
CASES = [("moto", harm) for harm in HARMS] + [("rclone", HARMS[n]) for n in (3, 4, 6, 8, 10)]


@pytest.mark.s3
@pytest.mark.parametrize(("name", "harm"), CASES, ids=str)
async def test_x6_a_faulty_store_loses_nothing(
    db: Connection,
    small_dsn: str,
    request: pytest.FixtureRequest,
    s3_credentials: None,
    name: str,
    harm: Harm,
) -> None:
    server: ObjectServer = request.getfixturevalue(f"{name}_server")
    unnoticed = harm.fault == "flipped_upload" and name == "moto"
    plant(db)
    url = f"s3://{server.new_bucket()}"
    with FaultProxy(server.endpoint_url) as proxy:
        faulty = server.behind(proxy.url).settings(url, retries=1, read_timeout_seconds=1)
        async with opened(small_dsn, faulty) as (_, session), open_objects(server.settings(url)) as store:
            before = await everything(db, store)
            # Once, which a retry or another look mends unless it is the content that was harmed.
            once = proxy.fail(harm.fault, 1, method=harm.method, containing=harm.containing)
            mended = await _tried(session)
            assert once.hits == 1
            assert mended != unnoticed
            if unnoticed:
                error = db.execute("select error from mnemo.segment where segment = 2").fetchone()
                assert error is not None
                assert str(session.database) in error[0]
                assert harm.containing in error[0]
            after = await check(db, store)
            assert elsewhere(after) == elsewhere(before)
            # Again and again, for whatever is left to do.
            db.execute("select mnemo.pin(id, false) from mnemo.activity")
            proxy.clear()
            proxy.fail(harm.fault, 1000, method=harm.method, containing=harm.containing)
            expire(db)
            assert await _tried(session) == (harm.fault in HARMLESS)
            assert elsewhere(await check(db, store)) == elsewhere(before)
            row = db.execute("select max(failures), max(error) from mnemo.segment").fetchone()
            assert row is not None
            assert (row[0] > 0) == (harm.fault not in HARMLESS)
            proxy.clear()
            expire(db)
            assert await _tried(session) or harm.fault in HARMLESS
            found = await check(db, store)
            assert elsewhere(found) == elsewhere(before)
            assert {memory.place for memory in found.values()} == {"archive"}


async def _tried(session: ArchiveSession) -> bool:
    """Export segment 2; whether it went through: what fails is one of our errors."""
    try:
        return await export_step(session, 2) is not None
    except MnemoError:
        return False


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `mnemo archive run --now` on a database; all are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def make(dsn: str, **settings: object) -> "subprocess.Popen[str]":
        kept = {name: text for name, text in os.environ.items() if not name.startswith("MNEMO_")}
        given = {f"MNEMO_ARCHIVE__{name.upper()}": str(value) for name, value in settings.items()}
        process = subprocess.Popen(
            [*PROGRAM, "--dsn", dsn], env=kept | given, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
async def test_x6_a_killed_worker_loses_nothing(
    db: Connection, small_dsn: str, tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"], point: str
) -> None:
    plant(db)
    async with opened(small_dsn, tmp_path) as (_, session):
        before = await everything(db, session.store)
        with hold(db, point):
            # The server notices at once when its client is gone.
            options = {"mnemo_injection_point": point, "client_connection_check_interval": "50ms"}
            worker = start(at(small_dsn, **options), url=tmp_path)
            while not waiting(db):
                assert worker.poll() is None, worker.communicate()[1]
            worker.kill()
            worker.wait()
            while waiting(db):
                pass
        assert elsewhere(await check(db, session.store)) == elsewhere(before)
        expire(db)
        report = await export_step(session, 2)
        assert report is not None
        assert report.archived == report.rows == 36
        assert elsewhere(await check(db, session.store)) == elsewhere(before)


@pytest.mark.s3
@pytest.mark.crash
@pytest.mark.parametrize("containing", [".npy", ".parquet", ".manifest"])
async def test_x6_a_worker_killed_between_uploads_loses_nothing(
    db: Connection,
    small_dsn: str,
    moto_server: ObjectServer,
    s3_credentials: None,
    start: Callable[..., "subprocess.Popen[str]"],
    containing: str,
) -> None:
    plant(db)
    url = f"s3://{moto_server.new_bucket()}"
    async with opened(small_dsn, moto_server.settings(url)) as (_, session):
        before = await everything(db, session.store)
        with FaultProxy(moto_server.endpoint_url) as proxy:
            # The upload takes effect, and the worker dies waiting for the answer.
            rule = proxy.fail("timeout", 1000, method="PUT", containing=containing)
            worker = start(small_dsn, url=url, endpoint_url=proxy.url, region="us-east-1")
            while not rule.hits:
                assert worker.poll() is None, worker.communicate()[1]
                await asyncio.sleep(0)
            worker.kill()
            worker.wait()
        assert elsewhere(await check(db, session.store)) == elsewhere(before)
        expire(db)
        report = await export_step(session, 2)
        assert report is not None
        assert report.archived == report.rows == 36
        assert elsewhere(await check(db, session.store)) == elsewhere(before)


@pytest.fixture
def durable() -> Iterator[EmbeddedServer]:
    """A durable server of its own, with an empty installation."""
    with tempfile.TemporaryDirectory(prefix="mnemo-crash-", dir=quick_place()) as folder:
        Path(folder).chmod(0o755)
        made = EmbeddedServer(Path(folder) / "data", settings={"shared_buffers": "64MB"})
        with working_migrations(Path(folder)):
            upgrade(made.start().dsn, bits=1024, sketch_bits=256)
        yield made
        made.stop("immediate")


@pytest.mark.crash
@pytest.mark.slow
async def test_x6_a_killed_server_loses_nothing(
    durable: EmbeddedServer, tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    with psycopg.connect(durable.dsn(), autocommit=True) as db:
        plant(db)
    async with opened(durable.dsn(), tmp_path) as (_, session):
        with psycopg.connect(durable.dsn(), autocommit=True) as db:
            before = await everything(db, session.store)
    for point in ("archive.objects_stored", "export.attached"):
        with psycopg.connect(durable.dsn(), autocommit=True) as db:
            expire(db)
            db.execute("select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext(%s))", (point,))
            worker = start(at(durable.dsn(), mnemo_injection_point=point), url=tmp_path)
            while not waiting(db):
                assert worker.poll() is None, worker.communicate()[1]
            pid = durable.status().pid
            assert pid is not None
            # The postmaster alone gone, the session that waits could still commit once the lock goes.
            held = db.execute("select pid from pg_stat_activity where wait_event = 'advisory'").fetchall()
            for (process,) in [*held, (pid,)]:
                os.kill(process, signal.SIGKILL)
        worker.kill()
        durable.start()
        async with opened(durable.dsn(), tmp_path) as (_, session):
            with psycopg.connect(durable.dsn(), autocommit=True) as db:
                assert elsewhere(await check(db, session.store)) == elsewhere(before)
    async with opened(durable.dsn(), tmp_path) as (_, session):
        with psycopg.connect(durable.dsn(), autocommit=True) as db:
            expire(db)
            report = await export_step(session, 2)
            assert report is not None
            assert report.archived == 36
            assert elsewhere(await check(db, session.store)) == elsewhere(before)
