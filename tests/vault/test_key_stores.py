"""What every key store must do; files and variables on their own; how a store is opened."""

import asyncio
import base64
import errno
import os
import re
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from adapters.crypto.environment_keys import EnvironmentKeys, variable_of
from adapters.crypto.file_keys import FileKeys
from engine.config import Settings
from engine.errors import InvalidArgument, InvalidConfiguration, KeyUnavailable
from engine.vault.protocol import KeyStore
from engine.vault.registry import open_keys, register_keys

# Names that fold, escape, collide or overflow where a store is careless.
TENANTS = [
    "default",
    "DEFAULT",
    "Default",
    "a/b",
    "../a",
    "a.1",
    "a_1",
    "ä",
    "a\u0308",
    "x_61",
    "\n",
    "漢" * 200,
]


class Operator(Protocol):
    """Does for a store what people do."""

    def allow(self, tenant: str, epoch: int) -> None:
        """Before a key is made."""

    def remove(self, tenant: str, epoch: int) -> None:
        """Before a key is destroyed."""


class _Nothing:
    def allow(self, tenant: str, epoch: int) -> None:
        """Files need nobody."""

    def remove(self, tenant: str, epoch: int) -> None:
        """Files need nobody."""


class _Variables:
    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def allow(self, tenant: str, epoch: int) -> None:
        """Set the variable, once."""
        self.environ.setdefault(variable_of(tenant, epoch), base64.b64encode(os.urandom(32)).decode())

    def remove(self, tenant: str, epoch: int) -> None:
        """Unset the variable."""
        self.environ.pop(variable_of(tenant, epoch), None)


@pytest.fixture(params=["files", "variables"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[KeyStore, Operator]]:
    """An empty store and its operator."""
    if request.param == "files":
        files = FileKeys(tmp_path / "keys")
        await files.prepare()
        yield files, _Nothing()
    else:
        environ: dict[str, str] = {"MNEMO_VAULT_KEY_": "x", "MNEMO_VAULT_KEY_DEFAULT_x": "x"}
        yield EnvironmentKeys(environ), _Variables(environ)


async def test_a_key_stays_until_it_is_destroyed(place: tuple[KeyStore, Operator]) -> None:
    store, operator = place
    keys: dict[tuple[str, int], bytes] = {}
    for tenant in TENANTS:
        for epoch in (1, 2, 10, 2**31 - 1):
            operator.allow(tenant, epoch)
            key = await store.create(tenant, epoch)
            assert key is not None
            keys[tenant, epoch] = key
    assert {len(key) for key in keys.values()} == {32}
    assert len(set(keys.values())) == len(keys)
    for (tenant, epoch), key in keys.items():
        # What the store made is taken; what people made is theirs to give out.
        assert await store.create(tenant, epoch) == (None if store.makes_keys else key)
        assert await store.fetch(tenant, epoch) == key
        assert await store.epochs(tenant) == [1, 2, 10, 2**31 - 1]

    operator.remove("a/b", 2)
    before = datetime.now(UTC)
    ended = await store.destroy("a/b", 2)
    assert ended.final
    assert before <= ended.final_at <= datetime.now(UTC)
    assert (await store.destroy("a/b", 2)).final
    with pytest.raises(KeyUnavailable):
        await store.fetch("a/b", 2)
    assert await store.epochs("a/b") == [1, 10, 2**31 - 1]
    others = {place: key for place, key in keys.items() if place != ("a/b", 2)}
    assert {place: await store.fetch(*place) for place in others} == others


async def test_what_is_not_there(place: tuple[KeyStore, Operator]) -> None:
    store, operator = place
    operator.allow("somebody", 1)
    await store.create("somebody", 1)
    with pytest.raises(KeyUnavailable):
        await store.fetch("nobody", 1)
    assert (await store.destroy("nobody", 1)).final
    assert await store.epochs("nobody") == []


@pytest.mark.parametrize(("tenant", "epoch"), [("", 1), ("a\x00", 1), ("\ud800", 1), ("a", 0), ("a", 2**31)])
async def test_what_cannot_be_a_key(place: tuple[KeyStore, Operator], tenant: str, epoch: int) -> None:
    store, _ = place
    for call in (store.create, store.fetch, store.destroy):
        with pytest.raises(InvalidArgument):
            await call(tenant, epoch)


async def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = FileKeys(tmp_path / "deep" / "keys")
        await store.prepare()
        await store.create("a", 1)
    finally:
        os.umask(old)
    root = tmp_path / "deep" / "keys"
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}
    (path,) = root.glob("*.key")
    assert path.stat().st_size == 32
    assert path.name.startswith("a.")


