"""The archive's part of a worker: what it does in which order, and what it bears."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.archive import service
from engine.archive.service import ArchiveService
from engine.archive.session import ArchiveSession
from engine.archive.steps import STEPS, Step
from engine.cli.group import group
from engine.config import Settings
from engine.errors import ArchiveConflict, StoreUnavailable
from tests.archive.exports import at, elsewhere, places, plant
from tests.archive.invariants import check, everything
from tests.conftest import Connection
from tests.support.archives import keys_in, opened
from tests.support.object_servers import ObjectServer

WAIT = 60


def scripted(*names: str, says: Callable[[str, int], bool]) -> tuple[list[Step], list[str]]:
    """Return steps that note their names and do what `says` of name and turn, and where they note them."""
    done: list[str] = []

    def step(name: str) -> Step:
        async def work(session: ArchiveSession) -> bool:
            done.append(name)
            return says(name, done.count(name))

        return Step(name, work)

    return [step(name) for name in names], done


def settings_for(store: Path) -> Settings:
    return Settings(archive={"url": str(store)}, worker={"poll_seconds": 0.01})


async def test_the_policy_is_carried_out_to_its_end(db: Connection, small_dsn: str, tmp_path: Path) -> None:
    plant(db)
    working = ArchiveService(small_dsn, settings_for(tmp_path), "w", once=True)
    # Nobody asks for an archive: not even the store is opened.
    await working.run(asyncio.Event())
    assert not keys_in(tmp_path)
    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    db.execute("select mnemo.seal_segment()")
    async with opened(small_dsn, tmp_path) as (_, session):
        before = await everything(db, session.store)
        db.execute("update mnemo.segment set announced_at = mnemo.now() where state = 'sealed'")
        await working.run(asyncio.Event())
        found = await check(db, session.store)
        assert elsewhere(found) == elsewhere(before)
        assert list(places(found).values()).count("archive") == 36
        assert working.failed == 0
        # Used twice, one is brought back.
        (used,) = [i for i, memory in found.items() if memory.key == "k7"]
        db.execute("insert into mnemo.access_log values (mnemo.now(), array[%s, %s])", (used, used))
        db.execute("select mnemo.fold_accesses()")
        await working.run(asyncio.Event())
        assert places(await check(db, session.store))["k7"] == "warm"
    assert [step.name for step in STEPS] == ["copy", "restore", "export", "compact", "gc"]


async def test_a_step_that_fails_waits_alone(
    db: Connection, small_dsn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def says(name: str, turn: int) -> bool:
        if name == "bad":
            raise ArchiveConflict("spoilt")
        return turn < 3

    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    steps, done = scripted("first", "bad", "last", says=says)
    working = ArchiveService(small_dsn, settings_for(tmp_path), "w", once=True, steps=steps)
    await working.run(asyncio.Event())
    assert done == ["first", "bad", "last", "first", "last", "first", "last"]
    assert working.failed == 1
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == [
        "archive, step bad: spoilt; again in 1 s"
    ]


async def test_h10_an_outage_is_said_once_and_ends(
    db: Connection,
    small_dsn: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def says(name: str, turn: int) -> bool:
        if turn < 5:
            raise StoreUnavailable("away")
        stopping.set()
        return False

    stopping = asyncio.Event()
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(service, "DELAYS_S", (0.0, 0.001))
    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    steps, done = scripted("copy", says=says)
    working = ArchiveService(small_dsn, settings_for(tmp_path), "w", steps=steps)
    async with asyncio.timeout(WAIT):
        await working.run(stopping)
    assert len(done) == 5
    said = [r.getMessage() for r in caplog.records if r.name == service.logger.name]
    assert said == [
        "the archive cannot be worked on, and is tried again: away",
        f"the archive in {tmp_path.as_uri()} works again",
    ]


@pytest.mark.s3
async def test_a_worker_survives_a_store_that_is_away(
    db: Connection, small_dsn: str, moto_server: ObjectServer, s3_credentials: None
) -> None:
    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    gone = moto_server.behind("http://127.0.0.1:9").settings("s3://nowhere", retries=0)
    working = ArchiveService(small_dsn, gone, "w", once=True)
    await working.run(asyncio.Event())
    assert working.failed == 1


async def test_told_to_stop_it_leaves_its_export_to_others(
    db: Connection, small_dsn: str, tmp_path: Path
) -> None:
    plant(db)
    db.execute("select mnemo.add_archive_policy('idle', '30 days')")
    db.execute("select mnemo.seal_segment()")
    db.execute("update mnemo.segment set announced_at = mnemo.now() where state = 'sealed'")
    db.execute("select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext('export.indexed'))")
    stuck = at(small_dsn, mnemo_injection_point="export.indexed")
    task = asyncio.create_task(ArchiveService(stuck, settings_for(tmp_path), "w").run(asyncio.Event()))
    while not db.execute("select from pg_stat_activity where wait_event = 'advisory'").rowcount:
        assert not task.done()
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    db.execute("select pg_advisory_unlock_all()")
    row = db.execute(
        "select state, failures, lease_until <= clock_timestamp() from mnemo.segment where segment = 2"
    )
    assert row.fetchone() == ("exporting", 0, True)
    await ArchiveService(small_dsn, settings_for(tmp_path), "heir", once=True).run(asyncio.Event())
    async with opened(small_dsn, tmp_path) as (_, session):
        assert list(places(await check(db, session.store)).values()).count("archive") == 36


def test_n7_the_command_archives_and_shows(
    db: Connection, small_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNEMO_ARCHIVE__URL", str(tmp_path / "objects"))
    plant(db)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(group, ["archive", *arguments, "--dsn", small_dsn])
        assert result.exit_code == 0, result.output
        return result.stdout

    done = json.loads(run("run", "--now", "--json"))
    assert (done["segments"], done["memories"]) == (1, 36)
    status = json.loads(run("status", "--json"))
    assert [(s["tier"], s["state"]) for s in status["segments"]] == [
        ("cold", "sealed"),
        ("cold", "open"),
        ("archive", "archived"),
    ]
    (objects,) = status["objects"]
    assert (objects["state"], objects["objects"], objects["bytes"]) == ("stored", 3, done["object_bytes"])
    assert status["store"]["store"] == (tmp_path / "objects").as_uri()
    shown = run("status")
    assert "archived" in shown
    assert "objects stored: 3" in shown
    again = CliRunner().invoke(group, ["archive", "run", "--segment", "2", "--dsn", small_dsn])
    assert again.exit_code == 1


def test_a_worker_without_a_store_says_what_it_leaves_undone(
    db: Connection, small_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MNEMO_ARCHIVE__URL", raising=False)

    def said() -> str:
        result = CliRunner().invoke(group, ["worker", "--once", "--dsn", small_dsn])
        assert result.exit_code == 0, result.output
        return result.stderr

    assert "archive.url" not in said()
    db.execute("select mnemo.add_copy_policy('copies', after => '5 minutes')")
    assert "set archive.url" in said()
