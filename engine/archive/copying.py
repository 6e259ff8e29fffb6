"""Durability copies: what is queued goes to the object store; small sets become larger ones."""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import pyarrow as pa

from engine.archive.attempts import Attempt, Upload, under_way
from engine.archive.copyset import (
    COLUMNS,
    CopySet,
    CopyWriter,
    fetch,
    file_sha256,
    packed_ids,
    parse_manifest,
    read_tables,
    require_width,
    table_of,
    unpacked_id,
)
from engine.archive.format import ObjectRef
from engine.archive.session import ArchiveSession
from engine.archive.versions import FORGOTTEN, FULL, OVERLAY, Versions, Winners
from engine.database.pool import Connection
from engine.errors import LeaseLost

logger = logging.getLogger(__name__)

_BATCH = 1000
_BEGIN_COPY: LiteralString = "select number, attempt, merges from mnemo.begin_copy(%s)"
_BEGIN_MERGE: LiteralString = "select number, attempt, merges from mnemo.begin_merge(%s, %s)"
_BITS: LiteralString = "select value::integer from mnemo.setting where name = 'bits'"
_ROWS = "select r.hdv::bit({}), %s from mnemo.copy_rows(%%s) r" % ", ".join(  # noqa: S608, UP031
    f"r.{name}::text" if name in ("attributes", "encoded") else f"r.{name}" for name in COLUMNS
)
_COLLECTIONS = (
    "select c.name, to_jsonb(c) - 'name' - 'created_at' from mnemo.collection c where c.name = any(%s)"
)
_SETS = "select manifest_key from mnemo.copy where number = any(%s) order by number"


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt as mnemo.begin_copy and mnemo.begin_merge return it."""

    number: int
    attempt: UUID
    merges: list[int]


Work = Callable[[ArchiveSession, Attempt, Begun, Path], Awaitable[None]]


async def copy_step(session: ArchiveSession) -> bool:
    """Copy the next queued memories to the store, or merge sets of copies; False: there was nothing to do.

    What failed stays queued and is noted in mnemo.copy_status; what another worker went on with meanwhile is
    left to that one. Raises StoreUnavailable, StoreRefused, ObjectCorrupted and ArchiveConflict.
    """
    if await queue_backlog(session):
        return True
    begun = await _begun(session, _BEGIN_COPY)
    if begun is not None:
        await _work(session, begun, _copy)
        return True
    return await merge_step(session)


async def queue_backlog(session: ArchiveSession) -> int:
    """Queue the next memories that are older than the policy; return how many."""
    async with session.transaction() as connection:
        return int((await _one(connection, "select mnemo.queue_backlog()"))[0])


async def merge_step(session: ArchiveSession, *, everything: bool = False) -> bool:
    """Merge sets of copies into one, without what is outdated or forgotten; False: nothing to merge.

    `everything`: all that there are, not only when there are many.
    """
    begun = await _begun(session, _BEGIN_MERGE, everything)
    if begun is None:
        return False
    await _work(session, begun, _merge)
    return True


async def database_bits(session: ArchiveSession) -> int:
    """Return D."""
    async with session.transaction(snapshot=True) as connection:
        return int((await _one(connection, _BITS))[0])


async def read_set(session: ArchiveSession, key: str) -> CopySet:
    """Read the manifest of a set; raises as `parse_manifest` does, and ObjectMissing."""
    return parse_manifest(key, await session.store.get(key))


async def _work(session: ArchiveSession, begun: Begun, work: Work) -> None:
    try:
        async with under_way(session, begun.attempt) as attempt:
            with tempfile.TemporaryDirectory(prefix="mnemo-copy-") as folder:
                await work(session, attempt, begun, Path(folder))
    except LeaseLost:
        logger.info("the copies %d were finished by another worker", begun.number)


async def _begun(session: ArchiveSession, query: LiteralString, *arguments: object) -> Begun | None:
    async with session.transaction() as connection:
        row = await (await connection.execute(query, (session.worker, *arguments))).fetchone()
    return None if row is None else Begun(*row)


async def _copy(session: ArchiveSession, attempt: Attempt, begun: Begun, folder: Path) -> None:
    async with session.transaction(snapshot=True) as connection:
        bits, created = await _one(connection, f"select ({_BITS}), mnemo.now()")
        cursor = connection.cursor(binary=True)
        await cursor.execute(_ROWS.format(bits).encode(), (begun.attempt,))
        whole: list[Sequence[Any]] = []
        others: list[Sequence[Any]] = []
        with CopyWriter(folder, bits) as writer:
            while rows := await cursor.fetchmany(_BATCH):
                whole = [row for row in rows if row[0] is not None]
                others += [row[1:] for row in rows if row[0] is None]
                if whole:
                    hdvs = np.stack([row[0] for row in whole])
                    await asyncio.to_thread(writer.write, table_of([row[1:] for row in whole]), hdvs)
            if others:
                await asyncio.to_thread(writer.write, table_of(others), None)
        names = {name for table in read_tables(writer.table_path, ["collection"]) for name in _texts(table)}
        collections = dict(await (await connection.execute(_COLLECTIONS, (sorted(names),))).fetchall())
    await _finish(session, attempt, begun.number, (), writer, bits, created, collections)


async def _merge(session: ArchiveSession, attempt: Attempt, begun: Begun, folder: Path) -> None:
    async with session.transaction(snapshot=True) as connection:
        keys = [key for (key,) in await (await connection.execute(_SETS, (begun.merges,))).fetchall()]
        bits = int((await _one(connection, _BITS))[0])
        (first,) = await _one(connection, "select min(number) from mnemo.copy")
    sets, versions = [], Versions()
    for place, key in enumerate(keys):
        one = await read_set(session, key)
        require_width(key, one.bits, bits)
        sets.append(one)
        path = await fetch(session.store, one.table, folder / f"{place}.parquet")
        versions.add(*await asyncio.to_thread(identities, path))
    winners = await asyncio.to_thread(versions.winners)
    with CopyWriter(folder, bits) as writer:
        others: list[pa.Table] = []
        for place, (one, won) in enumerate(zip(sets, winners, strict=True)):
            path, hdv = folder / f"{place}.parquet", folder / "old.npy"
            if won.full.any():
                await fetch(session.store, one.hdv, hdv)
            kept = won
            if begun.merges[0] == first:
                # Nothing older is left in the copies that would bring them back.
                kept = await _without_spent(session, path, won)
            others += await asyncio.to_thread(_merge_one, writer, path, hdv, kept)
        for table in others:
            await asyncio.to_thread(writer.write, table, None)
    collections = {name: value for one in sets for name, value in one.collections.items()}
    merged = tuple(one.attempt for one in sets)
    last = sets[-1]
    await _finish(session, attempt, last.number, merged, writer, bits, last.created, collections)


def identities(path: Path) -> tuple[Any, Any]:
    """Return the ids and kinds of the rows of a rows.parquet, as `Versions.add` takes them."""
    ids, kinds = [np.zeros((0, 2), np.uint64)], [np.zeros(0, np.uint8)]
    for table in read_tables(path, ["id", "encoded", "forgotten"]):
        ids.append(packed_ids(table.column("id")))
        gone = np.array(table.column("forgotten").to_pylist(), np.bool_)
        # An overlay has no content; its encoding is absent too, and cheaper to look at.
        bare = np.array(table.column("encoded").is_null().to_pylist(), np.bool_)
        kinds.append(np.where(gone, FORGOTTEN, np.where(bare, OVERLAY, FULL)).astype(np.uint8))
    return np.concatenate(ids), np.concatenate(kinds)


def _merge_one(writer: CopyWriter, path: Path, hdv: Path, won: Winners) -> list[pa.Table]:
    others, begin = [], 0
    vectors = np.load(hdv, mmap_mode="r") if won.full.any() else None
    for table in read_tables(path):
        rows = slice(begin, begin + table.num_rows)
        full, rest = won.full[rows], won.overlay[rows] | won.forgotten[rows]
        if full.any():
            assert vectors is not None
            writer.write(table.filter(pa.array(full)), vectors[begin + np.flatnonzero(full)])
        if rest.any():
            others.append(table.filter(pa.array(rest)))
        begin += table.num_rows
    return others


async def _without_spent(session: ArchiveSession, path: Path, won: Winners) -> Winners:
    """Leave out the forgotten that no object of the archive has any more."""
    if not won.forgotten.any():
        return won
    table = pa.concat_tables(read_tables(path, ["id", "occurred_at"]))
    places = np.flatnonzero(won.forgotten)
    ids = [unpacked_id(pair) for pair in packed_ids(table.column("id"))[places]]
    times: list[datetime | None] = [table.column("occurred_at")[int(place)].as_py() for place in places]
    async with session.transaction(snapshot=True) as connection:
        query = "select * from mnemo.kept_forgotten(%s, %s::timestamptz[])"
        kept = {row[0] for row in await (await connection.execute(query, (ids, times))).fetchall()}
    forgotten = won.forgotten.copy()
    forgotten[places] = [memory_id in kept for memory_id in ids]
    return Winners(won.full, won.overlay, forgotten)


async def _finish(
    session: ArchiveSession,
    attempt: Attempt,
    number: int,
    merges: tuple[UUID, ...],
    writer: CopyWriter,
    bits: int,
    created: datetime,
    collections: Mapping[str, Mapping[str, Any]],
) -> None:
    keys: list[str] | None = None
    if writer.rows:
        uploads = []
        for path, extension in ((writer.hdv_path, "npy"), (writer.table_path, "parquet")):
            sha256 = await asyncio.to_thread(file_sha256, path)
            key = attempt.key("copies", sha256, extension)
            uploads.append(Upload(key, path, path.stat().st_size, sha256))
        hdv, table = (ObjectRef(upload.key, upload.size, upload.sha256) for upload in uploads)
        one = CopySet(
            "", session.database, bits, number, created, writer.rows, writer.hypervectors, writer.forgotten,
            merges, hdv, table, collections,
        )  # fmt: skip
        manifest = one.to_json()
        sha256 = hashlib.sha256(manifest).digest()
        uploads.append(
            Upload(attempt.key("copies", sha256, "manifest.json"), manifest, len(manifest), sha256)
        )
        # Whoever finds a manifest finds the objects that it names.
        await attempt.store(uploads[:2])
        await attempt.store(uploads[2:])
        keys = [upload.key for upload in uploads]
    async with session.transaction() as connection:
        await connection.execute(
            "select mnemo.finish_copy(%s, %s, %s, %s)", (attempt.id, keys, writer.rows, writer.forgotten)
        )


def _texts(table: pa.Table) -> set[str]:
    return {name for name in table.column("collection").to_pylist() if name is not None}


async def _one(connection: Connection, query: LiteralString) -> tuple[Any, ...]:
    row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row
