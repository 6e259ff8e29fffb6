"""Everything compared: the database with itself, with the objects in the store, and with the copies."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from engine.archive.comparing import Discrepancy, Progress, compare_copies, is_referenced
from engine.archive.copyset import fetch
from engine.archive.format import Layout, Manifest, ObjectRef, read_manifest
from engine.archive.session import ArchiveSession
from engine.archive.staging import rows_of, stage_fetched
from engine.archive.whole import Objects, Whole, objects_of
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.errors import MnemoError, ObjectCorrupted, ObjectMissing, UnknownName

_BATCH = 1000
_CHECKSUM_BYTES = 8
_CHECKS = ["conservation", "partitions"]
_REFERENCED: LiteralString = (
    "select o.key, o.bytes, o.sha256, r.segment, c.number from mnemo.referenced_object r"
    " join mnemo.object o on o.key = r.key left join mnemo.copy c on c.attempt = o.attempt order by o.key"
)
_FACTS: LiteralString = (
    "select r.archived_at, mnemo.bits(), h.bytes, o.bytes, r.footer, r.hdv_start, r.block_rows,"
    " r.block_checksums, r.row_group_rows, r.row_group_offsets, r.row_group_lengths, r.row_group_checksums"
    " from mnemo.archive r join mnemo.object h on h.key = r.hdv_key join mnemo.object o on o.key = r.rows_key"
    " where r.attempt = %s"
)


async def verify(
    session: ArchiveSession,
    *,
    quick: bool = False,
    archive_only: bool = False,
    on_progress: Progress | None = None,
) -> AsyncIterator[Discrepancy]:
    """Yield every discrepancy between the database, its archived segments, its copies and the store.

    `quick` compares what can be compared without reading objects: that they are there, and their sizes.
    `archive_only` leaves out what only concerns the database. `on_progress` is told what is looked at.
    Reads only. Raises StoreUnavailable and StoreRefused.
    """
    look = on_progress or (lambda _what, _done, _total: None)
    if not archive_only:
        for each in await verify_database(session.pool):
            yield each
    found = await _objects(session, quick, look)
    for each in found:
        yield each
    for each in await _orphans(session):
        yield each
    if quick:
        return
    # Of these it is said already that they cannot be read.
    bad = {each.subject for each in found if each.size is None}
    segments = await _archived_segments(session)
    for done, segment in enumerate(segments, 1):
        for each in await _segment(session, segment, bad):
            yield each
        look("archived segments", done, len(segments))
    for each in await compare_copies(session, bad, look):
        yield each


async def has_archive(pool: Pool) -> bool:
    """Whether this database has ever had a name in an object store: else there is none to compare with."""
    with translate_errors():
        async with pool.connection() as connection:
            query: LiteralString = "select from mnemo.identity"
            return (await connection.execute(query)).rowcount > 0


async def verify_database(pool: Pool) -> list[Discrepancy]:
    """Return what is wrong with the database alone: each memory is compared with its activity and key."""
    query: LiteralString = (
        'select f."check", f.detail from mnemo.doctor(true) f'
        " where f.status = 'fail' and f.\"check\" = any(%s)"
    )
    with translate_errors():
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("set local statement_timeout = 0")
            rows = await (await connection.execute(query, (_CHECKS,))).fetchall()
    return [Discrepancy(check, detail) for check, detail in rows]


async def _objects(session: ArchiveSession, quick: bool, look: Progress) -> list[Discrepancy]:
    async with session.transaction(snapshot=True) as connection:
        rows = await (await connection.execute(_REFERENCED)).fetchall()
    limit = asyncio.Semaphore(session.settings.archive.concurrency)
    tasks = [asyncio.create_task(_object(session, limit, quick, *row)) for row in rows]
    problems = []
    try:
        for done, task in enumerate(tasks, 1):
            found = await task
            look("objects", done, len(tasks))
            if found is not None and await is_referenced(session, found.subject):
                problems.append(found)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return problems


async def _object(
    session: ArchiveSession,
    limit: asyncio.Semaphore,
    quick: bool,
    key: str,
    size: int,
    sha256: bytes,
    segment: int | None,
    copy: int | None,
) -> Discrepancy | None:
    async with limit:
        there = await session.store.head(key)
        if there is None:
            return Discrepancy(key, "is missing in the store", segment=segment, copy=copy)
        problem = f"has {there.size} bytes, not {size}" if there.size != size else None
        if not quick:
            try:
                found = await session.store.digest(key)
            except ObjectMissing:
                return Discrepancy(key, "is missing in the store", segment=segment, copy=copy)
            if found != sha256:
                was = f"its SHA-256 is {found.hex()}"
                return Discrepancy(key, f"is not what was written: {was}", segment=segment, copy=copy)
            if problem is not None:
                problem = f"{problem}, as the database says, and is what was written"
                return Discrepancy(key, problem, size=there.size)
    return None if problem is None else Discrepancy(key, problem, segment=segment, copy=copy)


async def _orphans(session: ArchiveSession) -> list[Discrepancy]:
    orphans = []
    own = f"{session.database}/"
    for folder in ("segments/", "copies/"):
        there = [info.key async for info in session.store.list(own + folder)]
        for begin in range(0, len(there), _BATCH):
            query: LiteralString = (
                "select w.key from unnest(%s::text[]) as w (key)"
                " where not exists (select from mnemo.object o where o.key = w.key) order by w.key"
            )
            async with session.transaction(snapshot=True) as connection:
                rows = await (await connection.execute(query, (there[begin : begin + _BATCH],))).fetchall()
            problem = "is known to nobody; in time it is deleted"
            orphans += [Discrepancy(key, problem, wrong=False) for (key,) in rows]
    return orphans


async def _archived_segments(session: ArchiveSession) -> list[int]:
    async with session.transaction(snapshot=True) as connection:
        query: LiteralString = "select segment from mnemo.archive order by segment"
        return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def _segment(session: ArchiveSession, segment: int, bad: set[str]) -> list[Discrepancy]:
    try:
        objects = await objects_of(session, segment)
    except UnknownName:
        return []
    if {objects.hdv_key, objects.rows_key} & bad:
        return []
    problems = await _problems(session, objects, bad)
    # Replaced by a compaction or a restore meanwhile, it is no longer what was read.
    if not problems or not await is_referenced(session, objects.hdv_key):
        return []
    return [Discrepancy(subject, problem, segment=segment) for subject, problem in problems]


async def described(session: ArchiveSession, objects: Objects) -> tuple[Manifest, bytes] | None:
    """Return what the manifest of a segment should say, by the database, and the footer of its rows.parquet.

    None where the segment is no longer archived there.
    """
    async with session.transaction(snapshot=True) as connection:
        row = await (await connection.execute(_FACTS, (objects.attempt,))).fetchone()
    if row is None:
        return None
    created, bits, hdv_bytes, table_bytes, footer, *layout = row
    facts: list[Any] = [tuple(value) if isinstance(value, list) else value for value in layout]
    manifest = Manifest(
        UUID(objects.hdv_key.partition("/")[0]),
        created,
        bits,
        objects.rows,
        ObjectRef(objects.hdv_key, hdv_bytes, objects.hdv_sha256),
        ObjectRef(objects.rows_key, table_bytes, objects.rows_sha256),
        Layout(*facts),
        objects.collections,
    )
    return manifest, footer


async def _problems(session: ArchiveSession, objects: Objects, bad: set[str]) -> list[tuple[str, str]]:
    known = await described(session, objects)
    if known is None:
        return []
    manifest, footer = known
    with tempfile.TemporaryDirectory(prefix="mnemo-verify-") as name:
        whole = Whole(objects, manifest, Path(name, "hdv.npy"), Path(name, "rows.parquet"))
        try:
            problems = []
            if objects.manifest_key not in bad:
                data = await session.store.get(objects.manifest_key)
                problems = [(objects.manifest_key, each) for each in _of_manifest(data, objects, manifest)]
            for ref, path in ((manifest.hdv, whole.hdv), (manifest.table, whole.table)):
                await fetch(session.store, ref, path)
            problems += await asyncio.to_thread(_checksums, whole, footer)
            async with session.transaction() as connection:
                async for _ in stage_fetched(connection, objects.attempt, rows_of(whole)):
                    pass
                query: LiteralString = "select row_number, id, problem from mnemo.wrong_rows(%s)"
                wrong = await (await connection.execute(query, (objects.segment,))).fetchall()
        except (ObjectCorrupted, ObjectMissing) as error:
            return [(f"segment {objects.segment}", str(error))]
    place = f"segment {objects.segment}"
    return problems + [(place, f"row {number}: memory {i} {problem}") for number, i, problem in wrong]


def _checksums(whole: Whole, footer: bytes) -> list[tuple[str, str]]:
    problems, objects, layout = [], whole.objects, whole.manifest.layout
    size = layout.block_rows * whole.manifest.bits // 8
    with whole.hdv.open("rb") as content:
        content.seek(layout.hdv_start)
        blocks = [_short(block) for block in iter(lambda: content.read(size), b"")]
    if b"".join(blocks) != layout.block_checksums:
        problems.append((objects.hdv_key, "differs from the checksums of its blocks in the database"))
    with whole.table.open("rb") as content:
        groups = []
        for offset, length in zip(layout.row_group_offsets, layout.row_group_lengths, strict=True):
            content.seek(offset)
            groups.append(_short(content.read(length)))
        content.seek(-min(len(footer), whole.table.stat().st_size), 2)
        tail = content.read()
    if b"".join(groups) != layout.row_group_checksums:
        problems.append((objects.rows_key, "differs from the checksums of its row groups in the database"))
    if tail != footer:
        problems.append((objects.rows_key, "has another footer than the database keeps"))
    return problems


def _of_manifest(data: bytes, objects: Objects, known: Manifest) -> list[str]:
    """What a manifest says otherwise than the database."""
    try:
        said = read_manifest(objects.manifest_key, data)
    except MnemoError as error:
        return [str(error)]
    return [
        f"says {getattr(said, name)!r} of {name}, where the database has {getattr(known, name)!r}"
        for name in ("database", "bits", "rows", "hdv", "table", "layout", "collections")
        if getattr(said, name) != getattr(known, name)
    ]


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_BYTES]
