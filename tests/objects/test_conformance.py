"""What every object store must do, held to a dictionary."""

import asyncio
import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.archive import ObjectStore, checked_prefix, open_objects
from engine.config import Settings
from engine.errors import ArchiveConflict, InvalidArgument, ObjectCorrupted, ObjectMissing
from tests.objects.conftest import Place


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def put(store: ObjectStore, key: str, data: bytes) -> None:
    await store.put(key, data, sha256(data))


async def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key async for info in store.list(prefix)]


@pytest.mark.parametrize("size", [0, 1, 100_000, (11 << 20) + 7], ids=["empty", "byte", "one", "parts"])
async def test_bytes_come_back_whole_and_in_ranges(store: ObjectStore, tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    target.write_bytes(b"of yesterday")
    await store.put("a/file.npy", source, sha256(data))
    await put(store, "a/bytes.npy", data)
    for key in ("a/file.npy", "a/bytes.npy"):
        assert await store.get(key) == data
        assert await store.digest(key) == sha256(data)
    assert await store.download("a/file.npy", target) == sha256(data)
    assert target.read_bytes() == data
    ranges = [(random.Random(n).randrange(size), n * size // 20) for n in range(10)] if size else []
    ranges = [(start, min(length, size - start)) for start, length in ranges] + [(0, size), (size, 0)]
    answers = await asyncio.gather(*[store.read("a/file.npy", *both) for both in ranges])
    assert answers == [data[start : start + length] for start, length in ranges]


async def test_what_is_counted(store: ObjectStore) -> None:
    await put(store, "a", bytes(5000))
    requests, received = store.requests, store.bytes_read
    await store.read("a", 1000, 300)
    await store.get("a")
    assert (store.requests - requests, store.bytes_read - received) == (2, 5300)


async def test_an_object_is_described(store: ObjectStore) -> None:
    await put(store, "a/b", bytes(123))
    info = await store.head("a/b")
    assert info is not None
    assert (info.key, info.size) == ("a/b", 123)
    assert abs(info.modified - datetime.now(UTC)) < timedelta(hours=1)
    assert await store.head("a/c") is None
    assert await store.head("a") is None


async def test_the_same_again_is_fine_and_another_content_is_refused(store: ObjectStore) -> None:
    await put(store, "a", b"first")
    await put(store, "a", b"first")
    for other in (b"other", b"longer than the first"):
        with pytest.raises(ArchiveConflict, match=r"a in .* exists already"):
            await put(store, "a", other)
    assert await store.get("a") == b"first"


@pytest.mark.parametrize("size", [1000, 6 << 20], ids=["one", "parts"])
async def test_writers_of_one_key_never_mix(place: Place, size: int) -> None:
    contents = [bytes([n]) * size for n in range(5)]
    async with open_objects(place.settings) as one, open_objects(place.settings) as two:
        await one.probe()
        results = await asyncio.gather(
            *[put(store, "k", data) for store, data in zip([one, two, one, two, one], contents, strict=True)],
            return_exceptions=True,
        )
        kept = contents.index(await one.get("k"))
    assert all(result is None or isinstance(result, ArchiveConflict) for result in results)
    if place.conditional:
        assert [n for n, result in enumerate(results) if result is None] == [kept]


async def test_what_is_not_there(store: ObjectStore, tmp_path: Path) -> None:
    await put(store, "a/b", b"12345")
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    for reading in (store.get, store.digest, lambda key: store.read(key, 0, 1)):
        with pytest.raises(ObjectMissing, match="a/c is not in"):
            await reading("a/c")
    with pytest.raises(ObjectMissing):
        await store.download("a/c", target)
    assert target.read_bytes() == b"kept"
    for start, length in ((3, 3), (5, 1), (100, 1)):
        with pytest.raises(ObjectCorrupted, match=f"a/b in .* ends before byte {start + length}"):
            await store.read("a/b", start, length)


async def test_listing_and_deleting_equal_a_set(store: ObjectStore) -> None:
    there = {f"{owner}/{name}" for owner in ("a", "a-b", "ab", "b/c") for name in ("x.npy", "x-y", "z", "Z")}
    await asyncio.gather(*[put(store, key, key.encode()) for key in there])
    for prefix in ("", "a", "a/", "a/x", "a-", "b/c/z", "c", "a/x.npy/", "b/c/"):
        assert await keys(store, prefix) == sorted(key for key in there if key.startswith(prefix)), prefix
    assert {info.key: info.size async for info in store.list()} == {key: len(key) for key in there}
    gone = {"a/z", "b/c/Z", "ab/x-y", "a/never", "never/there"}
    await store.delete(gone)
    await store.delete([])
    assert await keys(store) == sorted(there - gone)
    await put(store, "a/z", b"another content now")
    assert await store.get("a/z") == b"another content now"


async def test_a_swap_compares_content(store: ObjectStore) -> None:
    model: dict[str, bytes] = {}
    choices = random.Random(5)
    for _ in range(30):
        key = choices.choice(["holds/a", "holds/b"])
        old, new = (choices.choice([None, b"1", b"2"]) for _ in range(2))
        before = model.get(key)
        if new is None:
            await store.delete([key])
            model.pop(key, None)
            continue
        if before == old:
            model[key] = new
        assert await store.swap(key, new, old) is (model.get(key) == new)
        assert await store.head(key) is None or await store.get(key) == model[key]
    await store.delete(["holds/a"])
    assert await store.swap("holds/a", b"", None)
    assert await store.swap("holds/a", b"x", b"")


async def test_swaps_at_the_same_time_lose_nothing(place: Place) -> None:
    if not place.conditional:
        pytest.skip("this server has no conditional writes; the protocol says so")
    async with open_objects(place.settings) as one, open_objects(place.settings) as two:

        async def add(store: ObjectStore, name: bytes) -> None:
            while True:
                old = await store.get("list") if await store.head("list") else None
                if await store.swap("list", (old or b"") + name, old):
                    return

        names = [bytes([letter]) for letter in b"abcdefghij"]
        await asyncio.gather(*[add([one, two][n % 2], name) for n, name in enumerate(names)])
        assert sorted(await one.get("list")) == sorted(b"abcdefghij")


async def test_the_probe_tells_what_the_server_does_and_leaves_nothing(
    store: ObjectStore, place: Place
) -> None:
    found = await store.probe()
    assert (found.create, found.replace) == (place.conditional, place.conditional)
    requests = store.requests
    assert await store.probe() == found
    assert store.requests - requests <= 1
    assert await keys(store) == []
    assert await store.clean() == 0


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", ".probe/a", "a/.b", "a b", "a\\b", "ä", "x" * 201]
)
async def test_a_key_cannot_leave_its_place(key: str, tmp_path: Path) -> None:
    async with open_objects(Settings(archive={"url": str(tmp_path / "objects")})) as store:
        for use in (store.get, store.head, store.digest, lambda key: store.swap(key, b"", None)):
            with pytest.raises(InvalidArgument):
                await use(key)
        with pytest.raises(InvalidArgument):
            await put(store, key, b"")
        with pytest.raises(InvalidArgument):
            await store.delete(["a", key])
    if key not in ("", "a/"):
        with pytest.raises(InvalidArgument):
            checked_prefix(key)


async def test_foreign_names_are_not_listed(tmp_path: Path) -> None:
    async with open_objects(Settings(archive={"url": str(tmp_path)})) as store:
        await put(store, "a/b", b"")
        (tmp_path / "a" / "read me.txt").touch()
        (tmp_path / ".hidden").touch()
        assert await keys(store) == ["a/b"]
