"""What `verify` found, put right where it can be: from copies, from whole objects, or anew."""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.archive.comparing import Discrepancy
from engine.archive.copying import database_bits, identities, read_set
from engine.archive.copyset import CopySet, fetch, file_sha256, read_tables
from engine.archive.rebuilding import rebuild
from engine.archive.session import ArchiveSession
from engine.archive.staging import FetchedRow, rows_of, stage_fetched
from engine.archive.verifying import described
from engine.archive.versions import Versions
from engine.archive.whole import Objects, Whole, objects_of
from engine.errors import MnemoError, ObjectCorrupted, ObjectMissing

logger = logging.getLogger(__name__)

_SETS: LiteralString = "select manifest_key from mnemo.copy order by number"
_ROWS: LiteralString = (
    "select row_number, id, substring(bit_send(sketch) from 5) from mnemo.archived_memory where segment = %s"
)
_TO_COLD: LiteralString = "select cardinality(mnemo.restore_memories('cold', 'restored'))"
_DEAD: LiteralString = "select row_number, id from mnemo.tombstone where segment = %s"


async def repair(session: ArchiveSession, found: Sequence[Discrepancy]) -> list[str]:
    """Put right what `verify` found, as far as that is possible; return what was done, a line each.

    Sizes are corrected. hdv.npy of a segment is written anew where the copies give the same bytes. Memories
    of a segment whose objects cannot be read come back from the copies into the cold tier, to be archived
    again; those whose manifest alone is bad, from the objects. Bad copies are given up, and everything is
    queued anew. Memories that are in the copies alone come back. Call `verify` again for what is left.

    Raises StoreUnavailable, StoreRefused, and ArchiveConflict where another copy of this database has taken
    its name: then nothing in the store may be replaced.
    """
    await session.prove()
    done: list[str] = []
    sizes = [each for each in found if each.size is not None]
    for each in sizes:
        await _call(session, "select mnemo.correct_size(%s, %s)", each.subject, each.size)
        done.append(f"{each.subject}: its size was corrected")
    segments: dict[int, set[str]] = {}
    for each in found:
        if each.segment is not None and each.size is None and "/" in each.subject:
            segments.setdefault(each.segment, set()).add(each.subject)
    for segment, keys in sorted(segments.items()):
        done += await _repair_segment(session, segment, keys)
    bad = [each.copy for each in found if each.copy is not None]
    if any(each.lost for each in found):
        back = await rebuild(session)
        done.append(f"{back.memories} memories came back from the copies")
    if bad:
        await _call(session, "select mnemo.redo_copies(%s)", max(bad))
        done.append("copies that cannot be read were given up; every memory is queued to be copied again")
    uncopied = [
        UUID(each.subject.removeprefix("memory "))
        for each in found
        if each.subject.startswith("memory ") and not each.lost
    ]
    if uncopied and not bad:
        await _call(session, "select mnemo.queue_copies(%s)", uncopied)
        done.append(f"{len(uncopied)} memories are queued to be copied again")
    return done


async def _repair_segment(session: ArchiveSession, segment: int, keys: set[str]) -> list[str]:
    objects = await objects_of(session, segment)
    if not keys & {objects.hdv_key, objects.rows_key}:
        return await _leave(session, objects)
    done = []
    async with session.transaction(snapshot=True) as connection:
        rows = await (await connection.execute(_ROWS, (segment,))).fetchall()
        live = {memory_id: (number, bytes(sketch)) for number, memory_id, sketch in rows}
        dead = {i: number for number, i in await (await connection.execute(_DEAD, (segment,))).fetchall()}
    with tempfile.TemporaryDirectory(prefix="mnemo-repair-") as name:
        copies = _Copies(session, Path(name))
        await copies.open({*live, *dead})
        if keys == {objects.hdv_key} and objects.hdv_key.startswith(f"{session.database}/"):
            places = {**{i: number for i, (number, _) in live.items()}, **dead}
            if await _rewrite_hdv(session, objects, places, copies, Path(name, "repaired.npy")):
                return [f"{objects.hdv_key}: written anew from the copies, with the same SHA-256"]
        back = 0
        async for some in copies.rows():
            staged = [
                row
                for values, hdv in some
                if values["id"] in live and (row := _fetched(values, hdv, *live[values["id"]])) is not None
            ]
            back += await _restore(session, objects, staged)
    if back:
        done.append(f"segment {segment}: {back} memories came back from the copies into the cold tier")
    left = len(live) - back
    if left:
        done.append(f"segment {segment}: of {left} memories there is no copy")
    elif await _call(session, "select mnemo.give_up_segment(%s)", segment):
        done.append(f"segment {segment}: nothing is left in it; its objects are given up")
    return done


