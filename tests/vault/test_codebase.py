"""Files in, the same files out; nothing else goes in, and nothing gets out of the directory."""

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from engine.errors import InvalidArgument, SealBroken, UnknownItem
from engine.mnemo import Mnemo
from engine.vault.codebase import codebase_of, extract
from tests.vault.conftest import CHUNK

FILES = {
    "README.md": b"# A\n",
    "empty": b"",
    "src/deep/er/main.py": os.urandom(3 * CHUNK + 11),
    "src/" + "long" * 40 + "/" + "name" * 50: b"x" * 512,
    "ünï/ code with spaces ": b"\x00",
}


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files under a directory."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listing(folder: Path) -> list[Path]:
    """Return everything under a directory."""
    return sorted(folder.rglob("*"))


def plant(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a new directory."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


async def archived(source: Path | dict[str, bytes]) -> bytes:
    """Return the stream of a codebase."""
    return b"".join([piece async for piece in codebase_of(source).stream()])


async def test_a_directory_and_a_mapping_come_back(mnemo: Mnemo, tmp_path: Path) -> None:
    source = plant(tmp_path / "source", FILES)
    (source / "run").write_bytes(b"#!/bin/sh\n")
    (source / "run").chmod(0o755)
    await mnemo.vault.put_codebase("folder", source)
    await mnemo.vault.put_codebase("mapping", FILES)
    assert await mnemo.vault.export("folder", tmp_path / "one") == len(FILES) + 1
    assert await mnemo.vault.export("mapping", tmp_path / "two") == len(FILES)
    assert tree(tmp_path / "one") == tree(source)
    assert tree(tmp_path / "two") == FILES
    assert os.access(tmp_path / "one" / "run", os.X_OK)
    assert not os.access(tmp_path / "one" / "empty", os.X_OK)


async def test_count_size_and_time_need_no_key(mnemo: Mnemo, tmp_path: Path) -> None:
    source = plant(tmp_path / "source", FILES)
    for place, path in enumerate(path for path in source.rglob("*") if path.is_file()):
        os.utime(path, (1e9 + place, 1e9 + place))
    await mnemo.vault.put_codebase("a", source, metadata={"commit": "abc"})
    (item,) = await mnemo.vault.list(kind="codebase", metadata={"commit": "abc"})
    assert item.files == len(FILES)
    assert item.happened_at.timestamp() == 1e9 + len(FILES) - 1
    assert item.bytes == len(await archived(source))


async def test_the_stream_is_a_tar_archive_and_always_the_same(tmp_path: Path) -> None:
    stream = await archived(plant(tmp_path / "a", FILES))
    assert stream == await archived(dict(reversed(FILES.items())))
    with tarfile.open(fileobj=BytesIO(stream)) as archive:
        assert {entry.name: archive.extractfile(entry).read() for entry in archive} == FILES  # type: ignore[union-attr]
        assert {(entry.mtime, entry.uid, entry.uname) for entry in archive.getmembers()} == {(0, 0, "")}


async def test_a_codebase_without_files(mnemo: Mnemo, tmp_path: Path) -> None:
    await mnemo.vault.put_codebase("none", {})
    assert await mnemo.vault.export("none", tmp_path / "none") == 0
    assert list((tmp_path / "none").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a/", "", "nul\x00", "\ud800", "x" * 300]
)
async def test_names_stay_inside(name: str) -> None:
    with pytest.raises(InvalidArgument):
        codebase_of({name: b""})


def test_a_file_cannot_be_a_directory_too() -> None:
    with pytest.raises(InvalidArgument, match="inside another file"):
        codebase_of({"a": b"", "a/b": b""})


async def test_links_and_devices_are_refused_or_left_out(tmp_path: Path) -> None:
    source = plant(tmp_path / "source", {"a": b"1"})
    (source / "link").symlink_to("/etc/passwd")
    (source / "folder").symlink_to("/etc")
    with pytest.raises(InvalidArgument, match="not a regular file"):
        codebase_of(source)
    assert [file.name for file in codebase_of(source, skip_links=True).files] == ["a"]
    os.mkfifo(source / "pipe")
    with pytest.raises(InvalidArgument, match="pipe"):
        codebase_of(source, skip_links=True)


async def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    for now in (b"longer", b""):
        codebase = codebase_of(plant(tmp_path, {"a": b"1234"}))
        (tmp_path / "a").write_bytes(now)
        with pytest.raises(InvalidArgument, match="changed"):
            _ = [piece async for piece in codebase.stream()]


def hostile(**fields: object) -> bytes:
    """Return an archive of one entry that `codebase_of` would not make."""
    entry = tarfile.TarInfo("entry")
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry.tobuf(tarfile.PAX_FORMAT) + bytes(2 * tarfile.BLOCKSIZE)


@pytest.mark.parametrize(
    "archive",
    [
        hostile(name="/tmp/absolute"),
        hostile(name="../up"),
        hostile(name="a/../../up"),
        hostile(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        hostile(type=tarfile.CHRTYPE),
        hostile(type=tarfile.FIFOTYPE),
        hostile(type=tarfile.DIRTYPE),
        hostile() + b"garbage" * 200,
        b"no archive at all" * 100,
        hostile(size=10_000),
    ],
)
async def test_nothing_is_written_outside(tmp_path: Path, archive: bytes) -> None:
    """Whoever has the key could seal such a thing."""
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(archive), 100):
            yield archive[start : start + 100]

    try:
        await extract(chunks(), folder)
    except SealBroken:
        pass
    else:
        assert archive.endswith(b"garbage")
    assert [path for path in listing(tmp_path) if not path.is_relative_to(folder)] == [tmp_path / "deep"]
    assert not any(path.is_symlink() for path in listing(tmp_path))


async def test_an_export_replaces_nothing_and_leaves_nothing_behind(mnemo: Mnemo, tmp_path: Path) -> None:
    await mnemo.vault.put_codebase("code", FILES)
    await mnemo.vault.put("text", b"text")
    there = plant(tmp_path / "there", {"mine": b"1"})
    before = listing(tmp_path)
    for name in ("code", "text"):
        for path in (there, there / "mine"):
            with pytest.raises(InvalidArgument, match="there already"):
                await mnemo.vault.export(name, path)
        with pytest.raises(InvalidArgument, match="no directory"):
            await mnemo.vault.export(name, tmp_path / "missing" / "x")
    with pytest.raises(UnknownItem):
        await mnemo.vault.export("none", tmp_path / "none")
    assert listing(tmp_path) == before
    assert (there / "mine").read_bytes() == b"1"
    await mnemo.vault.export("text", tmp_path / "text")
    assert (tmp_path / "text").read_bytes() == b"text"


async def test_a_broken_item_is_not_exported_in_part(mnemo: Mnemo, tmp_path: Path) -> None:
    await mnemo.vault.put_codebase("code", FILES)
    session = await mnemo.vault._session()
    async with session.transaction() as connection:
        await connection.execute(
            "delete from mnemo.vault_chunk where position = (select max(position) from mnemo.vault_chunk)"
        )
    before = listing(tmp_path)
    with pytest.raises(SealBroken):
        await asyncio.wait_for(mnemo.vault.export("code", tmp_path / "out"), 60)
    assert listing(tmp_path) == before
