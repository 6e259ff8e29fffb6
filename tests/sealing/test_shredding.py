"""What was private is gone with its key: from tables, clones, archived segments and copies."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from engine.archive.rebuilding import rebuild
from engine.archive.session import open_archive
from engine.config import Settings
from engine.errors import SealBroken, UnknownItem
from engine.memory import Memory, MemoryId
from engine.mnemo import Mnemo
from engine.vault.protocol import KeyHeader
from engine.vault.sealing import Sealer
from tests.archive.copies import copy_all
from tests.conftest import Connection
from tests.sealing.test_sealing import ATTRIBUTES, CANARIES, CONTENT, make, no_canary
from tests.support.databases import Databases
from tests.vault.conftest import Opener
from tests.vault.test_shredding import backup


@pytest.fixture
def settings(dsn: str, keys: str, tmp_path: Path) -> Settings:
    """Settings with a vault and an archive."""
    store = (tmp_path / "store").as_uri()
    return Settings(dsn=dsn, vault={"keys": keys, "chunk_bytes": 4096}, archive={"url": store})


def objects(tmp_path: Path) -> list[bytes]:
    """Return every object of the store."""
    return [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]


def stored(tmp_path: Path) -> dict[str, Any]:
    """Return content and attributes of the private memory as the objects have them, read without Mnemo."""
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"PAR1"):
            for row in pq.read_table(path).to_pylist():
                if str(row["content"]).startswith("mnemo-sealed:"):
                    return dict(row)
    raise AssertionError("the private memory is in no object")


async def test_it_comes_back_from_the_archive(
    settings: Settings, connection: Connection, tmp_path: Path
) -> None:
    async with Mnemo.open(settings=settings) as mnemo:
        memory_id = await make(mnemo)
        connection.execute("select mnemo.demote(array(select id from mnemo.activity), 'cold')")
        await mnemo.archive(now=True)
        assert connection.execute("select count(*) from mnemo.memory").fetchone() == (0,)
        for content in objects(tmp_path):
            assert not any(canary.encode() in content for canary in CANARIES)
        assert stored(tmp_path)["content"].startswith("mnemo-sealed:1:")
        (record,) = await mnemo.get([memory_id])
        assert (record.content, record.attributes) == (CONTENT, ATTRIBUTES)
        asked = {"diagnosis": "myxomatosis"}
        found = await mnemo.recall("frobnitzel", collection="ward", where=asked, archive=True)
        assert [(hit.content, hit.tier) for hit in found] == [(CONTENT, "archive")]
        assert await mnemo.restore([memory_id]) == 1
        (record,) = await mnemo.get([memory_id])
        assert (record.content, record.attributes) == (CONTENT, ATTRIBUTES)
        no_canary(connection)


async def test_it_comes_back_from_copies(settings: Settings, connection: Connection, tmp_path: Path) -> None:
    async with Mnemo.open(settings=settings) as mnemo:
        connection.execute("select mnemo.add_copy_policy('copies')")
        memory_id = await make(mnemo)
        async with open_archive(mnemo.pool, settings, worker="test") as session:
            await copy_all(session)
            for content in objects(tmp_path):
                assert not any(canary.encode() in content for canary in CANARIES)
            connection.execute("truncate mnemo.memory_hot")
            assert (await rebuild(session, tier="hot")).memories == 6
        (record,) = await mnemo.get([memory_id])
        assert (record.content, record.attributes) == (CONTENT, ATTRIBUTES)


@pytest.mark.parametrize("place", ["hot", "archive"])
async def test_shredded_it_opens_nowhere(
    databases: Databases, settings: Settings, connection: Connection, tmp_path: Path, place: str, dsn: str
) -> None:
    async with Mnemo.open(settings=settings) as mnemo:
        memory_id = await make(mnemo)
        (other,) = await mnemo.remember_many([Memory("stays here", private=True)], collection="ward")
        if place == "archive":
            connection.execute("select mnemo.demote(array[%s]::uuid[], 'cold')", [memory_id])
            await mnemo.archive(now=True)
        held = connection.execute(
            "select d.id, d.epoch, d.wrapped from mnemo.data_key d"
            " where d.id = any (mnemo.seals_of(array[%s]::uuid[]))",
            [memory_id],
        ).fetchone()
        assert held is not None
        seal, epoch, wrapped = held
        session = await mnemo.vault._session()
        data_key = session.cipher.unwrap(
            await session.keys.fetch("default", epoch), KeyHeader(seal, "default", epoch), wrapped
        )
        if place == "archive":
            # What is in the object opens by this key alone.
            assert (
                Sealer(session.cipher, "default", seal, data_key).open(stored(tmp_path)["content"], {})[0]
                == CONTENT
            )
    connection.close()
    with backup(databases, dsn) as before:
        async with Mnemo.open(settings=settings) as mnemo:
            with pytest.raises(UnknownItem):
                await mnemo.vault.shred(memories=[memory_id, MemoryId(UUID(int=0))])
            certificate = await mnemo.vault.shred(memories=[memory_id])
            assert certificate.document["memories"] == [str(memory_id)]
            assert await mnemo.get([memory_id]) == []
            (kept,) = await mnemo.get([other])
            assert kept.content == "stays here"
            assert await mnemo.count({"diagnosis": "myxomatosis"}, collection="ward") == 0
            session = await mnemo.vault._session()
            assert epoch not in await session.keys.epochs("default")
            async with Mnemo.open(settings=settings.model_copy(update={"dsn": before})) as restored:
                (record,) = await restored.get([memory_id])
                assert (record.content, record.attributes, record.sealed) == ("", {"ward": "b"}, True)
            for number in await session.keys.epochs("default"):
                key = await session.keys.fetch("default", number)
                for header in (KeyHeader(seal, "default", number), KeyHeader(seal, "default", epoch)):
                    with pytest.raises(SealBroken):
                        session.cipher.unwrap(key, header, wrapped)


async def test_a_tenant_shredded_keeps_rows_that_nobody_can_read(mnemo: Mnemo) -> None:
    memory_id = await make(mnemo)
    await mnemo.vault.shred_tenant()
    (record,) = await mnemo.get([memory_id])
    assert (record.content, record.attributes, record.sealed) == ("", {"ward": "b"}, True)
    again = await mnemo.remember(CONTENT, collection="ward", attributes=ATTRIBUTES, private=True)
    found = await mnemo.scroll(where={"diagnosis": "myxomatosis"}, collection="ward")
    # The tokens of before were made by another key.
    assert [record.memory_id for record in found] == [again]
    assert found[0].attributes == ATTRIBUTES


async def test_rotations_while_others_write_and_recall(mnemo: Mnemo, open_mnemo: Opener) -> None:
    """Nobody sees a memory that does not open, whatever epoch its key lies under at the moment."""
    await mnemo.create_collection("ward", sealed=["diagnosis"])
    await mnemo.remember("turn first", collection="ward", attributes={"diagnosis": "x"}, private=True)
    rotated = asyncio.Event()

    async def rotate() -> None:
        for _ in range(6):
            await mnemo.vault.rotate(destroy_old=True)
        rotated.set()

    async def write(n: int) -> None:
        await mnemo.remember(f"turn {n}", collection="ward", attributes={"diagnosis": "x"}, private=True)

    async def read() -> int:
        done = 0
        while not rotated.is_set():
            hits = await mnemo.recall("turn", collection="ward", where={"diagnosis": "x"}, k=100)
            assert hits
            assert all(hit.content.startswith("turn ") and not hit.sealed for hit in hits)
            done += 1
        return done

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        group.create_task(rotate())
        for n in range(12):
            group.create_task(write(n))
    assert reading.result() > 0
    assert await mnemo.count({"diagnosis": "x"}, collection="ward") == 13
