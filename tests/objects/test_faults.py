"""A store behind a network that does harm: it answers as without, or says that it cannot."""

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from engine.archive import ObjectStore, open_objects
from engine.errors import StoreRefused, StoreUnavailable
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.object_servers import ObjectServer

pytestmark = pytest.mark.s3

RETRIES = 2
PART = 5 << 20
# What a client can notice: after one of them the same request is made again.
NOTICED: list[Fault] = ["refused", "error", "slow_down", "lost_reply", "reset", "truncated"]


@pytest.fixture
def proxy(server: ObjectServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.endpoint_url) as running:
        yield running


def opened(
    server: ObjectServer, proxy: FaultProxy, bucket: str, **archive: object
) -> AbstractAsyncContextManager[ObjectStore]:
    given = {"retries": RETRIES, "multipart_mb": 5} | archive
    return open_objects(server.behind(proxy.url).settings(f"s3://{bucket}/p", **given))


async def put(store: ObjectStore, key: str, data: bytes) -> None:
    await store.put(key, data, hashlib.sha256(data).digest())


async def life(store: ObjectStore, target: Path) -> list[object]:
    """Everything a store does, once; the answers."""
    data = bytes(range(256)) * 400
    await put(store, "a/one", data)
    told: list[object] = [
        await store.swap("a/list", b"1", None),
        await store.swap("a/list", b"2", b"1"),
        await store.swap("a/list", b"3", b"1"),
        await store.get("a/list"),
        await store.get("a/one") == data,
        await store.read("a/one", 5000, 1000) == data[5000:6000],
        await store.digest("a/one") == hashlib.sha256(data).digest(),
        await store.download("a/one", target) == hashlib.sha256(data).digest(),
        [info.key async for info in store.list("a/")],
        await store.head("a/gone"),
    ]
    await store.delete(["a/one", "a/list"])
    return [*told, [info.key async for info in store.list()]]