@pytest.mark.parametrize("looser", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
async def test_looser_ones_are_refused(tmp_path: Path, looser: int) -> None:
    root = tmp_path / "keys"
    store = FileKeys(root)
    await store.prepare()
    await store.create("a", 1)
    (path,) = root.glob("*.key")
    path.chmod(0o600 | looser)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        await store.fetch("a", 1)
    path.chmod(0o600)
    root.chmod(0o700 | looser)
    for later in (
        store.fetch("a", 1),
        store.create("a", 1),
        store.destroy("a", 1),
        store.epochs("a"),
        store.prepare(),
    ):
        with pytest.raises(KeyUnavailable, match="chmod 700"):
            await later


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_a_damaged_file_is_no_key(tmp_path: Path, size: int) -> None:
    root = tmp_path / "keys"
    store = FileKeys(root)
    await store.prepare()
    await store.create("a", 1)
    (path,) = root.glob("*.key")
    path.write_bytes(bytes(size))
    with pytest.raises(KeyUnavailable, match="must have 32 bytes"):
        await store.fetch("a", 1)
    assert await store.create("a", 1) is None
    assert path.read_bytes() == bytes(size)


async def test_links_are_not_followed(tmp_path: Path) -> None:
    store = FileKeys(tmp_path / "keys")
    await store.prepare()
    key = await store.create("a", 1)
    (path,) = (tmp_path / "keys").glob("*.key")
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    for call in (store.fetch, store.destroy):
        with pytest.raises(KeyUnavailable):
            await call("a", 1)
    assert elsewhere.read_bytes() == key


async def test_a_missing_directory_is_no_destroyed_key(tmp_path: Path) -> None:
    store = FileKeys(tmp_path / "keys")
    for call in (store.fetch, store.create, store.destroy):
        with pytest.raises(KeyUnavailable, match="is not there"):
            await call("a", 1)


async def test_a_directory_that_never_had_a_key_is_no_destroyed_key(tmp_path: Path) -> None:
    """A disk that is not mounted leaves its empty mount point."""
    store = FileKeys(tmp_path / "keys")
    await store.prepare()
    with pytest.raises(KeyUnavailable, match="never had a key"):
        await store.destroy("a", 1)


@pytest.mark.parametrize("fails_at", [1, 2, None])
async def test_a_destroyed_file_was_overwritten_and_keeps_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int | None
) -> None:
    """Wherever it stopped: the key answers nobody once its name is gone, and the next try ends it."""
    store = FileKeys(tmp_path / "keys")
    await store.prepare()
    key = await store.create("a", 1)
    (path,) = (tmp_path / "keys").glob("*.key")
    other_name = tmp_path / "the same bytes on disk"
    other_name.hardlink_to(path)
    synced: list[tuple[bool, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((path.exists(), other_name.read_bytes() == key))
        if len(synced) == fails_at:
            raise OSError(errno.EIO, "no disk")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if fails_at:
        with pytest.raises(KeyUnavailable, match="no disk"):
            await store.destroy("a", 1)
        with pytest.raises(KeyUnavailable, match="has no such key"):
            await store.fetch("a", 1)
    assert (await store.destroy("a", 1)).final
    # First the name, so that a key half overwritten never goes by it.
    assert synced[-2:] in ([(False, True), (False, False)], [(False, False), (False, False)])
    assert len(other_name.read_bytes()) == 32
    assert other_name.read_bytes() != key
    assert await store.epochs("a") == []
    assert await store.create("a", 1) is None


async def test_a_crash_in_create_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key's file is synced first: without it there is no key. Its directory is next: then it is taken."""
    store = FileKeys(tmp_path / "keys")
    await store.prepare()
    real = os.fsync
    for fails_at in (1, 2):
        done = 0

        def fsync(descriptor: int, fails_at: int = fails_at) -> None:
            nonlocal done
            done += 1
            if done == fails_at:
                raise OSError(errno.EIO, "no disk")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(KeyUnavailable, match="no disk"):
            await store.create("a", fails_at)
        assert await store.epochs("a") == ([] if fails_at == 1 else [1, 2])
        monkeypatch.setattr(os, "fsync", real)
        again = await store.create("a", fails_at)
        assert (again is None) == (fails_at == 2)
        assert len(await store.fetch("a", fails_at)) == 32
        assert not (tmp_path / "keys" / ".new").exists()


async def test_of_callers_at_the_same_moment_one_gets_the_key(tmp_path: Path) -> None:
    stores = [FileKeys(tmp_path / "keys") for _ in range(4)]
    await stores[0].prepare()
    keys = await asyncio.gather(*(store.create("a", 1) for store in stores for _ in range(10)))
    (made,) = [key for key in keys if key is not None]
    assert await stores[1].fetch("a", 1) == made


def test_every_tenant_has_variables_of_its_own() -> None:
    names = {variable_of(tenant, epoch) for tenant in TENANTS for epoch in (1, 11)}
    assert len(names) == 2 * len(TENANTS)
    assert all(re.fullmatch("[A-Z][A-Z0-9_]*", name) and "__" not in name for name in names)
    assert variable_of("default", 3) == "MNEMO_VAULT_KEY_DEFAULT_3"
    assert variable_of("a/b", 3) == "MNEMO_VAULT_KEY_X_612F62_3"


async def test_variables_are_made_and_removed_by_people() -> None:
    environ: dict[str, str] = {}
    store = EnvironmentKeys(environ)
    with pytest.raises(KeyUnavailable, match="set MNEMO_VAULT_KEY_DEFAULT_1 to 32 random bytes"):
        await store.create("default", 1)
    environ["MNEMO_VAULT_KEY_DEFAULT_1"] = base64.b64encode(bytes(32)).decode() + "\n"
    assert await store.create("default", 1) == bytes(32)
    with pytest.raises(KeyUnavailable, match="remove MNEMO_VAULT_KEY_DEFAULT_1"):
        await store.destroy("default", 1)
    environ["MNEMO_VAULT_KEY_DEFAULT_1"] = ""
    assert (await store.destroy("default", 1)).final
    assert await store.epochs("default") == []


async def test_opening_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for form in (f"file:{tmp_path}/k%20s", f"file://{tmp_path}/k%20s"):
        async with open_keys(Settings(vault={"keys": form})) as store:
            assert store.url == f"file://{tmp_path}/k%20s"
            await store.create("a", 1)
    assert len([*(tmp_path / "k s").glob("*.key")]) == 1
    monkeypatch.setenv("MNEMO_VAULT_KEY_A_1", base64.b64encode(bytes(range(32))).decode())
    monkeypatch.setenv("MNEMO_VAULT__KEYS", "env:")
    async with open_keys(Settings()) as store:
        assert store.url == "env:"
        assert await store.fetch("a", 1) == bytes(range(32))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "vault.keys: must be set"),
        ("ftp://host", "must begin with one of env:, file:,"),
        ("file://host/path", "must name a directory"),
        ("file:path", "must name a directory"),
        ("file:///path?x=1", "must name a directory"),
        ("env:X", "takes nothing after the colon"),
        ("kms://eu-central-1/path", "must be kms://region"),
        ("kms://eu-central-1?key=1", "must be kms://region"),
        ("kms://eu-central-1?endpoint=nowhere", "KMS cannot be used"),
    ],
)
async def test_a_store_that_cannot_be_meant(url: str | None, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=re.escape(message)):
        async with open_keys(Settings(vault={"keys": url})):
            pass


@pytest.mark.parametrize("url", ["path", "/path", "://", "kms://user:secret@region", "File:/path"])
def test_settings_refuse_what_is_no_url(url: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"vault\.keys: must be file:///path") as caught:
        Settings(vault={"keys": url})
    assert "secret" not in str(caught.value)


def test_a_scheme_is_taken_once() -> None:
    with pytest.raises(InvalidArgument, match="is registered already"):
        register_keys("file", lambda url, settings: open_keys(settings))
