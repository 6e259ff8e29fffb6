"""A copy of a database destroys no key that its original needs; nor one with which it shares a store."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from engine.errors import KeyUnavailable, VaultConflict
from engine.mnemo import Mnemo
from tests.conftest import Connection, DatabaseFactory
from tests.support.databases import Databases
from tests.support.invariants import check_invariants
from tests.vault.conftest import Opener
from tests.vault.test_many_stores import key_files
from tests.vault.test_shredding import CONTENTS, backup, fill, readable

ENDS: dict[str, Callable[[Mnemo], Awaitable[object]]] = {
    "rotate": lambda mnemo: mnemo.vault.rotate(),
    "rotate and destroy": lambda mnemo: mnemo.vault.rotate(destroy_old=True),
    "shred": lambda mnemo: mnemo.vault.shred(["a"]),
    "shred tenant": lambda mnemo: mnemo.vault.shred_tenant(),
}
# Every function of SQL that ends an epoch, or takes a step towards that, so that no other client can either.
STEPS = {
    "start": "select mnemo.start_epoch(9, 'file:', '\\x00')",
    "shred": "select mnemo.begin_shred(9, 'file:', '\\x00', '{a}')",
    "shred nothing": "select mnemo.begin_shred(9, 'file:', '\\x00', '{}')",
    "shred tenant": "select mnemo.begin_shred_tenant()",
    "mark": "select mnemo.begin_destroy('{1}')",
    "resume": "select mnemo.begin_destroy()",
    "destroyed": "select mnemo.finish_destroy(1, now())",
}


@pytest.fixture
async def copy(open_mnemo: Opener, databases: Databases, dsn: str) -> AsyncIterator[str]:
    """A copy of the test's database, which has CONTENTS under two epochs."""
    async with open_mnemo() as mnemo:
        await fill(mnemo)
    with backup(databases, dsn) as made:
        yield made


async def test_a_copy_ends_no_epoch(open_mnemo: Opener, copy: str, keys: str) -> None:
    before = key_files(keys)
    async with open_mnemo(copy) as clone:
        for act in ENDS.values():
            with pytest.raises(VaultConflict, match="is a copy of the one that the keys"):
                await act(clone)
        assert await clone.vault.resume_shredding() == ()
        assert await readable(clone) == CONTENTS.keys()
    with psycopg.connect(copy, autocommit=True) as connection:
        for step in STEPS.values():
            with pytest.raises(psycopg.Error, match="is a copy of") as refused:
                connection.execute(step.encode())
            assert refused.value.sqlstate == "MN018"
    assert key_files(keys) == before
    async with open_mnemo() as original:
        assert await readable(original) == CONTENTS.keys()


async def test_a_copy_stores_and_reads(open_mnemo: Opener, copy: str) -> None:
    async with open_mnemo(copy) as clone, open_mnemo() as original:
        await clone.vault.put("new", b"new")
        assert await clone.vault.get("new") == b"new"
        assert "new" in {item.name for item in await clone.vault.list()}
        assert await clone.vault.drop(["a"]) == 1
        await original.vault.rotate()
        assert await clone.vault.get("new") == b"new"
        assert await readable(original) == CONTENTS.keys()


async def test_a_tenant_that_is_new_in_a_copy_gets_a_key_of_its_own(open_mnemo: Opener, copy: str) -> None:
    async with open_mnemo(copy, tenant="later") as clone, open_mnemo(tenant="later") as original:
        await clone.vault.put("a", b"clone's")
        await original.vault.put("a", b"original's")
        await original.vault.shred_tenant()
        assert await clone.vault.get("a") == b"clone's"


