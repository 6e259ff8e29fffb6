"""An HTTP proxy between a client and an S3 server that does harm, by rules.

    with FaultProxy(server.endpoint_url) as proxy:
        settings = server.behind(proxy.url).settings("s3://bucket")
        proxy.fail("slow_down", times=2, method="PUT", containing=".npy")

It speaks for the server: the client's endpoint is the proxy, and the Host header, which the signature covers,
goes on as it came, so that servers that check signatures are content. Requests that no rule matches pass.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import urlsplit

Fault = Literal[
    "refused",  # reset before the server sees the request
    "error",  # answered 500, not passed on
    "slow_down",  # answered 503 SlowDown, not passed on
    "lost_reply",  # done by the server; the connection is reset instead of an answer
    "timeout",  # done by the server; no answer, until the client gives up
    "reset",  # half of the answer's body, then a reset
    "truncated",  # half of the answer's body, then an orderly end
    "flipped",  # one bit of the answer's body is another
    "flipped_upload",  # one bit of the request's body is another
    "duplicated",  # the server gets the request twice; the second answer is given
    "stale_list",  # a listing as it was answered when last asked for; empty if it never was
    "whole",  # the Range header is taken away: status 200, the whole object; it is signed, so moto only
]


@dataclass
class Rule:
    """Requests to harm, `times` in all: those of a method whose target contains a text.

    The first `skip` of them pass, then all but one of each `every`: with 2, the second attempt succeeds.
    """

    fault: Fault
    times: int = 1
    method: str | None = None
    containing: str = ""
    skip: int = 0
    every: int = 1
    seen: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def takes(self, method: str, target: str) -> bool:
        """Whether this request is harmed; counts."""
        if self.hits == self.times or self.method not in (None, method) or self.containing not in target:
            return False
        position = self.seen - self.skip
        self.seen += 1
        if position < 0 or position % self.every:
            return False
        self.hits += 1
        return True


@dataclass(frozen=True)
class _Message:
    start: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, *names: str) -> "_Message":
        kept = [(key, value) for key, value in self.headers if key.lower() not in names]
        return _Message(self.start, kept, self.body)

    def head(self) -> bytes:
        lines = [self.start, *(f"{key}: {value}" for key, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class FaultProxy:
    """The proxy, on a thread of its own while the context lasts; its methods may be called from any other.

    `requests` lists what came in, as (method, target); `connections` counts those open to clients.
    `delay` is added to each request, in seconds.
    """

    def __init__(self, upstream: str, *, delay: float = 0.0) -> None:
        parts = urlsplit(upstream)
        self.delay = delay
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.url = ""
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._rules: list[Rule] = []
        self._listings: dict[str, _Message] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._started = threading.Event()
        self._stop: Callable[[], None] = lambda: None

    def fail(
        self,
        fault: Fault,
        times: int = 1,
        *,
        method: str | None = None,
        containing: str = "",
        skip: int = 0,
        every: int = 1,
    ) -> Rule:
        """Harm such requests (`containing` is looked for in path and query), as Rule says; see its `hits`."""
        rule = Rule(fault, times, method, containing, skip, every)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Harm nothing any more."""
        with self._lock:
            self._rules.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        stopped = asyncio.Event()
        self._stop = stopped.set
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._connection(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await stopped.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _request(reader, writer)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(
        self, request: _Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        method, target, _ = request.start.split(" ")
        with self._lock:
            self.requests.append((method, target))
            fault = next((rule.fault for rule in self._rules if rule.takes(method, target)), None)
        if self.delay:
            await asyncio.sleep(self.delay)
        match fault:
            case "refused":
                return _reset(writer)
            case "error":
                return await _send(writer, _failure("500 Internal Server Error", "InternalError"))
            case "slow_down":
                return await _send(writer, _failure("503 Slow Down", "SlowDown"))
            case "flipped_upload":
                request = _Message(request.start, request.headers, _flipped(request.body))
            case "whole":
                request = request.without("range")
            case "duplicated":
                await self._forward(request)
        response = await self._forward(request)
        if method == "GET" and "list-type=2" in target:
            before = self._listings.get(target, _EMPTY_LISTING)
            if fault == "stale_list":
                response = before
            else:
                self._listings[target] = response
        match fault:
            case "lost_reply":
                return _reset(writer)
            case "timeout":
                await reader.read()
                return False
            case "reset" | "truncated":
                writer.write(response.head() + response.body[: len(response.body) // 2])
                await writer.drain()
                return _reset(writer) if fault == "reset" else False
            case "flipped":
                response = _Message(response.start, response.headers, _flipped(response.body))
        return await _send(writer, response)

    async def _forward(self, request: _Message) -> _Message:
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(_closing(request).head() + request.body)
            await writer.drain()
            response = await _message(reader)
            without_body = request.start.startswith("HEAD ") or response.start.split(" ")[1] in ("204", "304")
            body = b"" if without_body else await _body(response, reader)
        finally:
            writer.close()
        kept = response.without("connection", "transfer-encoding", "keep-alive")
        if not without_body:
            kept = kept.without("content-length")
            kept.headers.append(("Content-Length", str(len(body))))
        return _Message(kept.start.replace("HTTP/1.0", "HTTP/1.1"), kept.headers, body)


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Message | None:
    try:
        head = await _message(reader)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    if (head.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    has_body = head.header("content-length") or head.header("transfer-encoding")
    return _Message(head.start, head.headers, await _body(head, reader) if has_body else b"")


async def _message(reader: asyncio.StreamReader) -> _Message:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines[1:-2])]
    return _Message(lines[0], headers, b"")


async def _body(head: _Message, reader: asyncio.StreamReader) -> bytes:
    length = head.header("content-length")
    if length is not None:
        return await reader.readexactly(int(length))
    if (head.header("transfer-encoding") or "").lower() != "chunked":
        return await reader.read()
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


def _closing(request: _Message) -> _Message:
    """The request with one answer to a connection and its body in one piece; none of this is signed."""
    kept = request.without("expect", "connection", "transfer-encoding", "content-length")
    kept.headers.append(("Connection", "close"))
    if request.body or not request.start.startswith(("GET", "HEAD")):
        kept.headers.append(("Content-Length", str(len(request.body))))
    return kept


async def _send(writer: asyncio.StreamWriter, response: _Message) -> bool:
    writer.write(response.head() + response.body)
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> bool:
    # Without lingering, a close is a reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0x10]) + body[middle + 1 :] if body else body


def _xml(start: str, body: str) -> _Message:
    content = f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))]
    return _Message(f"HTTP/1.1 {start}", headers, content)


def _failure(status: str, code: str) -> _Message:
    return _xml(status, f"<Error><Code>{code}</Code><Message>injected</Message></Error>")


_EMPTY_LISTING = _xml("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
