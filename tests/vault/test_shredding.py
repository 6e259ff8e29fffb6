"""What was shredded is gone for good, from backups too; its neighbours stay; what stopped is resumed."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from engine.errors import InvalidArgument, KeyUnavailable, SealBroken, UnknownItem
from engine.mnemo import Mnemo
from engine.vault import shredding
from engine.vault.session import VaultSession
from tests.conftest import Connection
from tests.support.databases import Databases
from tests.vault.conftest import CHUNK, Opener

CONTENTS = {name: os.urandom(CHUNK + place) for place, name in enumerate(["a", "b", "c", "d"])}


async def session_of(mnemo: Mnemo) -> VaultSession:
    """Return what the vault's own steps are called with."""
    return await mnemo.vault._session()


@contextmanager
def backup(databases: Databases, dsn: str) -> Iterator[str]:
    """Yield a copy of a database that nobody is connected to, as it is now."""
    name = databases.create(str(conninfo_to_dict(dsn)["dbname"]))
    try:
        yield databases.dsn(name)
    finally:
        databases.drop(name)


async def fill(mnemo: Mnemo) -> None:
    """Store CONTENTS, under two epochs."""
    for name, content in CONTENTS.items():
        await mnemo.vault.put(name, content)
        if name == "b":
            await mnemo.vault.rotate()


async def readable(mnemo: Mnemo) -> set[str]:
    """Return which of CONTENTS open; they open as they were, or refuse as they should."""
    found = set()
    for name, content in CONTENTS.items():
        try:
            assert await mnemo.vault.get(name) == content
        except (KeyUnavailable, UnknownItem):
            continue
        found.add(name)
    return found


@pytest.mark.parametrize("names", [["a"], ["c"], ["a", "d"], ["a", "b", "c", "d"]])
async def test_backups_of_before_open_nothing(
    open_mnemo: Opener, databases: Databases, dsn: str, names: list[str]
) -> None:
    async with open_mnemo() as mnemo:
        await fill(mnemo)
    with backup(databases, dsn) as copy:
        async with open_mnemo() as mnemo:
            certificate = await mnemo.vault.shred(names)
            assert await readable(mnemo) == CONTENTS.keys() - set(names)
            assert {item["kind"] for item in certificate.document["items"]} == {"memory"}
            assert len(certificate.document["items"]) == len(names)
            assert [epoch["epoch"] for epoch in certificate.document["epochs"]] == [1, 2]
        async with open_mnemo(copy) as restored:
            assert len(await restored.vault.list()) == 4
            assert await readable(restored) == set()


async def test_a_later_backup_opens_the_neighbours_alone(
    open_mnemo: Opener, databases: Databases, dsn: str
) -> None:
    async with open_mnemo() as mnemo:
        await fill(mnemo)
        await mnemo.vault.shred(["a"])
    with backup(databases, dsn) as copy:
        async with open_mnemo(copy) as restored:
            assert await readable(restored) == {"b", "c", "d"}


async def test_a_shredded_tenant_opens_nowhere(open_mnemo: Opener, databases: Databases, dsn: str) -> None:
    async with open_mnemo() as mnemo, open_mnemo(tenant="other") as other:
        await fill(mnemo)
        await other.vault.put("a", b"theirs")
    with backup(databases, dsn) as copy:
        async with open_mnemo() as mnemo, open_mnemo(tenant="other") as other:
            certificate = await mnemo.vault.shred_tenant()
            assert certificate.document["whole_tenant"] is True
            assert len(certificate.document["items"]) == 4
            assert await mnemo.vault.list() == []
            assert await (await session_of(mnemo)).keys.epochs("default") == []
            assert await other.vault.get("a") == b"theirs"
            await mnemo.vault.put("a", b"new")
            assert await mnemo.vault.get("a") == b"new"
            assert [key.epoch for key in await mnemo.vault.keys() if key.state == "active"] == [3]
        async with open_mnemo(copy) as restored, open_mnemo(copy, tenant="other") as other:
            assert await readable(restored) == set()
            assert await other.vault.get("a") == b"theirs"


async def test_a_tenant_without_anything_can_be_shredded(mnemo: Mnemo) -> None:
    certificate = await mnemo.vault.shred_tenant()
    assert certificate.final_at is None
    assert certificate.document["epochs"] == []


async def test_the_certificate_is_in_the_audit(mnemo: Mnemo, connection: Connection) -> None:
    await fill(mnemo)
    certificate = await mnemo.vault.shred(["a"])
    (detail,) = connection.execute(
        "select detail from mnemo.audit where action = 'vault.certificate' and subject = %s",
        [str(certificate.shredding)],
    ).fetchone() or ({},)
    assert detail == certificate.document
    assert detail["finished_by"] == "postgres"
    assert certificate.final_at is not None
    names = connection.execute("select from mnemo.audit where detail::text like '%\"a\"%'")
    assert names.rowcount == 0


