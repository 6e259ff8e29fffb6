"""What an object store can do; every store passes tests/objects."""

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from engine.errors import InvalidArgument

# What every S3 server and file system takes as it is. Names with a leading dot are the stores' own.
_PART = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,199}"
_KEY = re.compile(f"{_PART}(?:/{_PART})*")
_LONGEST_KEY = 800


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its content: key, size in bytes, time of its last change (aware)."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What `probe` found: whether the store itself refuses to create twice, or to replace what changed."""

    create: bool
    replace: bool


class ObjectStore(Protocol):
    """Bytes by key, in one place: a bucket and prefix, or a directory.

    Keys are relative paths of letters, digits and ``._=-``, no part beginning with a dot; else
    InvalidArgument. Other names are never listed. Every method may raise StoreUnavailable, after retries,
    and StoreRefused; those that read ObjectMissing.
    A store belongs to the event loop in which it was opened, and serves any number of tasks there.
    """

    @property
    def requests(self) -> int:
        """Requests made so far, each retry and each page of a listing included."""

    @property
    def bytes_read(self) -> int:
        """Bytes of content received so far."""

    @property
    def url(self) -> str:
        """Where it is: ``s3://bucket/prefix``, ``file:///path``; without credentials."""

    async def put(self, key: str, source: bytes | Path, sha256: bytes) -> None:
        """Create an object of that SHA-256 (32 bytes, not checked against `source`); durable on return.

        Never overwrites: where the key is there already with that content, nothing is done; raises
        ArchiveConflict where it has another. Not a proof of what was stored: compare `digest`.
        """

    async def get(self, key: str) -> bytes:
        """Return the whole content."""

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Return exactly the bytes [start, start + length); ObjectCorrupted where there are fewer."""

    async def download(self, key: str, target: Path) -> bytes:
        """Write the content to a file, replacing it; return the SHA-256 of what arrived (32 bytes)."""

    async def digest(self, key: str) -> bytes:
        """Read the content and return its SHA-256 (32 bytes), without keeping it."""

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, None where there is none."""

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, by key; some stores list the past for a while."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are fine."""

    async def swap(self, key: str, data: bytes, expected: bytes | None) -> bool:
        """Replace a small object that holds `expected` (None: is not there); True if it holds `data` now.

        False where it held something else. Atomic where `probe` says so; elsewhere two callers at the same
        moment may both be told True, and the later one wins.
        """

    async def probe(self) -> Conditions:
        """Find out by real writes under ``.probe/`` which conditions the store honours; once, remembered."""

    async def clean(self) -> int:
        """Remove what writers that died left half written, when it is a day old; return how many."""

    async def close(self) -> None:
        """Let go of connections and threads; what opened the store calls it."""


def is_key(text: str) -> bool:
    """Whether this is a key as ObjectStore has them."""
    return len(text) <= _LONGEST_KEY and _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """Return the key; raise InvalidArgument where it is empty, absolute, too long or leaves its place."""
    if not is_key(key):
        raise InvalidArgument(f"{key!r} is no key of an object: parts of A-Z a-z 0-9 . _ = - joined by /")
    return key


def checked_prefix(prefix: str) -> str:
    """Return the beginning of keys, which may end anywhere; raise InvalidArgument as `checked_key` does."""
    if prefix.removesuffix("/"):
        checked_key(prefix.removesuffix("/"))
    elif prefix:
        raise InvalidArgument(f"{prefix!r} is not the beginning of a key")
    return prefix
