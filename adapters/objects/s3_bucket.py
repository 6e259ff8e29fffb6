"""One bucket: writes, deletes and listings by full name, and what its server honours."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from adapters.objects.s3_client import (
    FAILURES,
    ConditionFailed,
    Connections,
    is_missing_upload,
    is_unsupported,
    translated,
)
from engine.archive import Conditions
from engine.config import Archive
from engine.errors import MnemoError, ObjectMissing, StoreRefused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import MultipartUploadTypeDef, ObjectTypeDef

T = TypeVar("T")

# Bounds the memory of an upload: this many parts of archive.multipart_mb.
_PARTS_AT_ONCE = 4


class Bucket:
    """A bucket through shared connections; `url` names the store in errors."""

    def __init__(self, shared: Connections, name: str, url: str, settings: Archive) -> None:
        self.name = name
        self.url = url
        self.requests = 0
        self._shared = shared
        self._part_bytes = settings.multipart_mb << 20
        self._probing = asyncio.Lock()
        self._encryption: dict[str, Any] = {}
        if settings.sse:
            self._encryption["ServerSideEncryption"] = settings.sse
        if settings.sse_kms_key_id:
            self._encryption["SSEKMSKeyId"] = settings.sse_kms_key_id

    async def ask(self, subject: str, request: Callable[["S3Client"], T]) -> T:
        """Make a request in a thread, with retries; `subject` is what an error names."""
        try:
            return await self._shared.ask(request, self._count)
        except FAILURES as error:
            raise translated(error, subject, self.url) from error

    async def require(self) -> None:
        """Raise StoreRefused where there is no such bucket, which a missing object may also mean."""
        try:
            await self.ask("the bucket", lambda client: client.head_bucket(Bucket=self.name))
        except ObjectMissing as error:
            raise StoreRefused(f"there is no bucket {self.name} for {self.url}") from error

    async def write(self, name: str, data: bytes, condition: dict[str, str]) -> str:
        """Put an object and return its tag; raises ConditionFailed."""
        more: dict[str, Any] = {**condition, **self._encryption}
        md5 = _md5(data)
        answer = await self.ask(
            name,
            lambda client: client.put_object(Bucket=self.name, Key=name, Body=data, ContentMD5=md5, **more),
        )
        return answer["ETag"]

    async def write_parts(
        self, name: str, source: bytes | Path, size: int, condition: dict[str, str]
    ) -> None:
        """Put an object in parts; it appears when all are there. Raises ConditionFailed."""
        begun = await self.ask(
            name,
            lambda client: client.create_multipart_upload(Bucket=self.name, Key=name, **self._encryption),
        )
        upload = begun["UploadId"]
        few = asyncio.Semaphore(_PARTS_AT_ONCE)

        async def send(start: int) -> dict[str, Any]:
            async with few:
                data = await asyncio.to_thread(_piece, source, start, self._part_bytes)
                part, md5 = start // self._part_bytes + 1, _md5(data)
                answer = await self.ask(
                    name,
                    lambda client: client.upload_part(
                        Bucket=self.name,
                        Key=name,
                        UploadId=upload,
                        PartNumber=part,
                        Body=data,
                        ContentMD5=md5,
                    ),
                )
                return {"PartNumber": part, "ETag": answer["ETag"]}

        tasks = [asyncio.ensure_future(send(start)) for start in range(0, size, self._part_bytes)]
        try:
            await self._complete(name, upload, await asyncio.gather(*tasks), condition)
        except BaseException:
            for task in tasks:
                task.cancel()
            with suppress(MnemoError):
                await self._abort(name, upload)
            raise

    async def delete(self, name: str) -> None:
        """Delete an object; a missing one is fine."""
        with suppress(ObjectMissing):
            await self.ask(name, lambda client: client.delete_object(Bucket=self.name, Key=name))

    async def list(self, prefix: str) -> AsyncIterator["ObjectTypeDef"]:
        """Yield the objects whose names begin so, in the order of the server: by name."""
        more: dict[str, Any] = {}

        def page(client: "S3Client") -> Any:
            return client.list_objects_v2(Bucket=self.name, Prefix=prefix, **more)

        while True:
            answer = await self.ask(f"a listing of {prefix!r}", page)
            for entry in answer.get("Contents", []):
                yield entry
            if not answer.get("IsTruncated"):
                return
            more["ContinuationToken"] = answer["NextContinuationToken"]

    async def clean(self, base: str, before: datetime) -> int:
        """Abort uploads under `base`, and remove probes, begun before then; return how many."""
        probes = [
            entry["Key"] async for entry in self.list(f"{base}.probe/") if entry["LastModified"] < before
        ]
        for name in probes:
            await self.delete(name)
        uploads = [entry for entry in await self._uploads(base) if entry["Initiated"] < before]
        for entry in uploads:
            await self._abort(entry["Key"], entry["UploadId"])
        return len(probes) + len(uploads)

    async def _uploads(self, base: str) -> Sequence["MultipartUploadTypeDef"]:
        try:
            begun = await self.ask(
                "unfinished uploads",
                lambda client: client.list_multipart_uploads(Bucket=self.name, Prefix=base),
            )
        except ObjectMissing:
            return []  # rclone says "no such upload" where there are none.
        except StoreRefused as error:
            if not is_unsupported(error.__cause__):
                raise
            return []
        return begun.get("Uploads", [])

    async def probe(self, folder: str) -> Conditions:
        """Find out by real writes in `folder` which conditions the server honours; once a process."""
        async with self._probing:
            if self.name not in self._shared.conditions:
                name = folder + uuid4().hex
                try:
                    self._shared.conditions[self.name] = await self._probed(name)
                finally:
                    await self.delete(name)
        return self._shared.conditions[self.name]

    async def _probed(self, name: str) -> Conditions:
        first = await self.write(name, b"1", {})
        create = await self._refuses(name, {"IfNoneMatch": "*"})
        first = await self.write(name, b"1", {})
        # Some servers refuse every If-Match, also the right one.
        if await self._refuses(name, {"IfMatch": first}):
            return Conditions(create, replace=False)
        second = await self.write(name, b"2", {})
        return Conditions(create, replace=second != first and await self._refuses(name, {"IfMatch": first}))

    async def _refuses(self, name: str, condition: dict[str, str]) -> bool:
        try:
            await self.write(name, b"3", condition)
        except ConditionFailed:
            return True
        except StoreRefused as error:
            if not is_unsupported(error.__cause__):
                raise
        return False

    async def _complete(
        self, name: str, upload: str, parts: Iterable[Any], condition: dict[str, str]
    ) -> None:
        more: dict[str, Any] = {**condition, "MultipartUpload": {"Parts": [*parts]}}
        try:
            await self.ask(
                name,
                lambda client: client.complete_multipart_upload(
                    Bucket=self.name, Key=name, UploadId=upload, **more
                ),
            )
        except ObjectMissing as error:
            # Completed, by an attempt whose answer was lost.
            if is_missing_upload(error.__cause__):
                raise ConditionFailed from error
            raise

    async def _abort(self, name: str, upload: str) -> None:
        with suppress(ObjectMissing):
            await self.ask(
                name,
                lambda client: client.abort_multipart_upload(Bucket=self.name, Key=name, UploadId=upload),
            )

    def _count(self) -> None:
        self.requests += 1


def _md5(data: bytes) -> str:
    # The one digest of a body that every server checks; not for security.
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _piece(source: bytes | Path, start: int, length: int) -> bytes:
    if isinstance(source, bytes):
        return source[start : start + length]
    with source.open("rb") as content:
        content.seek(start)
        return content.read(length)