async def _leave(session: ArchiveSession, objects: Objects) -> list[str]:
    """Bring everything back from objects whose manifest alone is bad."""
    known = await described(session, objects)
    if known is None:
        return []
    with tempfile.TemporaryDirectory(prefix="mnemo-repair-") as name:
        whole = Whole(objects, known[0], Path(name, "hdv.npy"), Path(name, "rows.parquet"))
        for ref, path in ((known[0].hdv, whole.hdv), (known[0].table, whole.table)):
            await fetch(session.store, ref, path)
        async with session.transaction() as connection:
            async for _ in stage_fetched(connection, objects.attempt, rows_of(whole)):
                pass
            row = await (await connection.execute(_TO_COLD)).fetchone()
            # The words of what was forgotten are counted no more, now that its texts can be read.
            await connection.execute("select mnemo.uncount_tombstones(array[%s])", (objects.segment,))
            await connection.execute("select mnemo.give_up_segment(%s)", (objects.segment,))
    assert row is not None
    return [f"segment {objects.segment}: {row[0]} memories are in the cold tier, to be archived again"]


def _fetched(values: dict[str, Any], hdv: NDArray[np.uint8], row: int, sketch: bytes) -> FetchedRow | None:
    # A copy from before the memory was encoded anew is another hypervector than was archived.
    if not hdv.tobytes().startswith(sketch):
        return None
    return FetchedRow(
        row, values["id"], values["occurred_at"], values["content"], values["attributes"],
        values["embedding"], values["encoded"], values["content_sha256"], hdv.tobytes(),
    )  # fmt: skip


async def _restore(session: ArchiveSession, objects: Objects, rows: list[FetchedRow]) -> int:
    if not rows:
        return 0
    async with session.transaction() as connection:
        async for _ in stage_fetched(connection, objects.attempt, iter(rows)):
            pass
        row = await (await connection.execute(_TO_COLD)).fetchone()
    assert row is not None
    return int(row[0])


async def _rewrite_hdv(
    session: ArchiveSession, objects: Objects, rows: dict[UUID, int], copies: "_Copies", path: Path
) -> bool:
    """Put hdv.npy together from copies; False unless it is byte for byte what it was."""
    bits = await database_bits(session)
    whole = np.lib.format.open_memmap(path, "w+", np.uint8, (objects.rows, bits // 8))
    there = np.zeros(objects.rows, np.bool_)
    async for some in copies.rows():
        for values, hdv in some:
            place = rows[values["id"]]
            whole[place], there[place] = hdv, True
    whole.flush()
    if not there.all() or await asyncio.to_thread(file_sha256, path) != objects.hdv_sha256:
        return False
    # What is there is not overwritten by anybody: it has to go first.
    await session.store.delete([objects.hdv_key])
    await session.store.put(objects.hdv_key, path, objects.hdv_sha256)
    if await session.store.digest(objects.hdv_key) != objects.hdv_sha256:
        raise ObjectCorrupted(f"{objects.hdv_key} in {session.store.url} was written anew, and differs again")
    return True


class _Copies:
    """The last copies of some memories, as far as the sets can be read."""

    def __init__(self, session: ArchiveSession, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._sets: list[tuple[CopySet, Path, NDArray[np.bool_]]] = []

    async def open(self, wanted: Iterable[UUID]) -> None:
        """Read which sets have them."""
        ids = np.frombuffer(b"".join(i.bytes for i in wanted), ">u8").reshape(-1, 2).astype(np.uint64)
        async with self._session.transaction(snapshot=True) as connection:
            keys = [key for (key,) in await (await connection.execute(_SETS)).fetchall()]
        versions, sets, found = Versions(), list[tuple[CopySet, Path]](), list[NDArray[np.bool_]]()
        for key in keys:
            path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.parquet"
            try:
                one = await read_set(self._session, key)
                await fetch(self._session.store, one.table, path)
            except (ObjectCorrupted, ObjectMissing) as error:
                logger.warning("%s", error)
                continue
            theirs, kinds = await asyncio.to_thread(identities, path)
            versions.add(theirs, kinds)
            sets.append((one, path))
            found.append(_among(theirs, ids))
        for (one, path), won, mask in zip(sets, versions.winners(), found, strict=True):
            self._sets.append((one, path, won.full & mask))

    async def rows(self) -> AsyncIterator[list[tuple[dict[str, Any], NDArray[np.uint8]]]]:
        """Yield rows with their hypervectors, some at a time."""
        for one, path, mask in self._sets:
            if not mask.any():
                continue
            hdv = self._folder / "copied.npy"
            try:
                await fetch(self._session.store, one.hdv, hdv)
            except MnemoError as error:
                logger.warning("%s", error)
                continue
            vectors, begin = np.load(hdv, mmap_mode="r"), 0
            for table in read_tables(path):
                places = np.flatnonzero(mask[begin : begin + table.num_rows])
                if len(places):
                    picked = table.take(pa.array(places)).to_pylist()
                    yield list(zip(picked, vectors[begin + places], strict=True))
                begin += table.num_rows


def _among(ids: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    pair = np.dtype([("high", np.uint64), ("low", np.uint64)])
    there, asked = (np.ascontiguousarray(some).view(pair).ravel() for some in (ids, wanted))
    return np.isin(there, asked)


async def _call(session: ArchiveSession, query: LiteralString, *parameters: object) -> Any:
    async with session.transaction() as connection:
        row = await (await connection.execute(query, parameters)).fetchone()
    return None if row is None else row[0]