async def test_a_shredding_that_began_before_is_not_finished_by_a_copy(
    open_mnemo: Opener, databases: Databases, dsn: str, keys: str
) -> None:
    async with open_mnemo() as mnemo:
        await fill(mnemo)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select mnemo.begin_shred_tenant()")
        connection.execute("select mnemo.begin_destroy()")
    with backup(databases, dsn) as copy:
        async with open_mnemo(copy) as clone:
            with pytest.raises(VaultConflict, match="is a copy of"):
                await clone.vault.resume_shredding()
        assert len(key_files(keys)) == 2
        async with open_mnemo() as original:
            assert len(await original.vault.resume_shredding()) == 1
    assert key_files(keys) == set()


async def test_a_copy_that_adopts_the_vault_goes_on(open_mnemo: Opener, copy: str) -> None:
    async with open_mnemo(copy) as clone:
        assert await clone.vault.adopt()
        assert not await clone.vault.adopt()
        await clone.vault.shred(["a"])
        assert await readable(clone) == {"b", "c", "d"}
        with psycopg.connect(copy) as connection:
            entries = connection.execute(
                "select tenant, detail ->> 'to' = mnemo.fingerprint(), detail ->> 'from' = detail ->> 'to'"
                " from mnemo.audit where action = 'vault.adopt'"
            ).fetchall()
            assert entries == [("", True, False)]
            check_invariants(connection)
    # What was told: the original must be gone.
    async with open_mnemo() as original:
        with pytest.raises(KeyUnavailable):
            await original.vault.get("b")


async def test_a_database_without_an_epoch_is_at_home_where_it_gets_one(
    open_mnemo: Opener, databases: Databases, dsn: str
) -> None:
    async with open_mnemo() as mnemo:
        assert not await mnemo.vault.adopt()
    with backup(databases, dsn) as copy:
        async with open_mnemo(copy) as clone:
            await clone.vault.put("a", b"a")
            await clone.vault.rotate(destroy_old=True)
            assert await clone.vault.get("a") == b"a"


async def test_a_copy_makes_no_keys_that_it_cannot_use(open_mnemo: Opener, keys: str, mnemo: Mnemo) -> None:
    """Nor does whoever is refused otherwise: keys may cost."""
    await fill(mnemo)
    before = key_files(keys)
    with pytest.raises(Exception, match="there is no vault item 'x'"):
        await mnemo.vault.shred(["x"])
    assert key_files(keys) == before


async def test_first_puts_at_once_make_one_epoch(open_mnemo: Opener, mnemo: Mnemo, keys: str) -> None:
    async with open_mnemo() as other:
        await asyncio.gather(*((mnemo, other)[n % 2].vault.put(str(n), b"x") for n in range(8)))
    (epoch,) = await mnemo.vault.keys()
    assert (epoch.state, epoch.data_keys) == ("active", 8)
    assert len(key_files(keys)) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_two_installations_on_one_store_never_lose_an_item(
    open_mnemo: Opener, database_factory: DatabaseFactory, connection: Connection, seed: int
) -> None:
    """Acts in random order, two at a time: every live item of both opens as it was, to the end."""
    choose = random.Random(seed)
    async with open_mnemo() as one, open_mnemo(database_factory()) as other:
        items: dict[Mnemo, dict[str, bytes]] = {one: {}, other: {}}

        async def act(mnemo: Mnemo) -> None:
            mine = items[mnemo]
            match choose.randrange(6):
                case 0 | 1:
                    name, content = choose.choice("abcdef"), choose.randbytes(choose.randrange(9000))
                    await mnemo.vault.put(name, content, replace=True)
                    mine[name] = content
                case 2:
                    await mnemo.vault.rotate()
                case 3:
                    await mnemo.vault.rotate(destroy_old=True)
                case 4 if mine:
                    name = choose.choice(sorted(mine))
                    del mine[name]
                    await mnemo.vault.shred([name])
                case 5 if choose.random() < 0.3:
                    mine.clear()
                    await mnemo.vault.shred_tenant()

        for _ in range(20):
            await asyncio.gather(act(one), act(other))
            for mnemo, mine in items.items():
                assert {item.name for item in await mnemo.vault.list()} == mine.keys()
                for name, content in mine.items():
                    assert await mnemo.vault.get(name) == content
    check_invariants(connection)
