"""Each test runs twice: the same work on a session over psycopg, and on one over asyncpg."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import numpy as np
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from engine.hypervector import Hypervectors, random_hypervector
from engine.orm import create_async_engine, create_engine

Result = TypeVar("Result")

DRIVERS = ("psycopg", "asyncpg")
BITS = 16_384
STORED = 300


class Run(Protocol):
    """Does some work with a new session; what the work does not commit is rolled back."""

    async def __call__(self, work: Callable[[Session], Result]) -> Result:
        """Return what the work returns."""


@asynccontextmanager
async def running(driver: str, dsn: str, **options: Any) -> AsyncIterator[Run]:
    """Yield the way to work with a database through one driver."""
    if driver == "psycopg":
        engine = create_engine(dsn, **options)

        async def run(work: Callable[[Session], Result]) -> Result:
            with Session(engine) as session:
                return work(session)

        try:
            yield run
        finally:
            engine.dispose()
        return

    async_engine = create_async_engine(dsn, **options)

    async def run_async(work: Callable[[Session], Result]) -> Result:
        async with AsyncSession(async_engine) as session:
            return await session.run_sync(work)

    try:
        yield run_async
    finally:
        await async_engine.dispose()


@pytest.fixture(params=DRIVERS)
async def run(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[Run]:
    """The test's own database, through each driver."""
    async with running(request.param, dsn) as run:
        yield run


@pytest.fixture(scope="module")
def filled_dsn(module_dsn: str) -> str:
    """The module's database with `STORED` memories, memory i of vector(i); the last 10 are warm."""
    with psycopg.connect(module_dsn, autocommit=True) as connection:
        connection.execute(
            "select mnemo.remember('memory ' || i, mnemo.random_hypervector('memory ' || i), key => i::text,"
            " context => 'c' || i %% 3, attributes => jsonb_build_object('i', i))"
            " from generate_series(0, %s) as i",
            [STORED - 1],
        )
        connection.execute(
            "update mnemo.memories set tier = 'warm' where (attributes ->> 'i')::int >= %s", [STORED - 10]
        )
        connection.execute("analyze mnemo.memory, mnemo.activity")
    return module_dsn


@pytest.fixture(params=DRIVERS)
async def read(request: pytest.FixtureRequest, filled_dsn: str) -> AsyncIterator[Run]:
    """The filled database, through each driver; not for changes."""
    async with running(request.param, filled_dsn) as run:
        yield run


def vector(i: int) -> Hypervectors:
    """The hypervector of memory i."""
    return random_hypervector(f"memory {i}", BITS)


def near(i: int, flipped: int) -> Hypervectors:
    """The hypervector of memory i with so many bits flipped, spread evenly."""
    bits = np.unpackbits(vector(i))
    bits[:: BITS // flipped][:flipped] ^= 1
    return np.packbits(bits)


def oracle(query: Hypervectors, count: int = STORED) -> list[tuple[int, int]]:
    """Distance and number of every stored memory, nearest first, by unpacked bits."""
    return sorted((int.from_bytes(bytes(query ^ vector(i))).bit_count(), i) for i in range(count))