async def test_no_epoch_is_destroyed_from_an_older_snapshot(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.vault.put("kept", b"content")
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        with pytest.raises(psycopg.DatabaseError, match="read committed") as refused:
            connection.execute("select mnemo.begin_destroy('{1}')")
    assert refused.value.sqlstate == "MN002"
    assert await mnemo.vault.get("kept") == b"content"


async def test_nothing_is_shredded_where_one_is_unknown(mnemo: Mnemo) -> None:
    await fill(mnemo)
    with pytest.raises(UnknownItem, match="'x'"):
        await mnemo.vault.shred(["a", "x"])
    with pytest.raises(UnknownItem, match="has nothing sealed"):
        await mnemo.vault.shred(["a"], memories=[UUID(int=1)])
    with pytest.raises(InvalidArgument):
        await mnemo.vault.shred([])
    assert await readable(mnemo) == CONTENTS.keys()
    assert await mnemo.vault.resume_shredding() == ()


async def test_private_memories_are_shredded_like_items(mnemo: Mnemo, connection: Connection) -> None:
    await fill(mnemo)
    gone, kept = [await mnemo.remember(text, private=True) for text in ("one", "two")]
    certificate = await mnemo.vault.shred(memories=[gone])
    assert certificate.document["memories"] == [str(gone)]
    left = connection.execute("select epoch from mnemo.data_key where purpose = 'memory'").fetchall()
    assert left == [(3,)]
    assert [(one.memory_id, one.content) for one in await mnemo.get([gone, kept])] == [(kept, "two")]
    assert await readable(mnemo) == CONTENTS.keys()


STEPS = ("new_epoch", "begun", "rewrapped", "destroyed", "finished")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("then", ["resume", "rotate", "shred"])
async def test_a_shredding_that_stopped_is_finished_by_the_next_act(
    mnemo: Mnemo, monkeypatch: pytest.MonkeyPatch, step: str, then: str
) -> None:
    await fill(mnemo)
    session = await session_of(mnemo)
    with monkeypatch.context() as patch:
        _stop_after(patch, session, step)
        with pytest.raises(ConnectionError):
            await mnemo.vault.shred(["a"])
    begun = step != "new_epoch"
    assert await readable(mnemo) == CONTENTS.keys() - ({"a"} if begun else set())
    match then:
        case "resume":
            assert len(await mnemo.vault.resume_shredding()) == (step in STEPS[1:4])
        case "rotate":
            await mnemo.vault.rotate()
        case "shred":
            await mnemo.vault.shred(["b"])
    if begun:
        assert {1, 2}.isdisjoint(await session.keys.epochs("default"))
        assert await mnemo.vault.resume_shredding() == ()
    left = CONTENTS.keys() - ({"a"} if begun else set()) - ({"b"} if then == "shred" else set())
    assert await readable(mnemo) == left


def _stop_after(patch: pytest.MonkeyPatch, session: VaultSession, step: str) -> None:
    """Make the program die just after a step of a shredding."""

    async def stop(*_: object) -> None:
        raise ConnectionError("gone")

    match step:
        case "new_epoch":
            patch.setattr(VaultSession, "new_epoch", stop)
        case "begun":
            patch.setattr(shredding, "_certified", stop)
        case "rewrapped":
            patch.setattr(shredding, "destroy", stop)
        case "destroyed":
            store = type(session.keys)
            destroy = store.destroy

            async def destroyed(self: object, tenant: str, epoch: int) -> None:
                await destroy(self, tenant, epoch)  # type: ignore[arg-type]
                raise ConnectionError("gone")

            patch.setattr(store, "destroy", destroyed)
        case "finished":

            async def finished(*_: object) -> None:
                await shredding.resume(session)
                raise ConnectionError("gone")

            patch.setattr(shredding, "_certified", finished)


async def test_shredding_at_once_harms_no_neighbour(mnemo: Mnemo, open_mnemo: Opener) -> None:
    """Two operators, and a third who rotates: each certificate holds, and what nobody shredded opens."""
    contents = {str(number): os.urandom(100) for number in range(12)}
    for name, content in contents.items():
        await mnemo.vault.put(name, content)
    async with open_mnemo() as one, open_mnemo() as other, open_mnemo() as third:

        async def shred(operator: Mnemo, names: list[str]) -> None:
            for name in names:
                certificate = await operator.vault.shred([name])
                assert certificate.final_at is not None

        async def rotations() -> None:
            for _ in range(4):
                await third.vault.rotate()

        await asyncio.gather(shred(one, ["0", "1", "2"]), shred(other, ["3", "4", "5"]), rotations())
    assert [item.name for item in await mnemo.vault.list()] == sorted(str(number) for number in range(6, 12))
    for number in range(6, 12):
        assert await mnemo.vault.get(str(number)) == contents[str(number)]
    assert await mnemo.vault.resume_shredding() == ()


async def test_an_unavailable_key_store_delays_and_says_so(
    mnemo: Mnemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(mnemo)
    session = await session_of(mnemo)

    async def unavailable(*_: object) -> None:
        raise KeyUnavailable("the key store is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(session.keys), "destroy", unavailable)
        with pytest.raises(KeyUnavailable):
            await mnemo.vault.shred(["a"])
        assert [key.state for key in await mnemo.vault.keys()] == ["destroying", "destroying", "active"]
        assert await readable(mnemo) == {"b", "c", "d"}
    assert len(await mnemo.vault.resume_shredding()) == 1


async def test_no_key_under_which_something_lies_is_destroyed(mnemo: Mnemo, connection: Connection) -> None:
    await fill(mnemo)
    for epochs in ([2], [1, 2]):
        with pytest.raises(Exception, match="cannot be destroyed"):
            connection.execute("select mnemo.begin_destroy(%s::integer[])", [epochs])
    for epoch in (1, 2, 7):
        with pytest.raises(Exception, match="is not being destroyed"):
            connection.execute("select mnemo.finish_destroy(%s::integer, now())", [epoch])
    assert await readable(mnemo) == CONTENTS.keys()


async def test_a_broken_neighbour_stops_a_shredding_until_it_is_dropped(
    mnemo: Mnemo, connection: Connection
) -> None:
    await fill(mnemo)
    connection.execute(
        "update mnemo.data_key k set wrapped = 'x' from mnemo.vault_item i where i.id = k.id and i.name = 'b'"
    )
    with pytest.raises(SealBroken):
        await mnemo.vault.shred(["a"])
    await mnemo.vault.drop(["b"])
    assert len(await mnemo.vault.resume_shredding()) == 1
