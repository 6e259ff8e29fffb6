"""The pieces of work in the archive, in their order: what a worker does, and `mnemo archive run`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engine.archive.collecting import gc_step
from engine.archive.compacting import compact_step
from engine.archive.copying import copy_step
from engine.archive.exporting import export_step
from engine.archive.restoring import restore_step
from engine.archive.session import ArchiveSession

# Nobody waits for these, and to find out whether there is anything to do is a scan.
_SELDOM_SECONDS = 60.0
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of work: False when there was nothing to do, and then not again for `every_seconds`."""

    name: str
    work: Callable[[ArchiveSession], Awaitable[bool]]
    every_seconds: float = 0.0
    in_runs: bool = True
    """Whether `mnemo archive run` does it, too."""


async def _export(session: ArchiveSession) -> bool:
    return await export_step(session) is not None


# What would be lost comes first, what somebody waits for next.
STEPS: Sequence[Step] = (
    Step("copy", copy_step),
    Step("restore", restore_step),
    Step("export", _export, _SELDOM_SECONDS),
    Step("compact", compact_step, _SELDOM_SECONDS),
    Step("gc", gc_step, _DAY_SECONDS, in_runs=False),
)
