"""New keys for old: nothing that is sealed changes, nobody waits, and what was left half done is finished."""

import asyncio
import os
from collections.abc import AsyncIterator
from itertools import count

import psycopg
import pytest

from engine.errors import KeyUnavailable, SealBroken, VaultConflict
from engine.mnemo import Mnemo
from engine.vault import rotating
from engine.vault.protocol import KeyHeader
from engine.vault.session import VaultSession
from tests.conftest import Connection
from tests.support.locks import sessions
from tests.vault.conftest import CHUNK, Opener

PAYLOADS = "select md5(string_agg(c::text, ' ' order by c.item, c.position)) from mnemo.vault_chunk c"
EPOCHS = "select array_agg(distinct epoch order by epoch) from mnemo.data_key"


async def session_of(mnemo: Mnemo) -> VaultSession:
    """Return what the vault's own steps are called with."""
    return await mnemo.vault._session()


async def test_a_rotation_moves_keys_and_no_payload(mnemo: Mnemo, connection: Connection) -> None:
    contents = {str(number): os.urandom(number * CHUNK // 3) for number in range(10)}
    for name, content in contents.items():
        await mnemo.vault.put(name, content)
    before = connection.execute(PAYLOADS).fetchone()
    rows = connection.execute("select xmin::text, * from mnemo.vault_item order by id").fetchall()
    rotation = await mnemo.vault.rotate()
    assert (rotation.epoch, rotation.rewrapped, rotation.destroyed) == (2, 10, ())
    assert connection.execute(PAYLOADS).fetchone() == before
    assert connection.execute("select xmin::text, * from mnemo.vault_item order by id").fetchall() == rows
    assert connection.execute(EPOCHS).fetchone() == ([2],)
    for name, content in contents.items():
        assert await mnemo.vault.get(name) == content


async def test_old_keys_stay_for_backups_unless_destroyed(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.vault.put("a", b"1")
    backup = connection.execute("select * from mnemo.data_key").fetchall()
    await mnemo.vault.rotate()
    connection.execute("update mnemo.data_key set epoch = %s, wrapped = %s", backup[0][3:])
    assert await mnemo.vault.get("a") == b"1"
    assert (await mnemo.vault.rotate(destroy_old=True)).destroyed == (1, 2)
    assert await (await session_of(mnemo)).keys.epochs("default") == [3]
    assert [key.state for key in await mnemo.vault.keys()] == ["destroyed", "destroyed", "active"]
    assert await mnemo.vault.get("a") == b"1"
    connection.execute("update mnemo.data_key set epoch = %s, wrapped = %s", backup[0][3:])
    with pytest.raises(KeyUnavailable):
        await mnemo.vault.get("a")


@pytest.mark.parametrize("stops", [1, 2, 3])
async def test_a_rotation_that_stopped_is_finished_by_the_next(
    mnemo: Mnemo, connection: Connection, monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    for number in range(7):
        await mnemo.vault.put(str(number), b"content")
    store, steps = rotating._store, count(1)

    async def stopping(*arguments: object) -> int:
        if next(steps) == stops:
            raise ConnectionError("gone")
        return await store(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rotating, "_BATCH", 2)
    monkeypatch.setattr(rotating, "_store", stopping)
    with pytest.raises(ConnectionError):
        await mnemo.vault.rotate()
    for number in range(7):
        assert await mnemo.vault.get(str(number)) == b"content"
    monkeypatch.setattr(rotating, "_store", store)
    assert (await mnemo.vault.rotate()).rewrapped == 7
    assert connection.execute(EPOCHS).fetchone() == ([3],)
    for number in range(7):
        assert await mnemo.vault.get(str(number)) == b"content"


async def test_nobody_notices_rotations(mnemo: Mnemo, connection: Connection) -> None:
    """Puts, gets and rotations at once, old keys destroyed under the readers' feet."""
    contents: dict[str, bytes] = {}
    done = asyncio.Event()

    async def put(worker: int) -> None:
        for number in range(15):
            name = f"{worker} {number}"
            content = os.urandom(CHUNK + number)
            await mnemo.vault.put(name, content)
            contents[name] = content

    async def get() -> None:
        while not done.is_set():
            for name, content in list(contents.items()):
                assert await mnemo.vault.get(name) == content
            await asyncio.sleep(0)

    async def rotations() -> None:
        for number in range(8):
            try:
                await mnemo.vault.rotate(destroy_old=number % 2 == 0)
            except VaultConflict:
                # The other one has started an epoch meanwhile: its own may not be destroyed.
                continue

    readers = [asyncio.create_task(get()) for _ in range(2)]
    await asyncio.gather(put(1), put(2), put(3), rotations(), rotations())
    done.set()
    await asyncio.gather(*readers)
    await mnemo.vault.rotate(destroy_old=True)
    active = [key for key in await mnemo.vault.keys() if key.state == "active"]
    assert len(active) == 1
    assert active[0].data_keys == 45
    assert connection.execute(
        "select count(*) from mnemo.vault_key where state = 'destroying'"
    ).fetchone() == (0,)
    for name, content in contents.items():
        assert await mnemo.vault.get(name) == content


async def test_a_put_whose_epoch_ends_wraps_its_key_again(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.vault.put("first", b"")
    session = await session_of(mnemo)

    async def slow() -> AsyncIterator[bytes]:
        yield os.urandom(2 * CHUNK)
        await rotating.rotate(session, destroy_old=True)
        yield b"end"

    await mnemo.vault.put("a", slow())
    assert (await mnemo.vault.get("a"))[-3:] == b"end"
    assert connection.execute(EPOCHS).fetchone() == ([2],)


async def test_finishing_under_an_epoch_that_ended_names_the_active_one(
    mnemo: Mnemo, connection: Connection
) -> None:
    await mnemo.vault.put("first", b"")
    await mnemo.vault.rotate()
    with pytest.raises(Exception, match="epoch 1 is not active: the active one is 2") as refusal:
        connection.execute("select mnemo.lock_active_epoch(1)")
    assert refusal.value.sqlstate == VaultConflict.sqlstate  # type: ignore[attr-defined]


async def test_an_epoch_waits_for_the_puts_that_go_under_it(mnemo: Mnemo, dsn: str) -> None:
    await mnemo.vault.put("first", b"")
    with sessions(dsn) as (writer, rotator):
        writer.run("select mnemo.lock_active_epoch(1)")
        started = rotator.start("select mnemo.start_epoch(2, 'file:', '\\x00')")
        assert not started.done()
        writer.commit()
        started.result()
        other = writer.start("select mnemo.lock_active_epoch(1)")
        assert not other.done()
        rotator.commit()
        with pytest.raises(Exception, match="the active one is 2"):
            other.result()


async def test_a_data_key_is_moved_once(mnemo: Mnemo, connection: Connection) -> None:
    """Compare and set: who comes late with what was wrapped before changes nothing."""
    item = await mnemo.vault.put("a", b"1")
    row = connection.execute("select wrapped from mnemo.data_key").fetchone()
    assert row is not None
    await mnemo.vault.rotate()
    late = "select mnemo.rewrap_data_keys(2, array[%s]::uuid[], array[%s]::bytea[], array[%s]::bytea[])"
    assert connection.execute(late, [item, row[0], b"other"]).fetchone() == (0,)
    assert await mnemo.vault.get("a") == b"1"


async def test_a_broken_data_key_stops_no_other(mnemo: Mnemo, connection: Connection) -> None:
    items = [await mnemo.vault.put(str(number), b"content") for number in range(3)]
    connection.execute("update mnemo.data_key set wrapped = 'x' where id = %s", [items[1]])
    with pytest.raises(SealBroken) as broken:
        await mnemo.vault.rotate()
    assert str(items[1]) in broken.value.__notes__[0]
    assert connection.execute("select id from mnemo.data_key where epoch = 1").fetchall() == [(items[1],)]
    await mnemo.vault.drop(["1"])
    assert (await mnemo.vault.rotate()).rewrapped == 2


async def test_keys_of_every_purpose_rotate(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.vault.put("a", b"1")
    session = await session_of(mnemo)
    key, header = session.cipher.new_data_key(), (await mnemo.remember("m"), "default")
    wrapped = session.cipher.wrap(await session.keys.fetch("default", 1), KeyHeader(*header, 1), key)
    connection.execute("insert into mnemo.data_key values (%s, %s, 'memory', 1, %s)", [*header, wrapped])
    assert (await mnemo.vault.rotate()).rewrapped == 2
    (moved,) = (
        connection.execute("select wrapped from mnemo.data_key where purpose = 'memory'").fetchone() or ()
    )
    assert session.cipher.unwrap(await session.keys.fetch("default", 2), KeyHeader(*header, 2), moved) == key


async def test_a_tenant_rotates_its_own_keys(
    mnemo: Mnemo, open_mnemo: Opener, connection: Connection
) -> None:
    await mnemo.vault.put("a", b"mine")
    async with open_mnemo(tenant="other") as other:
        await other.vault.put("a", b"theirs")
        assert (await other.vault.rotate(destroy_old=True)).rewrapped == 1
        assert await other.vault.get("a") == b"theirs"
    assert await mnemo.vault.get("a") == b"mine"
    assert connection.execute("select tenant, epoch from mnemo.data_key order by 1").fetchall() == [
        ("default", 1),
        ("other", 2),
    ]


async def test_numbers_of_epochs_do_not_end(mnemo: Mnemo, connection: Connection) -> None:
    """One near the last would leave no next one."""
    await mnemo.vault.put("a", b"")
    for number in (0, 1, 100_002, 2**31 - 1):
        with pytest.raises(psycopg.Error, match="not just above") as refused:
            connection.execute("select mnemo.start_epoch(%s, 'file:', '\\x00')", (number,))
        assert refused.value.sqlstate == VaultConflict.sqlstate
    assert (await mnemo.vault.rotate()).epoch == 2
