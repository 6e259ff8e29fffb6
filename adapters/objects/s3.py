"""Objects in a bucket of S3, or of a server that speaks its protocol."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from adapters.objects.s3_bucket import Bucket
from adapters.objects.s3_client import ConditionFailed, Connections, connections, is_beyond_the_end
from engine.archive import Conditions, ObjectInfo, checked_key, checked_prefix, is_key
from engine.config import Archive, Settings
from engine.errors import (
    ArchiveConflict,
    InvalidConfiguration,
    ObjectCorrupted,
    ObjectMissing,
    StoreRefused,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_CHUNK = 1 << 20
_SENT = re.compile(r"bytes (\d+)-")
_ABANDONED_AFTER = timedelta(days=1)


@asynccontextmanager
async def open_s3(url: str, settings: Settings) -> AsyncIterator["S3Objects"]:
    """Open the store of an ``s3://bucket/prefix`` URL; credentials come as boto3 finds them.

    Raises InvalidConfiguration where the URL names no bucket or a prefix that cannot begin keys.
    """
    bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
    if not bucket or (prefix and not is_key(prefix)):
        raise InvalidConfiguration([f"archive.url = {url}: must be s3://bucket or s3://bucket/prefix"])
    async with connections(settings) as shared:
        yield S3Objects(shared, bucket, prefix, settings.archive)


class S3Objects:
    """An `ObjectStore` of the objects in a bucket below a prefix; requests run in the client's threads."""

    def __init__(self, shared: Connections, bucket: str, prefix: str, settings: Archive) -> None:
        self.bytes_read = 0
        self._base = f"{prefix}/" if prefix else ""
        self._bucket = Bucket(shared, bucket, f"s3://{bucket}/{self._base}".rstrip("/"), settings)
        self._part_bytes = settings.multipart_mb << 20

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return self._bucket.url

    @property
    def requests(self) -> int:
        """Requests made so far, retries included."""
        return self._bucket.requests

    async def put(self, key: str, source: bytes | Path, sha256: bytes) -> None:
        """Create an object, as ObjectStore says."""
        checked_key(key)
        size = len(source) if isinstance(source, bytes) else (await asyncio.to_thread(source.stat)).st_size
        condition = {"IfNoneMatch": "*"} if (await self.probe()).create else {}
        if not condition and await self._is_there(key, size, sha256):
            return
        try:
            if size > self._part_bytes:
                await self._bucket.write_parts(self._name(key), source, size, condition)
            else:
                data = source if isinstance(source, bytes) else await asyncio.to_thread(source.read_bytes)
                await self._bucket.write(self._name(key), data, condition)
        except ConditionFailed:
            # Perhaps the answer to our own first attempt was lost.
            if not await self._is_there(key, size, sha256):
                raise StoreUnavailable(f"{key} in {self.url} went away while it was written") from None

    async def get(self, key: str) -> bytes:
        """Return the whole content."""
        request = self._reading(key, lambda body, _: body.read())
        return self._counted(await self._bucket.ask(key, request))

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Return exactly these bytes; ObjectCorrupted where there are fewer."""
        checked_key(key)
        if length <= 0:
            return b""

        def cut(body: "StreamingBody", first: int) -> bytes:
            # A server that knows no ranges sends everything.
            ahead = start - first
            while ahead and (skipped := body.read(min(ahead, _CHUNK))):
                ahead -= len(skipped)
            data = body.read(length)
            if len(data) < length:
                # Without an amount: raises where the body is shorter than the answer said.
                data += body.read()
            return data[:length]

        try:
            request = self._reading(key, cut, Range=f"bytes={start}-{start + length - 1}")
            data = self._counted(await self._bucket.ask(key, request))
        except StoreRefused as error:
            if not is_beyond_the_end(error.__cause__):
                raise
            data = b""
        if len(data) < length:
            raise ObjectCorrupted(f"{key} in {self.url} ends before byte {start + length}")
        return data

    async def download(self, key: str, target: Path) -> bytes:
        """Write the content to a file and return its SHA-256."""

        def write(body: "StreamingBody", _: int) -> tuple[bytes, int]:
            with target.open("wb") as sink:
                return _hashed(body, sink)

        return self._counted_digest(await self._bucket.ask(key, self._reading(key, write)))

    async def digest(self, key: str) -> bytes:
        """Return the SHA-256 of the content."""
        request = self._reading(key, lambda body, _: _hashed(body, None))
        return self._counted_digest(await self._bucket.ask(key, request))

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, None where there is none."""
        name = self._name(key)
        try:
            found = await self._bucket.ask(
                key, lambda client: client.head_object(Bucket=self._bucket.name, Key=name)
            )
        except ObjectMissing:
            await self._bucket.require()
            return None
        return ObjectInfo(key, found["ContentLength"], found["LastModified"])

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield the objects whose keys begin with `prefix`, by key."""
        async for entry in self._bucket.list(self._base + checked_prefix(prefix)):
            key = entry["Key"].removeprefix(self._base)
            if is_key(key):
                yield ObjectInfo(key, entry["Size"], entry["LastModified"])

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are fine."""
        # One by one: the call that takes many needs checksums that servers disagree about.
        requests = [self._bucket.delete(self._name(key)) for key in [*map(checked_key, keys)]]
        results = await asyncio.gather(*requests, return_exceptions=True)
        for error in filter(None, results):
            raise error

    async def swap(self, key: str, data: bytes, expected: bytes | None) -> bool:
        """Replace a small object that holds `expected`; True if it holds `data` now."""
        conditions = await self.probe()
        there, tag = await self._tagged(key)
        if there != expected or there == data:
            return there == data
        condition: dict[str, str] = {}
        if expected is None and conditions.create:
            condition = {"IfNoneMatch": "*"}
        elif expected is not None and conditions.replace:
            condition = {"IfMatch": tag}
        with suppress(ConditionFailed, ObjectMissing):
            await self._bucket.write(self._name(key), data, condition)
            if condition:
                return True
        # Somebody was faster, or we were, in an attempt whose answer was lost.
        return (await self._tagged(key))[0] == data

    async def probe(self) -> Conditions:
        """Find out by real writes which conditions the store honours; once a process."""
        return await self._bucket.probe(f"{self._base}.probe/")

    async def clean(self) -> int:
        """Abort uploads in parts, and remove probes, begun more than a day ago; return how many."""
        return await self._bucket.clean(self._base, datetime.now(UTC) - _ABANDONED_AFTER)

    async def close(self) -> None:
        """Nothing: the client belongs to the process."""

    def _name(self, key: str) -> str:
        return self._base + checked_key(key)

    async def _is_there(self, key: str, size: int, sha256: bytes) -> bool:
        # Read twice before it is called a conflict: the way back may have damaged it, too.
        for _ in range(2):
            try:
                found = await self.head(key)
                if found is None:
                    return False
                if found.size == size and await self.digest(key) == sha256:
                    return True
            except ObjectMissing:
                return False
        raise ArchiveConflict(f"{key} in {self.url} exists already, with another content")

    async def _tagged(self, key: str) -> tuple[bytes | None, str]:
        name = self._name(key)

        def read(client: "S3Client") -> tuple[bytes, str]:
            answer = client.get_object(Bucket=self._bucket.name, Key=name)
            with closing(answer["Body"]) as body:
                return body.read(), answer["ETag"]

        try:
            data, tag = await self._bucket.ask(key, read)
        except ObjectMissing:
            return None, ""
        return self._counted(data), tag

    def _reading(
        self, key: str, use: Callable[["StreamingBody", int], T], **more: Any
    ) -> Callable[["S3Client"], T]:
        name = self._name(key)

        def request(client: "S3Client") -> T:
            answer = client.get_object(Bucket=self._bucket.name, Key=name, **more)
            with closing(answer["Body"]) as body:
                # By the header, not the status: rclone sends ranges with status 200.
                sent = _SENT.match(answer.get("ContentRange", ""))
                return use(body, int(sent[1]) if sent else 0)

        return request

    def _counted(self, data: bytes) -> bytes:
        self.bytes_read += len(data)
        return data

    def _counted_digest(self, result: tuple[bytes, int]) -> bytes:
        self.bytes_read += result[1]
        return result[0]


def _hashed(body: "StreamingBody", sink: BinaryIO | None) -> tuple[bytes, int]:
    sha256, size = hashlib.sha256(), 0
    while chunk := body.read(_CHUNK):
        sha256.update(chunk)
        size += len(chunk)
        if sink is not None:
            sink.write(chunk)
    return sha256.digest(), size
