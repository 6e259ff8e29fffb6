"""Trying again, and knowing when not to: retries with growing waits behind a circuit breaker."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from circuitbreaker import STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from engine.config import Resilience
from engine.errors import ConnectionFailed, MnemoError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
Temporary = Callable[[BaseException], bool]


async def retried(
    work: Callable[[], Awaitable[T]], temporary: Temporary, settings: Resilience, sleep: Sleep = asyncio.sleep
) -> T:
    """Do `work`, and again while it fails for a `temporary` reason: only what may be done twice.

    Raises the last error once `settings.retries` further attempts have failed too.
    """
    attempts = AsyncRetrying(
        stop=stop_after_attempt(settings.retries + 1),
        wait=wait_exponential(multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds),
        retry=retry_if_exception(temporary),
        sleep=sleep,
        reraise=True,
    )
    return await attempts(work)


class Breaker:
    """A circuit breaker: after so many failures in a row nothing is tried for a while, then by one caller.

    `failed` says which errors mean that the other side is down; with any other it has answered. While the
    circuit is open, callers get `refusal`, which says that `subject` could not be reached.
    """

    def __init__(
        self,
        settings: Resilience,
        failed: Temporary,
        subject: str = "the database",
        refusal: type[MnemoError] = ConnectionFailed,
    ) -> None:
        self._trying = False
        self._subject = subject
        self._refusal = refusal
        self._circuit = CircuitBreaker(
            failure_threshold=settings.breaker_failures,
            recovery_timeout=settings.breaker_reset_seconds,
            expected_exception=lambda _, error: failed(error),
            name=subject,
        )

    async def through(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, unless the circuit is open: then raise the refusal at once."""
        trial = self._circuit.state == STATE_HALF_OPEN
        if self._circuit.state == STATE_OPEN or (trial and self._trying):
            raise self._refusal(
                f"{self._subject} could not be reached {self._circuit.failure_count} times in a row, and is"
                f" not asked again for {max(self._circuit.open_remaining, 0)} s: {self._circuit.last_failure}"
            )
        self._trying = trial
        try:
            result = await work()
        except Exception as error:
            self._circuit.__exit__(type(error), error, None)
            raise
        else:
            self._circuit.reset()
            return result
        finally:
            # Not `with self._circuit`: to be cancelled says nothing of the other side, and would close it.
            if trial:
                self._trying = False
