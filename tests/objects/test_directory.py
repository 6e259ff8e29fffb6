"""What is particular to a directory: files that appear whole, leftovers, a disk that is gone."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.objects.directory import DirectoryObjects
from engine.archive import open_objects
from engine.config import Settings
from engine.errors import InvalidConfiguration, StoreRefused, StoreUnavailable

DATA = b"content"
SHA256 = hashlib.sha256(DATA).digest()
DAY = 86_400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DirectoryObjects]:
    """A store on tmp_path/objects."""
    async with open_objects(Settings(archive={"url": str(tmp_path / "objects")})) as opened:
        assert isinstance(opened, DirectoryObjects)
        yield opened


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_a_writer_that_fails_leaves_nothing(
    store: DirectoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("fsync", "link"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, _no_space)
            with pytest.raises(StoreUnavailable, match="No space left"):
                await store.put("a/b", DATA, SHA256)
        assert files(tmp_path / "objects") == {}
    await store.put("a/b", DATA, SHA256)
    assert files(tmp_path / "objects") == {"a/b": DATA}


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_file_is_on_disk_before_its_name_is(
    store: DirectoryObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, link = os.fsync, os.link

    def note_sync(descriptor: int) -> None:
        steps.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def note_link(source: Path, target: Path, **more: bool) -> None:
        steps.append("link")
        link(source, target, **more)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note_link)
    await store.put("a/b/c", DATA, SHA256)
    assert len(steps[0]) > len("sync objects")
    assert steps[1:] == ["link", "sync b", "sync a", "sync objects"]
    # Its writer may have died before the directories were on disk.
    del steps[:]
    await store.put("a/b/c", DATA, SHA256)
    assert steps == ["sync b", "sync a", "sync objects"]


async def test_what_dead_writers_left_is_removed_when_it_is_old(
    store: DirectoryObjects, tmp_path: Path
) -> None:
    incoming = tmp_path / "objects" / ".incoming"
    for name, age in (("young", DAY - 600), ("old", DAY + 600)):
        (incoming / name).write_bytes(b"half")
        then = (incoming / name).stat().st_mtime - age
        os.utime(incoming / name, (then, then))
    assert [info async for info in store.list()] == []
    assert await store.clean() == 1
    assert files(incoming) == {"young": b"half"}


async def test_a_disk_that_is_gone_is_not_an_empty_one(store: DirectoryObjects, tmp_path: Path) -> None:
    await store.put("a/b", DATA, SHA256)
    (tmp_path / "objects").rename(tmp_path / "unmounted")
    for use in (
        store.get("a/b"),
        store.head("a/b"),
        store.put("a/c", DATA, SHA256),
        store.swap("a/l", DATA, None),
        store.delete(["a/b"]),
        anext(aiter(store.list())),
    ):
        with pytest.raises(StoreUnavailable, match="is not there"):
            await use
    assert not (tmp_path / "objects").exists()


async def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreRefused, match="file"):
        async with open_objects(Settings(archive={"url": str(tmp_path / "file" / "objects")})):
            pass
    with pytest.raises(InvalidConfiguration, match="three slashes"):
        async with open_objects(Settings(archive={"url": "file://host/path"})):
            pass


async def test_the_callers_own_missing_file_is_not_the_stores(
    store: DirectoryObjects, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put("a", tmp_path / "nothing", SHA256)
    await store.put("a", DATA, SHA256)
    with pytest.raises(FileNotFoundError):
        await store.download("a", tmp_path / "nowhere" / "a")
