"""The pieces of work in the archive, in their order: what a worker does, and `mnemo archive run`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engine.archive.exporting import export_step
from engine.archive.session import ArchiveSession

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of work: False when there was nothing to do, and then not again for `every_seconds`."""

    name: str
    work: Callable[[ArchiveSession], Awaitable[bool]]
    every_seconds: float = 0.0


async def _export(session: ArchiveSession) -> bool:
    return await export_step(session) is not None


STEPS: Sequence[Step] = (Step("export", _export),)