async def parts(store: ObjectStore) -> bool:
    """An object in parts; whether it is there."""
    data = bytes(range(251)) * ((PART + 5000) // 251)
    await put(store, "large", data)
    there = await store.digest("large") == hashlib.sha256(data).digest()
    await store.delete(["large"])
    return there


@pytest.mark.parametrize("fault", [*NOTICED, "duplicated"])
async def test_when_every_request_fails_once_nothing_changes(
    server: ObjectServer, proxy: FaultProxy, tmp_path: Path, fault: Fault
) -> None:
    async with opened(server, proxy, server.new_bucket()) as store:
        expected = await life(store, tmp_path / "target"), await parts(store)
        rule = proxy.fail(fault, times=10_000, every=1 if fault == "duplicated" else 2)
        assert (await life(store, tmp_path / "target"), await parts(store)) == expected
        assert rule.hits >= 15


@pytest.mark.parametrize("fault", NOTICED)
async def test_the_probe_claims_no_more_than_there_is(
    server: ObjectServer, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.fail(fault, times=10_000, every=2)
    async with opened(server, proxy, server.new_bucket()) as store:
        found = await store.probe()
        assert found.create == server.conditional
        assert server.conditional or not found.replace
        assert [info.key async for info in store.list()] == []


async def test_bits_that_flip_on_the_way_there(server: ObjectServer, proxy: FaultProxy) -> None:
    async with opened(server, proxy, server.new_bucket()) as store:
        await store.probe()
        rule = proxy.fail("flipped_upload", method="PUT")
        await put(store, "a", bytes(1000))
        assert rule.hits == 1
        # moto does not look at the digest that is sent along: why the caller reads back what it put.
        stored = await store.digest("a") == hashlib.sha256(bytes(1000)).digest()
        assert stored is (server.name == "rclone")


@pytest.mark.parametrize("fault", ["refused", "error", "slow_down", "lost_reply", "reset", "truncated"])
async def test_a_fault_that_stays_is_told_after_the_retries(
    server: ObjectServer, proxy: FaultProxy, fault: Fault
) -> None:
    async with opened(server, proxy, server.new_bucket()) as store:
        await put(store, "a", bytes(1000))
        proxy.fail(fault, times=10_000)
        before = len(proxy.requests)
        with pytest.raises(StoreUnavailable, match="s3://"):
            await store.get("a")
        assert len(proxy.requests) - before == RETRIES + 1
        for use in (put(store, "b", b"1"), store.swap("c", b"1", None), store.delete(["a"])):
            if fault not in ("reset", "truncated"):
                with pytest.raises(StoreUnavailable):
                    await use
            else:
                use.close()
        proxy.clear()
        assert (await store.head("a") is None) is (fault == "lost_reply")


async def test_a_store_where_nobody_listens_is_away_and_refuses_nothing(s3_credentials: None) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        nobody = ObjectServer("nobody", f"http://127.0.0.1:{bound.getsockname()[1]}", conditional=False)
        async with open_objects(nobody.settings("s3://bucket/p", retries=1)) as store:
            with pytest.raises(StoreUnavailable, match="does not answer for a"):
                await store.get("a")


async def test_a_store_that_stays_away_is_left_alone_for_a_while(
    server: ObjectServer, proxy: FaultProxy
) -> None:
    settings = server.behind(proxy.url).settings(f"s3://{server.new_bucket()}", retries=0)
    resilience = settings.resilience.model_copy(update={"breaker_failures": 2})
    async with open_objects(settings.model_copy(update={"resilience": resilience})) as store:
        proxy.fail("refused", times=2)
        for answer in ("does not answer for a", "does not answer for a", "not asked again for"):
            with pytest.raises(StoreUnavailable, match=answer):
                await store.get("a")
        assert len(proxy.requests) == 2


async def test_a_write_that_took_effect_while_the_client_gave_up(
    server: ObjectServer, proxy: FaultProxy
) -> None:
    async with opened(server, proxy, server.new_bucket(), read_timeout_seconds=0.5) as store:
        await store.probe()
        rules = [proxy.fail("timeout", method="PUT", containing=key) for key in ("/p/a", "/p/b")]
        await put(store, "a", b"1")
        assert await store.swap("b", b"2", None)
        assert [rule.hits for rule in rules] == [1, 1]
        assert (await store.get("a"), await store.get("b")) == (b"1", b"2")


async def test_bits_that_flip_on_the_way_back_are_for_the_reader_to_find(
    server: ObjectServer, proxy: FaultProxy
) -> None:
    async with opened(server, proxy, server.new_bucket()) as store:
        data = bytes(1000)
        await put(store, "a", data)
        proxy.fail("flipped", times=2, method="GET")
        assert await store.digest("a") != hashlib.sha256(data).digest()
        assert sum(byte != 0 for byte in await store.read("a", 100, 50)) == 1
        # Not even then is an object that is well called a conflict.
        proxy.fail("flipped", method="GET")
        await put(store, "a", data)


async def test_a_listing_may_be_of_the_past(server: ObjectServer, proxy: FaultProxy) -> None:
    async with opened(server, proxy, server.new_bucket()) as store:
        await put(store, "a", b"")
        proxy.fail("stale_list")
        assert [info.key async for info in store.list()] == []
        assert [info.key async for info in store.list()] == ["a"]
        await put(store, "b", b"")
        await store.delete(["a"])
        proxy.fail("stale_list")
        assert [info.key async for info in store.list()] == ["a"]
        assert [info.key async for info in store.list()] == ["b"]


async def test_a_range_may_come_with_everything_around_it(
    moto_server: ObjectServer, s3_credentials: None
) -> None:
    data = bytes(range(256)) * 20_000
    with FaultProxy(moto_server.endpoint_url) as proxy:
        async with opened(moto_server, proxy, moto_server.new_bucket()) as store:
            await put(store, "a", data)
            proxy.fail("whole", times=3, method="GET")
            for start, length in ((0, 10), (3_000_001, 700), (len(data) - 5, 5)):
                assert await store.read("a", start, length) == data[start : start + length]


async def test_bodies_that_break_off_leave_no_connection_behind(
    server: ObjectServer, proxy: FaultProxy
) -> None:
    async with opened(server, proxy, server.new_bucket(), retries=1, concurrency=4) as store:
        await put(store, "a", bytes(100_000))

        def descriptors() -> int:
            return len([*Path("/proc/self/fd").iterdir()])

        before = descriptors()
        for fault in ("truncated", "reset"):
            rule = proxy.fail(fault, times=120)
            results = await asyncio.gather(
                *[store.read("a", 10, 50_000) for _ in range(60)], return_exceptions=True
            )
            proxy.clear()
            assert all(isinstance(result, StoreUnavailable) for result in results)
            assert rule.hits == 120
        # Both ends of at most four connections, and of as many from the proxy to the server.
        assert descriptors() - before <= 12
        assert await store.read("a", 10, 50_000) == bytes(50_000)


async def test_refusals_are_told_at_once(
    rclone_server: ObjectServer, s3_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = rclone_server.new_bucket()
    with FaultProxy(rclone_server.endpoint_url) as proxy:
        async with opened(rclone_server, proxy, "no-such-bucket") as store:
            for use in (store.get("a"), store.head("a"), put(store, "a", b""), anext(aiter(store.list()))):
                with pytest.raises(StoreRefused, match="no-such-bucket"):
                    await use
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        async with opened(rclone_server, proxy, bucket) as store:
            with pytest.raises(StoreRefused, match="SignatureDoesNotMatch"):
                await store.get("a")
            assert store.requests == 1
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        async with opened(rclone_server, proxy, bucket) as store:
            with pytest.raises(StoreRefused, match="credentials"):
                await store.get("a")
