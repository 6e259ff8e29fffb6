"""Everything that is due in the archive, done now: `mnemo archive run`."""

import asyncio
import logging

from engine.archive.exporting import Archiving, Progress, export_step
from engine.archive.session import ArchiveSession
from engine.archive.steps import STEPS
from engine.errors import Conflict, UnknownName

logger = logging.getLogger(__name__)

# Seals what is full or old enough and marks what is idle, as the job archive does.
_MARK = "select mnemo.archive_step()"
_COLD = (
    "select s.segment from mnemo.segment s"
    " where s.tier = 'cold' and s.state in ('open', 'sealed', 'exporting')"
    " and exists (select from mnemo.activity a where a.segment = s.segment and not a.pinned)"
    " order by s.segment"
)
_STATE = "select s.state from mnemo.segment s where s.segment = %s"
_PAUSE_SECONDS = 0.2
_TRIES = 25


async def run_archive(
    session: ArchiveSession, segment: int | None, *, now: bool, progress: Progress | None
) -> Archiving:
    """Do what `Mnemo.archive` says."""
    done = Archiving()
    if segment is not None:
        return await _export(session, segment, done, progress)
    if now:
        async with session.transaction() as connection:
            segments = [row[0] for row in await (await connection.execute(_COLD)).fetchall()]
        for cold in segments:
            try:
                done = await _export(session, cold, done, progress)
            except UnknownName:
                logger.debug("segment %d is archived or empty by now", cold)
    else:
        while await _marked(session):
            pass
        while (report := await export_step(session, progress=progress)) is not None:
            done = done.plus(report)
    # Exports are among them: each step may have made work for another.
    while [step.name for step in STEPS if step.in_runs and await step.work(session)]:
        pass
    return done


async def _export(
    session: ArchiveSession, segment: int, done: Archiving, progress: Progress | None
) -> Archiving:
    for _ in range(_TRIES):
        report = await export_step(session, segment, progress=progress)
        if report is not None:
            return done.plus(report)
        async with session.transaction() as connection:
            row = await (await connection.execute(_STATE, (segment,))).fetchone()
        if row is None or row[0] not in ("open", "sealed"):
            logger.info("segment %d is being exported by somebody else", segment)
            return done
        # Somebody rebuilds a partition, so that this one could not be sealed.
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Conflict(f"segment {segment} could not be sealed: others keep rebuilding partitions")


async def _marked(session: ArchiveSession) -> bool:
    async with session.transaction() as connection:
        row = await (await connection.execute(_MARK)).fetchone()
    return row is not None and bool(row[0])
