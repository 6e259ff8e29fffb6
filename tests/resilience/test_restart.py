"""Mnemo under a server that stops, dies and comes back (H10)."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from engine import Mnemo
from engine.config import Settings
from engine.errors import ConnectionFailed
from engine.memory import Memory
from tests.resilience.conftest import OwnServer
from tests.support.locks import sessions

QUICKLY = {"timeout_seconds": 0.3, "min_size": 2, "max_size": 4}


class Client:
    """An open Mnemo whose waits the test makes."""

    def __init__(self, mnemo: Mnemo, server: OwnServer, dsn: str) -> None:
        self.mnemo, self.server, self.dsn = mnemo, server, dsn
        self.waits: list[float] = []
        self.starts_at: float | None = None
        mnemo.pool.sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.starts_at == seconds:
            self.start()

    def start(self) -> None:
        self.server.embedded.start()

    def stop(self) -> None:
        self.server.embedded.stop()

    async def finds(self) -> bool:
        recall = await self.mnemo.recall("still there", k=1)
        return [hit.content for hit in recall] == ["still there"]


@pytest.fixture(scope="module")
def database(own_server: OwnServer) -> str:
    return own_server.database()


@pytest.fixture
async def client(own_server: OwnServer, database: str) -> AsyncIterator[Client]:
    own_server.embedded.start()
    async with Mnemo.open(settings=Settings(dsn=database, pool=QUICKLY)) as mnemo:
        made = Client(mnemo, own_server, database)
        await mnemo.remember("still there", key="one")
        yield made
        made.start()


async def test_h10_connections_of_a_server_that_was_restarted_are_replaced(client: Client) -> None:
    """Reads and writes alike: that a connection is closed is seen before anything is sent."""
    await asyncio.gather(*(client.finds() for _ in range(4)))
    for _ in range(2):
        client.stop()
        client.start()
        await client.mnemo.remember("and again", key="two")
        assert all(await asyncio.gather(*(client.finds() for _ in range(4))))
    assert client.waits == []
    assert await client.mnemo.count() == 2


async def test_h10_who_asks_while_it_is_down_waits_for_it(client: Client) -> None:
    client.stop()
    client.starts_at = 2
    assert await client.finds()
    assert client.waits == [1, 2]
    client.stop()
    client.waits.clear()
    # Nothing was sent yet, so a write may wait for its connection too.
    await client.mnemo.remember("written late", key="three")
    assert client.waits == [1, 2]
    assert await client.mnemo.count({}) == 3


async def test_h10_down_for_long_the_circuit_opens_and_closes_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("circuitbreaker.monotonic", lambda: now)
    client.stop()
    with pytest.raises(ConnectionFailed):
        await client.finds()
    assert client.waits == [1, 2, 4]
    with pytest.raises(ConnectionFailed, match="5 times in a row, and is not asked again for 60 s"):
        await client.finds()
    assert client.waits == [1, 2, 4, 1], "the fifth failure opened the circuit, and ended the retries"
    client.start()
    with pytest.raises(ConnectionFailed, match="not asked again"):
        await client.mnemo.remember("refused")
    now += 61
    assert await client.finds()
    assert client.waits == [1, 2, 4, 1]


async def test_h10_a_search_that_loses_its_connection_is_repeated_and_a_write_is_not(client: Client) -> None:
    with sessions(client.dsn, 1) as (blocker,):
        observer = psycopg.connect(client.dsn, autocommit=True)

        def kill_the_waiting() -> None:
            statement = (
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'mnemo' and wait_event_type = 'Lock'"
            )
            while not observer.execute(statement).fetchall():
                pass
            blocker.rollback()

        blocker.connection.execute("lock table mnemo.memory in access exclusive mode")
        found, _ = await asyncio.gather(client.finds(), asyncio.to_thread(kill_the_waiting))
        assert found
        assert client.waits == [1]

        client.waits.clear()
        blocker.connection.execute("lock table mnemo.memory in access exclusive mode")
        written, _ = await asyncio.gather(
            client.mnemo.remember_many([Memory("not twice", key="four")]),
            asyncio.to_thread(kill_the_waiting),
            return_exceptions=True,
        )
        assert isinstance(written, ConnectionFailed)
        assert client.waits == []
        observer.close()
    assert await client.mnemo.count({"four": 4}) == 0
    assert "not twice" not in [hit.content for hit in await client.mnemo.recall("not twice", k=9)]


async def test_h10_a_busy_pool_is_no_failure_of_the_server(own_server: OwnServer, database: str) -> None:
    settings = Settings(dsn=database, pool={**QUICKLY, "min_size": 1, "max_size": 1})
    async with Mnemo.open(settings=settings) as mnemo:
        client = Client(mnemo, own_server, database)
        async with mnemo.pool.connection():
            for _ in range(6):
                with pytest.raises(ConnectionFailed, match="no connection to the database could be had"):
                    await mnemo.recall("x")
        assert client.waits == []
        await mnemo.recall("x")
