"""The work of an ingest: check, store, pass over or stop at what is bad, and remember how far it came."""

import asyncio
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import aclosing
from typing import Literal, Protocol

from engine.errors import IngestConflict, InvalidArgument, InvalidEmbedding, InvalidHypervector, MnemoError
from engine.ingest.identity import source_name
from engine.ingest.npy import EmbeddingFile
from engine.ingest.plan import Outcome, Plan
from engine.ingest.readers import rows
from engine.ingest.records import Record, Stretch, read_records, stretches
from engine.mnemo import Mnemo
from engine.writing import Portion, Writer

Phase = Literal["checking", "storing"]
# What one record may be the cause of; anything else would befall every record alike.
_RECORDS_FAULT = (InvalidArgument, InvalidHypervector, InvalidEmbedding)
# Where in its batch the server or the encoder found it: the file's own numbering replaces that.
_BATCH_PLACE = re.compile(r"(?s) of memory \d+(?: \(key .*?\))?(?=[ :;,])|\. Memory \d+ of the batch.*$")
_ROWS_BETWEEN_INTERRUPTS = 1000


class Reporter(Protocol):
    """Told how the work goes on."""

    def phase(self, phase: Phase, done: int, total: int | None) -> None:
        """A phase begins, so many of its records done already; `total` None: nobody knows."""

    def advance(self, records: int) -> None:
        """So many more records of the phase are done."""

    def skipped(self, place: str, reason: str) -> None:
        """A bad record was passed over."""


async def ingest(mnemo: Mnemo, plan: Plan, reporter: Reporter) -> Outcome:
    """Store what a file holds, each record once, also when an earlier run was cut off anywhere.

    A file is checked whole before anything is stored, unless bad records are to be skipped.

    Raises:
        InvalidArgument: the file or one of its records cannot be read; names the place.
        InvalidEmbedding: the file of embeddings cannot be used; names file and row.
        UnknownCollection: there is none of that name, and it is not to be created.
        IngestConflict: somebody else is storing the same file.
    """
    return await _Ingest(mnemo, plan, reporter).run()


