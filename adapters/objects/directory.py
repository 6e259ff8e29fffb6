"""Objects as files under one directory: the store of an installation without S3."""

import asyncio
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from engine.archive import Conditions, ObjectInfo, checked_key, checked_prefix, is_key
from engine.config import Settings
from engine.errors import (
    ArchiveConflict,
    InvalidConfiguration,
    MnemoError,
    ObjectCorrupted,
    ObjectMissing,
    StoreRefused,
    StoreUnavailable,
)

T = TypeVar("T")

_INCOMING = ".incoming"
_LOCK = ".lock"
_CHUNK = 1 << 20
_ABANDONED_AFTER_SECONDS = 86_400.0
_FOR_NOW = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT}


@asynccontextmanager
async def open_directory(url: str, settings: Settings) -> AsyncIterator["DirectoryObjects"]:
    """Open the store of a ``file:///path`` URL; the directory is made where it is missing.

    Raises InvalidConfiguration where the URL names another host, StoreRefused where it cannot be made.
    """
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/"):
        raise InvalidConfiguration([f"archive.url = {url}: must have three slashes, as file:///path"])
    store = DirectoryObjects(Path(unquote(parts.path)), settings.archive.concurrency)
    try:
        await store.prepare()
        yield store
    finally:
        await store.close()


