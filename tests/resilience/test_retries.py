"""Retries and the circuit breaker (H10), on a clock and with waits that the tests make."""

import asyncio
from collections.abc import Callable

import pytest

from engine.config import Resilience, Settings
from engine.errors import ConnectionFailed, InvalidConfiguration
from engine.resilience import Breaker, retried


class DownError(Exception):
    """The other side does not answer."""


def is_down(error: BaseException) -> bool:
    return isinstance(error, DownError)


class Clock:
    """Stands still unless told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("circuitbreaker.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Service:
    """Fails as often as told, and counts how often it was asked."""

    def __init__(self, failures: int, error: Callable[[], Exception] = DownError) -> None:
        self.failures, self.error = failures, error
        self.asked = 0
        self.waits: list[float] = []

    async def answer(self) -> str:
        self.asked += 1
        if self.asked <= self.failures:
            raise self.error()
        return "here"

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize("failures", range(4))
async def test_h10_a_passing_failure_is_waited_out(failures: int) -> None:
    service = Service(failures)
    assert await retried(service.answer, is_down, Resilience(), service.sleep) == "here"
    assert service.waits == [1, 2, 4][:failures]


async def test_h10_a_lasting_one_is_raised_after_three_retries() -> None:
    service = Service(99)
    with pytest.raises(DownError):
        await retried(service.answer, is_down, Resilience(), service.sleep)
    assert (service.asked, service.waits) == (4, [1, 2, 4])


async def test_h10_waits_are_capped() -> None:
    service = Service(99)
    with pytest.raises(DownError):
        await retried(service.answer, is_down, Resilience(retries=9), service.sleep)
    assert service.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_h10_any_other_error_is_raised_at_once() -> None:
    service = Service(1, KeyError)
    with pytest.raises(KeyError):
        await retried(service.answer, is_down, Resilience(), service.sleep)
    assert (service.asked, service.waits) == (1, [])


async def open_circuit(breaker: Breaker, failures: int = 5) -> None:
    for _ in range(failures):
        with pytest.raises(DownError):
            await breaker.through(Service(1).answer)


async def test_h10_the_circuit_opens_tries_once_and_closes(clock: Clock) -> None:
    breaker = Breaker(Resilience(), is_down)
    await open_circuit(breaker, 4)
    assert await breaker.through(Service(0).answer) == "here", "in a row: a success starts the count anew"
    await open_circuit(breaker, 5)
    service = Service(1)
    for later in (0, 1, 59):
        clock.now += later - (later == 59)
        with pytest.raises(ConnectionFailed, match=r"5 times in a row, and is not asked again for \d+ s"):
            await breaker.through(service.answer)
    assert service.asked == 0
    clock.now += 2
    with pytest.raises(DownError):
        await breaker.through(service.answer)
    with pytest.raises(ConnectionFailed):
        await breaker.through(service.answer)
    assert service.asked == 1, "half-open it failed, and is open for another minute"
    clock.now += 61
    assert await breaker.through(service.answer) == "here"
    await open_circuit(breaker, 4)
    assert await breaker.through(service.answer) == "here"


async def test_h10_half_open_one_caller_tries_and_the_others_are_refused(clock: Clock) -> None:
    breaker = Breaker(Resilience(), is_down)
    await open_circuit(breaker)
    clock.now += 61
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await finish.wait()
        return "here"

    trial = asyncio.create_task(breaker.through(slow))
    await begun.wait()
    with pytest.raises(ConnectionFailed):
        await breaker.through(Service(0).answer)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    # To be cancelled proves nothing: still half-open, and the next one tries.
    finish.set()
    assert await breaker.through(slow) == "here"
    assert await breaker.through(Service(0).answer) == "here"


async def test_h10_an_answer_that_is_an_error_is_an_answer(clock: Clock) -> None:
    breaker = Breaker(Resilience(breaker_failures=2), is_down)
    for _ in range(5):
        with pytest.raises(KeyError):
            await breaker.through(Service(1, KeyError).answer)
    await open_circuit(breaker, 1)
    with pytest.raises(KeyError):
        await breaker.through(Service(1, KeyError).answer)
    await open_circuit(breaker, 2)


def test_h10_the_numbers_are_configuration() -> None:
    assert Settings().resilience.model_dump() == {
        "retries": 3,
        "first_wait_seconds": 1.0,
        "longest_wait_seconds": 60.0,
        "breaker_failures": 5,
        "breaker_reset_seconds": 60.0,
    }
    with pytest.raises(
        InvalidConfiguration, match=r"resilience\.breaker_failures = 0: must be a whole number"
    ):
        Settings(resilience={"breaker_failures": 0})
