"""One store for many databases, many stores for one: no key that is needed dies, and none is said to."""

from pathlib import Path

import pytest

from engine.errors import KeyUnavailable
from tests.conftest import DatabaseFactory
from tests.vault.conftest import Opener


def rename(store: str, name: str) -> str:
    """Give the directory of a URL another name; return its new URL."""
    root = Path(store.removeprefix("file://"))
    return root.rename(root.with_name(name)).as_uri()


def key_files(store: str) -> set[str]:
    """Return the names of the keys in the directory of a URL."""
    return {path.name for path in Path(store.removeprefix("file://")).glob("*.key")}


async def test_databases_that_share_a_store_share_no_key(
    open_mnemo: Opener, database_factory: DatabaseFactory
) -> None:
    async with open_mnemo() as one, open_mnemo(database_factory()) as other:
        await one.vault.put("a", b"one's")
        await other.vault.put("a", b"other's")
        await other.vault.put("b", b"to go")
        await other.vault.rotate(destroy_old=True)
        await other.vault.shred(["b"])
        assert await one.vault.get("a") == b"one's"
        await one.vault.rotate(destroy_old=True)
        assert await other.vault.get("a") == b"other's"
        await one.vault.shred_tenant()
        assert await other.vault.get("a") == b"other's"
        await one.vault.put("a", b"again")
        assert await one.vault.get("a") == b"again"


async def test_a_key_is_destroyed_only_where_it_is(open_mnemo: Opener, keys: str, tmp_path: Path) -> None:
    wrong = (tmp_path / "wrong").as_uri()
    async with open_mnemo() as mnemo:
        await mnemo.vault.put("a", b"secret")
    async with open_mnemo(keys=wrong, tenant="another") as mnemo:
        await mnemo.vault.put("a", b"")
    async with open_mnemo(keys=wrong) as mnemo:
        for attempt in (mnemo.vault.shred(["a"]), mnemo.vault.rotate(destroy_old=True)):
            with pytest.raises(KeyUnavailable, match="has no such key"):
                await attempt
        assert [key.state for key in await mnemo.vault.keys()] == ["active"]
        for _ in range(2):
            with pytest.raises(KeyUnavailable, match="cannot be destroyed there"):
                await mnemo.vault.shred_tenant()
        assert [key.state for key in await mnemo.vault.keys()] == ["destroying"]
    assert len(key_files(keys)) == 1
    async with open_mnemo() as mnemo:
        certificates = await mnemo.vault.resume_shredding()
    assert len(certificates) == 2
    assert key_files(keys) == set()


async def test_a_disk_that_is_not_mounted_is_no_store(open_mnemo: Opener, keys: str) -> None:
    """Its mount point takes no new key, and no key is destroyed there."""
    async with open_mnemo() as mnemo:
        await mnemo.vault.put("a", b"secret")
    unmounted = rename(keys, "unmounted")
    async with open_mnemo() as mnemo:
        for attempt in (mnemo.vault.rotate(), mnemo.vault.shred(["a"]), mnemo.vault.shred_tenant()):
            with pytest.raises(KeyUnavailable):
                await attempt
    assert key_files(keys) == set()
    assert len(key_files(unmounted)) == 1


async def test_a_store_that_was_moved_goes_on(open_mnemo: Opener, keys: str) -> None:
    async with open_mnemo() as mnemo:
        await mnemo.vault.put("a", b"kept")
        await mnemo.vault.put("b", b"to go")
    async with open_mnemo(keys=rename(keys, "moved")) as mnemo:
        await mnemo.vault.shred(["b"])
        assert await mnemo.vault.get("a") == b"kept"
        assert [key.state for key in await mnemo.vault.keys()] == ["destroyed", "active"]


async def test_another_key_of_the_same_name_is_not_destroyed_for_it(
    open_mnemo: Opener, tmp_path: Path
) -> None:
    wrong = (tmp_path / "wrong").as_uri()
    async with open_mnemo() as mnemo:
        await mnemo.vault.put("a", b"secret")
    async with open_mnemo(keys=wrong) as mnemo:
        await (await mnemo.vault._session()).keys.create("default", 1)
        for attempt in (mnemo.vault.shred(["a"]), mnemo.vault.shred_tenant()):
            with pytest.raises(KeyUnavailable, match="another key for epoch 1"):
                await attempt
    assert len(key_files(wrong)) == 1
