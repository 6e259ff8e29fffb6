"""An event as a consumer gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.memory import MemoryId


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `seq` is its number, larger than those of all events it could have known."""

    seq: int
    topic: str
    tenant: str
    context: str | None
    memory_id: MemoryId | None
    at: datetime
    attempt: int
    """1 the first time it is delivered."""
    payload: Any
    hdv: NDArray[np.uint8] | None = field(repr=False, compare=False)
    """For memory.write the hypervector as it is now, uint8[D/8]; None where the memory is forgotten."""
    _failed: Callable[[Event, str], None] = field(repr=False, compare=False)

    async def retry(self, reason: str) -> None:
        """Let this attempt count as failed and go on: it is delivered again later, or is a dead letter.

        The events of its context wait behind it; those of others do not.
        """
        self._failed(self, reason)