class DirectoryObjects:
    """An `ObjectStore` of files; several processes, on one machine, may use one directory.

    A file appears under its key complete and on disk, or not at all: it is written and synced in
    ``.incoming`` and then linked, which fails where the name is taken. A swap holds the lock ``.lock``.
    """

    def __init__(self, root: Path, concurrency: int = 16) -> None:
        self.requests = 0
        self.bytes_read = 0
        self._root = root
        self._incoming = root / _INCOMING
        self._threads = ThreadPoolExecutor(concurrency, "mnemo-objects")

    @property
    def url(self) -> str:
        """``file:///path``."""
        return self._root.as_uri()

    async def prepare(self) -> None:
        """Make the directory and what the store needs in it."""

        def make() -> None:
            try:
                self._incoming.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreRefused(f"the object store {self.url} cannot be made: {error}") from error

        await self._run(self.url, make)

    async def put(self, key: str, source: bytes | Path, sha256: bytes) -> None:
        """Create an object, as ObjectStore says."""
        target = self._path(key)
        await self._run(key, lambda: self._create(key, target, source, sha256))

    async def get(self, key: str) -> bytes:
        """Return the whole content."""
        return self._counted(await self._run(key, self._path(key).read_bytes))

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Return exactly these bytes; ObjectCorrupted where there are fewer."""
        path = self._path(key)
        data = self._counted(await self._run(key, lambda: _slice(path, start, length)))
        if len(data) < length:
            raise ObjectCorrupted(f"{key} in {self.url} ends before byte {start + length}")
        return data

    async def download(self, key: str, target: Path) -> bytes:
        """Write the content to a file and return its SHA-256."""
        path = self._path(key)

        def copy() -> tuple[bytes, int]:
            # The source first: without it the target stays as it is.
            with path.open("rb") as content, target.open("wb") as sink:
                return _hashed(content, sink)

        return self._counted_digest(await self._run(key, copy))

    async def digest(self, key: str) -> bytes:
        """Return the SHA-256 of the content."""
        path = self._path(key)
        return self._counted_digest(await self._run(key, lambda: _digest(path)))

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, None where there is none."""
        path = self._path(key)

        def look() -> ObjectInfo | None:
            found = path.stat()
            return None if stat.S_ISDIR(found.st_mode) else _info(key, found)

        try:
            return await self._run(key, look)
        except ObjectMissing:
            return None

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, by key."""
        top = prefix.rpartition("/")[0]
        folder = self._root / checked_prefix(prefix).rpartition("/")[0]
        found = await self._run(prefix, lambda: [*self._walk(folder, top)])
        for info in sorted(found, key=lambda info: info.key):
            if info.key.startswith(prefix):
                yield info

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are fine."""
        paths = [self._path(key) for key in keys]

        def unlink() -> None:
            self._incoming.stat()
            for path in paths:
                path.unlink(missing_ok=True)
            for folder in {path.parent for path in paths}:
                if folder.exists():
                    _sync(folder)

        if paths:
            await self._run(self.url, unlink)

    async def swap(self, key: str, data: bytes, expected: bytes | None) -> bool:
        """Replace a small object that holds `expected`; True if it holds `data` now."""
        path = self._path(key)

        def replace() -> bool:
            with self._locked():
                there = path.read_bytes() if path.exists() else None
                if there != expected or there == data:
                    return there == data
                with self._written(data) as complete:
                    self._make_parent(path)
                    complete.replace(path)
                self._sync_parents(path)
                return True

        return await self._run(key, replace)

    async def probe(self) -> Conditions:
        """Return that both conditions hold: the file system and a lock see to it."""
        return Conditions(create=True, replace=True)

    async def clean(self) -> int:
        """Remove files that writers left in ``.incoming`` more than a day ago; return how many."""

        def remove() -> int:
            before = time.time() - _ABANDONED_AFTER_SECONDS
            old = [path for path in self._incoming.iterdir() if path.stat().st_mtime < before]
            for path in old:
                path.unlink(missing_ok=True)
            return len(old)

        return await self._run(self.url, remove)

    async def close(self) -> None:
        """End the threads; what they do now is finished."""
        await asyncio.to_thread(self._threads.shutdown)

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _create(self, key: str, target: Path, source: bytes | Path, sha256: bytes) -> None:
        if not target.exists():
            with self._written(source) as complete:
                self._make_parent(target)
                try:
                    target.hardlink_to(complete)
                except FileExistsError:
                    pass
                else:
                    self._sync_parents(target)
                    return
        if _digest(target)[0] != sha256:
            raise ArchiveConflict(f"{key} in {self.url} exists already, with another content")
        # Its writer may have died between the link and this.
        self._sync_parents(target)

    @contextmanager
    def _written(self, source: bytes | Path) -> Iterator[Path]:
        path = self._incoming / uuid4().hex
        try:
            with path.open("xb") as sink:
                if isinstance(source, bytes):
                    sink.write(source)
                else:
                    with source.open("rb") as content:
                        _hashed(content, sink)
                sink.flush()
                os.fsync(sink.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_parent(self, path: Path) -> None:
        # Not the root itself: where it is gone, a disk was unmounted.
        for folder in reversed(path.relative_to(self._root).parents[:-1]):
            (self._root / folder).mkdir(exist_ok=True)

    def _sync_parents(self, path: Path) -> None:
        for folder in path.relative_to(self._root).parents:
            _sync(self._root / folder)

    def _walk(self, folder: Path, key: str) -> Iterator[ObjectInfo]:
        try:
            entries = [*os.scandir(folder)]
        except (FileNotFoundError, NotADirectoryError):
            if self._incoming.exists():
                return
            raise
        for entry in entries:
            inner = f"{key}/{entry.name}" if key else entry.name
            if not is_key(inner):
                continue
            try:
                if entry.is_dir():
                    yield from self._walk(folder / entry.name, inner)
                else:
                    yield _info(inner, entry.stat())
            except FileNotFoundError:
                continue

    def _counted(self, data: bytes) -> bytes:
        self.bytes_read += len(data)
        return data

    def _counted_digest(self, result: tuple[bytes, int]) -> bytes:
        self.bytes_read += result[1]
        return result[0]

    async def _run(self, subject: str, work: Callable[[], T]) -> T:
        self.requests += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            if error.filename and not Path(os.fsdecode(error.filename)).is_relative_to(self._root):
                raise  # The caller's own file.
            raise self._translated(error, subject) from error

    def _translated(self, error: OSError, subject: str) -> MnemoError:
        place = f"the object store {self.url}"
        # A directory that is gone must not look like an empty one.
        if isinstance(error, FileNotFoundError) and not self._incoming.exists():
            return StoreUnavailable(f"{place} is not there: {error}")
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            return ObjectMissing(f"{subject} is not in {self.url}")
        if error.errno in _FOR_NOW:
            return StoreUnavailable(f"{place} does not work: {error}")
        return StoreRefused(f"{place} refuses {subject}: {error}")


def _slice(path: Path, start: int, length: int) -> bytes:
    with path.open("rb", buffering=0) as content:
        parts: list[bytes] = []
        while length > 0 and (part := os.pread(content.fileno(), length, start)):
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _hashed(content: BinaryIO, sink: BinaryIO | None) -> tuple[bytes, int]:
    sha256, size = hashlib.sha256(), 0
    while chunk := content.read(_CHUNK):
        sha256.update(chunk)
        size += len(chunk)
        if sink is not None:
            sink.write(chunk)
    return sha256.digest(), size


def _digest(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as content:
        return _hashed(content, None)


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
