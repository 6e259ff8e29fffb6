"""Clients of S3, shared by the process, and what their errors mean."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import boto3
import botocore.loaders
import botocore.session
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from engine.archive import Conditions
from engine.config import Resilience, Settings
from engine.errors import MnemoError, ObjectMissing, StoreRefused, StoreUnavailable
from engine.resilience import Breaker, retried

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

FAILURES = (aws.ClientError, aws.BotoCoreError, ResponseParserError, HTTPError, ConnectionError, TimeoutError)

_BROKEN = (
    aws.ConnectionError,
    aws.HTTPClientError,
    aws.IncompleteReadError,
    ResponseParserError,
    HTTPError,
    ConnectionError,
    TimeoutError,
)
# A body that does not match its digest was damaged on its way.
_AGAIN = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
}


class ConditionFailed(Exception):  # noqa: N818
    """The store refused a conditional write: what is there is not what the condition says."""


@dataclass(frozen=True)
class _Place:
    endpoint_url: str | None
    region: str | None
    concurrency: int
    connect_timeout: float
    read_timeout: float
    resilience: Resilience


@dataclass
class Connections:
    """One client with its threads and circuit breaker, and what was probed, by bucket."""

    client: "S3Client"
    threads: ThreadPoolExecutor
    breaker: Breaker
    resilience: Resilience
    conditions: dict[str, Conditions] = field(default_factory=dict)
    users: int = 0

    async def ask(self, request: Callable[["S3Client"], T], count: Callable[[], None]) -> T:
        """Make a request in a thread, again while it fails for a temporary reason; `count` each attempt.

        Raises one of FAILURES, StoreUnavailable while the circuit is open, ConditionFailed.
        """

        async def attempt() -> T:
            count()
            return await asyncio.get_running_loop().run_in_executor(self.threads, self._made, request)

        return await self.breaker.through(lambda: retried(attempt, is_temporary, self.resilience))

    def _made(self, request: Callable[["S3Client"], T]) -> T:
        try:
            return request(self.client)
        except aws.ClientError as error:
            if _status(error) == 412:
                raise ConditionFailed from error
            raise


_loader = botocore.loaders.create_loader()
_shared: dict[_Place, Connections] = {}
_lock = threading.Lock()


@asynccontextmanager
async def connections(settings: Settings) -> AsyncIterator[Connections]:
    """Share the process's client for these settings; the last to leave closes it."""
    archive = settings.archive
    waits = {"retries": archive.retries, "first_wait_seconds": archive.first_wait_seconds}
    place = _Place(
        archive.endpoint_url,
        archive.region,
        archive.concurrency,
        archive.connect_timeout_seconds,
        archive.read_timeout_seconds,
        settings.resilience.model_copy(update=waits),
    )
    shared = await asyncio.to_thread(_enter, place)
    try:
        yield shared
    finally:
        await asyncio.to_thread(_leave, place)


def _enter(place: _Place) -> Connections:
    with _lock:
        if place not in _shared:
            subject = f"the object store at {place.endpoint_url or 'AWS'}"
            _shared[place] = Connections(
                _client(place),
                ThreadPoolExecutor(place.concurrency, "mnemo-s3"),
                Breaker(place.resilience, is_temporary, subject, StoreUnavailable),
                place.resilience,
            )
        _shared[place].users += 1
        return _shared[place]


def _leave(place: _Place) -> None:
    with _lock:
        shared = _shared[place]
        shared.users -= 1
        if shared.users:
            return
        del _shared[place]
    shared.threads.shutdown(cancel_futures=True)
    shared.client.close()


def _client(place: _Place) -> "S3Client":
    config = Config(
        max_pool_connections=place.concurrency,
        connect_timeout=place.connect_timeout,
        read_timeout=place.read_timeout,
        # Attempts are counted, waited for and cut off in one place, engine.resilience.
        retries={"mode": "standard", "total_max_attempts": 1},
        # Newer checksum headers are refused by some servers; others answer a range with the whole
        # object's, which then cannot match.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if place.endpoint_url else "auto"},
        user_agent_extra="mnemo",
    )
    # A session of its own, for the credentials of now; the descriptions of the services are read once.
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader)
    session = boto3.session.Session(botocore_session=core)
    # A server with an address of its own rarely cares, but a signature must name some region.
    region = place.region or session.region_name or ("us-east-1" if place.endpoint_url else None)
    return session.client("s3", endpoint_url=place.endpoint_url, region_name=region, config=config)


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, aws.ClientError):
        return _status(error) in (429, 500, 502, 503, 504) or _code(error) in _AGAIN
    return isinstance(error, _BROKEN) and not isinstance(error, aws.SSLError)


def is_unsupported(error: BaseException | None) -> bool:
    """Whether the server says that it does not know a part of the request."""
    return isinstance(error, aws.ClientError) and _status(error) in (400, 405, 501)


def translated(error: BaseException, subject: str, url: str) -> MnemoError:
    """What Mnemo raises for one of FAILURES that `subject` (a key, or what was done) met at `url`."""
    if isinstance(error, aws.ClientError) and _status(error) == 404 and _code(error) != "NoSuchBucket":
        return ObjectMissing(f"{subject} is not in {url}")
    if is_temporary(error):
        return StoreUnavailable(f"the object store {url} does not answer for {subject}: {error}")
    return StoreRefused(f"the object store {url} refuses {subject}: {error}")


def is_missing_upload(error: BaseException | None) -> bool:
    """Whether a multipart upload has ended already."""
    return isinstance(error, aws.ClientError) and _code(error) == "NoSuchUpload"


def is_beyond_the_end(error: BaseException | None) -> bool:
    """Whether a range begins behind the last byte."""
    return isinstance(error, aws.ClientError) and _status(error) == 416


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
