"""Epoch keys as files in one directory: the key store of one machine."""

import asyncio
import fcntl
import os
import re
import secrets
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from engine.config import Settings
from engine.errors import InvalidConfiguration, KeyUnavailable
from engine.vault.protocol import KEY_BYTES, Destruction, check_key_name

T = TypeVar("T")

_LOCK = ".lock"
_NEW = ".new"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@asynccontextmanager
async def open_file_keys(url: str, settings: Settings) -> AsyncIterator["FileKeys"]:
    """Open the store of a ``file:/path`` or ``file:///path`` URL; the directory is made where it is missing.

    Raises InvalidConfiguration for another form, KeyUnavailable where the directory cannot be used.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/") or parts.query or parts.fragment:
        raise InvalidConfiguration([f"vault.keys = {url}: must name a directory, as file:///path"])
    store = FileKeys(Path(path))
    await store.prepare()
    yield store


class FileKeys:
    """A `KeyStore` of files of 32 bytes, one a tenant and epoch; processes of one machine may share it.

    The directory must be its owner's alone (0700), and so must each file (0600): looser ones are refused.
    A key appears under its name complete and on disk, or not at all. The directory must be in no backup that
    outlives a key.

    `destroy` renames the file, overwrites it in place with random bytes, and syncs. What is left keeps its
    number from being taken again; it is no key. That is all that a program can do: the
    flash of an SSD, a journal, a copy-on-write file system, a snapshot or a backup may keep the old bytes
    until they are reused or expire. Where this matters keep the directory on an encrypted volume whose own
    key can be erased, or use a KMS.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        """``file:///path``."""
        return self._root.as_uri()

    @property
    def makes_keys(self) -> bool:
        """Yes."""
        return True

    async def prepare(self) -> None:
        """Make the directory where it is missing, for its owner alone."""

        def make() -> None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_directory()

        await self._run(make)

    async def create(self, tenant: str, epoch: int) -> bytes | None:
        """Make the key, as KeyStore says; a number stays taken when its key is destroyed."""
        path = self._path(tenant, epoch)

        def make() -> bytes | None:
            with self._locked():
                if os.path.lexists(path) or os.path.lexists(_gone(path)):
                    return None
                self._write(path, secrets.token_bytes(KEY_BYTES))
                key = _read(path)
                _sync(self._root)
                return key

        return await self._run(make)

    async def fetch(self, tenant: str, epoch: int) -> bytes:
        """Return the key, as KeyStore says."""
        path = self._path(tenant, epoch)

        def read() -> bytes:
            self._check_directory()
            return _read(path)

        return await self._run(read)

    async def destroy(self, tenant: str, epoch: int) -> Destruction:
        """Rename and overwrite the file; final at once, as far as a program can see.

        A directory in which no key was ever made is refused: a disk that is not mounted looks like that.
        """
        path = self._path(tenant, epoch)

        def erase() -> Destruction:
            self._check_directory()
            if not os.path.lexists(path) and not (self._root / _LOCK).exists():
                raise KeyUnavailable(f"{self.url} never had a key: it is not the store that is meant")
            with self._locked():
                if os.path.lexists(path):
                    path.rename(_gone(path))
                # Whoever renamed it may have died before that was known to stay, or before the rest.
                _sync(self._root)
                if os.path.lexists(_gone(path)):
                    _overwrite(_gone(path))
                return Destruction(final=True, final_at=datetime.now(UTC))

        return await self._run(erase)

    async def epochs(self, tenant: str) -> list[int]:
        """Return the epochs that have a file, as KeyStore says."""
        check_key_name(tenant, 1)
        named = re.compile(re.escape(_stem(tenant)) + r"\.([1-9][0-9]*)\.key")

        def look() -> list[int]:
            self._check_directory()
            found = (named.fullmatch(entry.name) for entry in self._root.iterdir())
            return sorted(int(match[1]) for match in found if match)

        return await self._run(look)

    def _path(self, tenant: str, epoch: int) -> Path:
        check_key_name(tenant, epoch)
        return self._root / f"{_stem(tenant)}.{epoch}.key"

    def _check_directory(self) -> None:
        try:
            mode = self._root.stat().st_mode
        except FileNotFoundError:
            # Not "no such key": a disk that is not mounted must not look like a key that was destroyed.
            raise KeyUnavailable(f"the key store {self.url} is not there") from None
        if not stat.S_ISDIR(mode) or mode & _OTHERS:
            raise KeyUnavailable(f"{self.url} is not a directory of its owner alone: chmod 700 {self._root}")

    def _write(self, path: Path, key: bytes) -> None:
        # Under the lock: one file at most is left half written, has never been a key, and is written over.
        new = self._root / _NEW
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(key)
            sink.flush()
            os.fsync(sink.fileno())
        new.rename(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._check_directory()
        descriptor = os.open(self._root / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except FileNotFoundError:
            raise KeyUnavailable(f"{self.url} has no such key") from None
        except OSError as error:
            raise KeyUnavailable(f"the key store {self.url} does not work: {error.strerror}") from None


def _stem(tenant: str) -> str:
    # The digest makes it one tenant's on every file system; what precedes it is for people.
    shown = re.sub(r"[^A-Za-z0-9-]", "_", tenant)[:40]
    return f"{shown}.{sha256(tenant.encode()).hexdigest()}"


def _gone(path: Path) -> Path:
    return path.with_suffix(".gone")


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as source:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) or mode & _OTHERS:
            raise KeyUnavailable(f"{path} is not a file of its owner alone: chmod 600 {path}")
        key = source.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(f"{path} is no key: it must have {KEY_BYTES} bytes")
    return key


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "wb", buffering=0) as sink:
        size = os.fstat(descriptor).st_size
        sink.write(secrets.token_bytes(size))
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