class _Ingest:
    def __init__(self, mnemo: Mnemo, plan: Plan, reporter: Reporter) -> None:
        self._mnemo = mnemo
        self._writer: Writer = mnemo.writer
        self._plan = plan
        self._reporter = reporter
        self._stored = 0
        self._skipped = 0
        self._state = self._stat()

    async def run(self) -> Outcome:
        plan = self._plan
        if plan.batch_rows < 1 or (plan.limit is not None and plan.limit < 1):
            raise InvalidArgument("the rows of a batch and the limit must be at least 1")
        embeddings = await self._embeddings()
        if plan.create_collection:
            await self._mnemo.ensure_collection(plan.collection)
        collection = await self._mnemo.collection(plan.collection)
        if embeddings is not None and collection.dimension not in (None, embeddings.dimension):
            raise InvalidEmbedding(
                f"{embeddings.path} has {embeddings.dimension} dimensions,"
                f" collection '{collection.name}' takes {collection.dimension}"
            )
        longest = await self._writer.content_max_bytes()
        source = await source_name(plan)
        before = 0 if source is None else await self._writer.ingest_position(source, plan.collection)
        total = None if plan.is_stream else await self._check(embeddings, longest, before)
        if total is not None:
            before = min(before, total)
        if before != total:
            self._reporter.phase("storing", before, total)
            records = read_records(plan, embeddings, longest, before)
            fresh = stretches(records, before, plan.batch_rows, self._bad)
            if plan.bulk:
                await self._store_at_once(fresh, source)
            else:
                await self._store_in_turn(fresh, source)
        return Outcome(self._stored, self._skipped, before)

    async def _embeddings(self) -> EmbeddingFile | None:
        if self._plan.embeddings is None:
            return None
        if self._plan.is_stream:
            raise InvalidArgument(
                "--embeddings needs a file of rows, whose number can be compared: a stream is read only once"
            )
        return EmbeddingFile(self._plan.embeddings)

    async def _check(self, embeddings: EmbeddingFile | None, longest: int, before: int) -> int:
        """Return how many records there are to read, all of them good unless bad ones are skipped."""
        plan = self._plan
        self._reporter.phase("checking", 0, None)
        count = 0
        for _ in rows(plan):
            count += 1
            if count % _ROWS_BETWEEN_INTERRUPTS == 0:
                self._reporter.advance(_ROWS_BETWEEN_INTERRUPTS)
                await asyncio.sleep(0)
            if count == plan.limit and embeddings is None:
                break
        if embeddings is not None and embeddings.rows != count:
            raise InvalidEmbedding(f"{embeddings.path} has {embeddings.rows} rows, {plan.name} has {count}")
        total = count if plan.limit is None else min(count, plan.limit)
        if plan.skip_bad:
            return total
        self._reporter.phase("checking", before, total)
        for done, record in enumerate(read_records(plan, embeddings, longest, before), 1):
            if record.problem is not None:
                wrong = InvalidArgument(f"{plan.place(record.line)}: {record.problem}")
                wrong.add_note("nothing was stored")
                raise wrong
            if done % _ROWS_BETWEEN_INTERRUPTS == 0:
                self._reporter.advance(_ROWS_BETWEEN_INTERRUPTS)
                await asyncio.sleep(0)
        return total

    async def _store_in_turn(self, fresh: Iterator[Stretch], source: str | None) -> None:
        """Store stretch by stretch; halve the one that fails until its bad records stand alone."""
        waiting: deque[Stretch] = deque()
        while True:
            portions = self._handed_out(fresh, waiting)
            try:
                async with aclosing(self._writer.ingest(portions, self._plan.collection, source)) as stored:
                    async for ids in stored:
                        done = waiting.popleft()
                        self._stored += len(ids)
                        self._reporter.advance(done.stop - done.start)
                return
            except _RECORDS_FAULT as error:
                if not waiting:
                    self._say_what_is_stored(error)
                    raise
                failed = waiting.popleft()
                if len(failed.records) > 1:
                    waiting.extendleft(reversed(failed.halves()))
                else:
                    self._fail(failed.records[0], error)
                    waiting.appendleft(Stretch.of((), failed.start, failed.stop))
            except IngestConflict as error:
                raise IngestConflict(
                    f"{self._plan.name} is being stored by another process too; this one stored"
                    f" {self._stored} memories of it, and none twice"
                ) from error
            except MnemoError as error:
                self._say_what_is_stored(error)
                raise

    async def _store_at_once(self, fresh: Iterator[Stretch], source: str | None) -> None:
        waiting: deque[Stretch] = deque()
        portions = self._handed_out(fresh, waiting)
        stored = 0
        try:
            async with aclosing(self._writer.bulk_ingest(portions, self._plan.collection, source)) as batches:
                async for ids in batches:
                    done = waiting.popleft()
                    stored += len(ids)
                    self._reporter.advance(done.stop - done.start)
        except MnemoError as error:
            if waiting and isinstance(error, _RECORDS_FAULT):
                error.add_note(f"in records {waiting[0].start + 1} to {waiting[0].stop} of {self._plan.name}")
            error.add_note("nothing was stored")
            raise
        self._stored = stored

    def _handed_out(self, fresh: Iterator[Stretch], waiting: deque[Stretch]) -> Iterator[Portion]:
        yield from tuple(waiting)
        for stretch in fresh:
            if self._stat() != self._state:
                raise InvalidArgument(f"{self._plan.name} was changed while it was read; start again")
            waiting.append(stretch)
            yield stretch

    def _fail(self, record: Record, error: MnemoError) -> None:
        reason = _BATCH_PLACE.sub("", str(error))
        if not self._plan.skip_bad:
            stopped = InvalidArgument(f"{self._plan.place(record.line)}: {reason}")
            self._say_what_is_stored(stopped)
            raise stopped from error
        self._bad(Record(record.number, record.line, None, reason))

    def _bad(self, record: Record) -> None:
        assert record.problem is not None
        if not self._plan.skip_bad:
            # Only a stream gets here: a file was checked before.
            raise InvalidArgument(f"{self._plan.place(record.line)}: {record.problem}")
        self._skipped += 1
        self._reporter.skipped(self._plan.place(record.line), record.problem)

    def _say_what_is_stored(self, error: MnemoError) -> None:
        if not self._stored:
            error.add_note("nothing was stored")
        elif self._plan.is_stream:
            error.add_note(f"{self._stored} memories of what came before are stored")
        else:
            error.add_note(
                f"{self._stored} memories of what came before are stored; the same command goes on after"
                " them, also with --on-error skip; a changed file would be a new one, of which rows without a"
                " key are stored again"
            )

    def _stat(self) -> tuple[int, int] | None:
        if self._plan.path is None or self._plan.is_stream:
            return None
        found = os.stat(self._plan.path)  # noqa: PTH116
        return found.st_size, found.st_mtime_ns
