"""The copies compared with the database: their files, and the last version of each memory in them."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import numpy as np
import pyarrow.parquet as pq

from engine.archive.copying import identities, read_set
from engine.archive.copyset import CopySet, fetch, packed_ids, read_tables, unpacked_id
from engine.archive.session import ArchiveSession
from engine.archive.versions import Versions
from engine.database.pool import Connection
from engine.errors import MnemoError, ObjectMissing

# Told what is looked at, how much is done, and of how much.
Progress = Callable[[str, int, int], None]

_LOST = "is in the copies, and nowhere in the database"
_COPIES: LiteralString = (
    "select number, manifest_key, rows, forgotten, hdv_key, rows_key from mnemo.copy order by number"
)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that is not as it should be.

    `subject` is the key of an object, a segment, a check or a memory.
    """

    subject: str
    problem: str
    wrong: bool = True
    """False: worth knowing, and nothing is lost or missing."""
    segment: int | None = None
    """The archived segment whose memories cannot be read, or not surely, because of it."""
    copy: int | None = None
    """The set of copies, likewise."""
    size: int | None = None
    """Bytes of an object that are noted wrongly in the database."""
    lost: bool = False
    """A memory that the copies alone have."""


async def is_referenced(session: ArchiveSession, key: str) -> bool:
    """Whether an object is still needed: what was replaced meanwhile may be gone."""
    async with session.transaction(snapshot=True) as connection:
        query: LiteralString = "select from mnemo.referenced_object r where r.key = %s"
        return (await connection.execute(query, (key,))).rowcount > 0


async def compare_copies(session: ArchiveSession, bad: set[str], look: Progress) -> list[Discrepancy]:
    """Return what is wrong with the copies; those whose objects are `bad` are left out."""
    versions, sets, found = Versions(), list[Path](), list[Discrepancy]()
    with tempfile.TemporaryDirectory(prefix="mnemo-verify-") as name:
        # One snapshot: what is queued or copied anew meanwhile is no difference.
        async with session.transaction(snapshot=True) as connection:
            rows = await (await connection.execute(_COPIES)).fetchall()
            for done, (number, manifest, count, forgotten, hdv, table) in enumerate(rows, 1):
                if {manifest, hdv, table} & bad:
                    continue
                path = Path(name, f"{number}.parquet")
                try:
                    one = await read_set(session, manifest)
                    await fetch(session.store, one.table, path)
                    ids, kinds = await asyncio.to_thread(identities, path)
                    problems = await _of_set(session, one, path, number, (count, forgotten), (hdv, table))
                    found += [Discrepancy(manifest, problem, copy=number) for problem in problems]
                except (MnemoError, OSError, ValueError) as error:
                    if not isinstance(error, ObjectMissing) or await is_referenced(session, manifest):
                        found.append(Discrepancy(manifest, f"cannot be read: {error}", copy=number))
                    continue
                versions.add(ids, kinds)
                sets.append(path)
                look("copies", done, len(rows))
            whole = len(sets) == len(rows)
            compared = await _compare(connection, versions, sets, whole=whole)
            found += [Discrepancy(f"memory {i}", problem, lost=problem is _LOST) for i, problem in compared]
    return found


async def _of_set(
    session: ArchiveSession,
    one: CopySet,
    path: Path,
    number: int,
    counts: tuple[int, int],
    keys: tuple[str, str],
) -> list[str]:
    with pq.ParquetFile(path) as opened:
        rows = opened.metadata.num_rows
    hdv = await fetch(session.store, one.hdv, path.with_suffix(".npy"))
    shape = np.load(hdv, mmap_mode="r").shape
    hdv.unlink()
    compared = (
        ("number", one.number, number),
        ("rows and forgotten rows", (one.rows, one.forgotten), counts),
        ("objects", (one.hdv.key, one.table.key), keys),
        ("rows of rows.parquet", one.rows, rows),
        ("shape of hdv.npy", (one.hypervectors, one.bits // 8), shape),
    )
    return [f"says {a!r} of the {name}, where {b!r} is found" for name, a, b in compared if a != b]


async def _compare(
    connection: Connection, versions: Versions, sets: Sequence[Path], *, whole: bool
) -> list[tuple[UUID, str]]:
    """What memories and their last copies say of each other; `whole`: no set is left out."""
    active: LiteralString = (
        "select exists (select from mnemo.policy p where p.kind = 'copy' and p.enabled)"
        " and not exists (select from mnemo.copy_backlog)"
    )
    row = await (await connection.execute(active)).fetchone()
    if row is None or not row[0]:
        return []
    queued = {
        i for (i,) in await (await connection.execute("select distinct id from mnemo.uncopied")).fetchall()
    }
    problems: list[tuple[UUID, str]] = []
    copied: set[UUID] = set()
    for path, won in zip(sets, versions.winners(), strict=True):
        begin = 0
        for table in read_tables(path, ["id", "content_sha256"]):
            mask = won.full[begin : begin + table.num_rows]
            begin += table.num_rows
            hashes = table.column("content_sha256")
            pairs = packed_ids(table.column("id"))
            last = {unpacked_id(pairs[at]): hashes[int(at)].as_py() for at in np.flatnonzero(mask)}
            copied |= last.keys()
            problems += await _against(connection, last, queued)
    if whole:
        query: LiteralString = "select a.id from mnemo.activity a order by a.id"
        cursor = await connection.execute(query)
        problems += [
            (memory_id, "has no copy, and is not queued for one")
            for (memory_id,) in await cursor.fetchall()
            if memory_id not in copied and memory_id not in queued
        ]
    return problems


async def _against(
    connection: Connection, last: dict[UUID, bytes], queued: set[UUID]
) -> list[tuple[UUID, str]]:
    wanted = [memory_id for memory_id in last if memory_id not in queued]
    query: LiteralString = (
        "select w.id, mnemo.content_hash(m), m.id is not null, exists (select from mnemo.archived_memory a"
        " where a.bucket = mnemo.bucket_of(w.id) and a.id = w.id) from unnest(%s::uuid[]) as w (id)"
        " left join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id"
    )
    problems: list[tuple[UUID, str]] = []
    for memory_id, found, there, archived in await (await connection.execute(query, (wanted,))).fetchall():
        if not there and not archived:
            problems.append((memory_id, _LOST))
        elif there and found != last[memory_id]:
            problems.append((memory_id, "has another content than its last copy"))
    return problems
