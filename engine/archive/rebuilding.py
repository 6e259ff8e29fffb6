"""Memories back from the object store: what Postgres lacks is taken from copies and archived segments."""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine.archive.copying import database_bits, identities
from engine.archive.copyset import (
    CopySet,
    fetch,
    packed_ids,
    parse_manifest,
    read_tables,
    require_width,
    unpacked_id,
)
from engine.archive.format import ObjectRef, read_manifest
from engine.archive.objects import ObjectStore
from engine.archive.registry import open_objects
from engine.archive.session import ArchiveSession
from engine.archive.versions import Versions
from engine.database.parameters import PackedBits
from engine.errors import ArchiveConflict, InvalidArgument, ObjectCorrupted

logger = logging.getLogger(__name__)

_BATCH = 1000
_TIERS = ("hot", "warm", "cold")
_STAGED = {
    "id": "uuid", "tenant": "text", "collection": "text", "key": "text", "context": "text", "session": "text",
    "occurred_at": "timestamptz", "created_at": "timestamptz", "content": "text", "attributes": "jsonb",
    "encoded": "text", "strength": "float4", "strength_at": "timestamptz", "last_access": "timestamptz",
    "access_count": "int8", "content_sha256": "bytea", "embedding": "bytea", "hdv": "varbit", "tier": "text",
    "pinned": "bool",
}  # fmt: skip
_COPY = f"copy pg_temp.copy_staging ({', '.join(_STAGED)}) from stdin (format binary)"
_KNOWN: LiteralString = "select c.manifest_key from mnemo.copy c order by c.number"
_NEEDED: LiteralString = (
    "select distinct r.key from mnemo.referenced_object r where r.key = any(%s) order by r.key"
)
_LOST: LiteralString = "select id, tier from mnemo.lost_copies(%s)"
_COLLECTION: LiteralString = (
    "select to_jsonb(c) - 'name' - 'created_at' from mnemo.collection c where c.name = %s"
)
_CREATE = "select mnemo.create_collection(%s, {})"
_GIVEN = (
    "dimension", "seed", "bucket_rule", "bind_context", "keep_embedding", "confidence_distance", "encoder",
    "encoding", "ranking",
)  # fmt: skip
# What two collections must agree on, or hypervectors of one mean nothing to the other.
_ENCODED = ("encoder", "encoder_version", "dimension", "seed", "bind_context", "encoding")
_RECOUNT: LiteralString = (
    "select mnemo.recount_terms(%(collection)s)"
    " where not exists (select from mnemo.archived_memory a"
    " where a.tenant = %(tenant)s and a.collection = %(collection)s)"
)


@dataclass(slots=True)
class Rebuilt:
    """What `rebuild` did: memories brought back, by tier, and what it could not use, with the reason."""

    restored: dict[str, int] = field(default_factory=dict)
    sets: int = 0
    forgotten: int = 0
    left_out: list[str] = field(default_factory=list)

    @property
    def memories(self) -> int:
        """How many came back in all."""
        return sum(self.restored.values())


@dataclass(frozen=True, slots=True)
class _Source:
    """A set of copies, or a segment: its files, and when its rows were read."""

    key: str
    bits: int
    order: tuple[datetime, int]
    hdv: ObjectRef
    table: ObjectRef
    collections: Mapping[str, Mapping[str, Any]]
    is_segment: bool


async def rebuild(
    session: ArchiveSession,
    *,
    tier: str | None = None,
    url: str | None = None,
    database: UUID | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rebuilt:
    """Bring back from copies what this database lacks: into one tier, or each into its own.

    Without `database` the copies are those that this database knows of. With it they are all those under
    that name, and its archived segments, in the store at `url`, or in the configured one: for a database
    that is lost. Of each memory the last version counts; what was forgotten stays forgotten. Called again, it
    goes on where it ended. `on_progress`: is told how many memories came back, of how many lost.

    Raises:
        InvalidArgument: an unknown tier, or a url without a database.
        InstallationMismatch: hypervectors of another width.
        ArchiveConflict: a collection is encoded otherwise here, or objects are of another format.
        StoreUnavailable, StoreRefused: the store.
    """
    if tier is not None and tier not in _TIERS:
        raise InvalidArgument(f"tier must be one of {', '.join(_TIERS)}, not {tier!r}")
    if url is not None and database is None:
        raise InvalidArgument("whose copies at that url? name the database: its folder there")
    async with AsyncExitStack() as stack:
        store = session.store
        if url is not None:
            archive = session.settings.archive.model_copy(update={"url": url})
            there = session.settings.model_copy(update={"archive": archive})
            store = await stack.enter_async_context(open_objects(there))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mnemo-rebuild-")))
        return await _Rebuild(session, store, folder, tier, on_progress).run(database)


class _Rebuild:
    def __init__(
        self,
        session: ArchiveSession,
        store: ObjectStore,
        folder: Path,
        tier: str | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._session, self._store, self._folder, self._tier = session, store, folder, tier
        self._on_progress = on_progress
        self._report = Rebuilt()
        self._fresh: set[tuple[str, str]] = set()
        self._checked: dict[str, Mapping[str, Any]] = {}

    async def run(self, database: UUID | None) -> Rebuilt:
        bits = await database_bits(self._session)
        sources = await (self._known() if database is None else self._found(database))
        for source in sources:
            require_width(source.key, source.bits, bits)
        usable, versions = [], Versions()
        for source in sources:
            try:
                path = await fetch(self._store, source.table, self._table(source))
            except (ObjectCorrupted, LookupError) as error:
                self._leave_out(str(error))
                continue
            versions.add(*await asyncio.to_thread(identities, path))
            usable.append(source)
        winners = await asyncio.to_thread(versions.winners)
        self._report.sets = len(usable)
        self._report.forgotten = sum(int(won.forgotten.sum()) for won in winners)
        changed: dict[UUID, str] = {}
        wanted, total = [], 0
        for source, won in zip(usable, winners, strict=True):
            await asyncio.to_thread(_note_changes, self._table(source), won.overlay, changed)
            rows = await self._lost(source, won.full)
            wanted.append(rows)
            total += len(rows)
        # The newest first: of memories that once had the same key, the last owner gets it.
        for source, rows in reversed([*zip(usable, wanted, strict=True)]):
            if rows:
                await self._restore(source, rows, changed, total)
        await self._recount()
        return self._report

    def _table(self, source: _Source) -> Path:
        return self._folder / f"{source.table.sha256.hex()}.parquet"

    def _leave_out(self, reason: str) -> None:
        logger.warning("%s", reason)
        self._report.left_out.append(reason)

    async def _known(self) -> list[_Source]:
        async with self._session.transaction(snapshot=True) as connection:
            keys = [key for (key,) in await (await connection.execute(_KNOWN)).fetchall()]
        return await self._manifests(keys)

    async def _found(self, database: UUID) -> list[_Source]:
        keys = []
        for kind in ("copies", "segments"):
            async for info in self._store.list(f"{database}/{kind}/"):
                if info.key.endswith(".manifest.json"):
                    keys.append(info.key)
        if database == self._session.database:
            # What this database has given up stays given up, though it is in the store yet.
            async with self._session.transaction(snapshot=True) as connection:
                keys = [key for (key,) in await (await connection.execute(_NEEDED, (keys,))).fetchall()]
        if not keys:
            raise ArchiveConflict(f"{self._store.url} holds no copies of a database {database}")
        return await self._manifests(keys)

    async def _manifests(self, keys: Sequence[str]) -> list[_Source]:
        copies: list[CopySet] = []
        sources: list[_Source] = []
        for key in keys:
            try:
                data = await self._store.get(key)
                if "/copies/" in key:
                    copies.append(parse_manifest(key, data))
                else:
                    sources.append(_segment(key, data))
            except (ObjectCorrupted, LookupError) as error:
                self._leave_out(str(error))
        # What was merged is there until it is collected; what it no longer says is on purpose.
        merged = {attempt for one in copies for attempt in one.merges}
        latest = datetime.min.replace(tzinfo=UTC)
        for one in sorted(copies, key=lambda one: one.number):
            if one.attempt in merged:
                continue
            # Numbers decide among copies, whatever the clock did; time places segments between them.
            latest = max(latest, one.created)
            order = (latest, one.number)
            sources.append(_Source(one.key, one.bits, order, one.hdv, one.table, one.collections, False))
        return sorted(sources, key=lambda source: source.order)

    async def _lost(self, source: _Source, full: NDArray[np.bool_]) -> dict[int, str | None]:
        """Rows of a set that the database lacks, with the tier that its activity names."""
        places = np.flatnonzero(full)
        if not len(places):
            return {}
        ids = np.concatenate([packed_ids(t.column("id")) for t in read_tables(self._table(source), ["id"])])
        lost: dict[int, str | None] = {}
        for begin in range(0, len(places), _BATCH):
            some = {unpacked_id(ids[place]): int(place) for place in places[begin : begin + _BATCH]}
            async with self._session.transaction(snapshot=True) as connection:
                for memory_id, tier in await (await connection.execute(_LOST, ([*some],))).fetchall():
                    if self._tier is None or tier is None or tier == self._tier:
                        lost[some[memory_id]] = tier
        return lost

    async def _restore(
        self, source: _Source, wanted: dict[int, str | None], changed: dict[UUID, str], total: int
    ) -> None:
        try:
            hdv = await fetch(self._store, source.hdv, self._folder / "hdv.npy")
        except (ObjectCorrupted, LookupError) as error:
            self._leave_out(str(error))
            return
        vectors = np.load(hdv, mmap_mode="r")
        begin = 0
        for table in read_tables(self._table(source)):
            rows = [place for place in range(begin, begin + table.num_rows) if place in wanted]
            if rows:
                picked = table.take(pa.array([place - begin for place in rows]))
                staged = [
                    row
                    for place, values in zip(rows, picked.to_pylist(), strict=True)
                    if (row := self._staged(source, values, wanted[place], changed, vectors[place]))
                    is not None
                ]
                await self._write(source, staged, total)
            begin += table.num_rows

    def _staged(
        self,
        source: _Source,
        row: dict[str, Any],
        tier: str | None,
        changed: dict[UUID, str],
        vector: NDArray[np.uint8],
    ) -> dict[str, Any] | None:
        memory_id = (
            row["id"] if isinstance(row["id"], UUID) else unpacked_id(packed_ids(pa.array([row["id"]]))[0])
        )
        copied = "cold" if source.is_segment else row["tier"]
        place = tier or copied
        if self._tier is not None and place != self._tier:
            return None
        if memory_id in changed:
            row["attributes"], row["content_sha256"] = changed[memory_id], None
        if tier is None:
            self._fresh.add((row["tenant"], row["collection"]))
        row |= {"id": memory_id, "hdv": PackedBits.of(vector), "tier": place}
        # As text, which keeps every number.
        row["attributes"] = Jsonb(row["attributes"], dumps=str)
        row["pinned"] = row.get("pinned", False)
        return row

    async def _write(self, source: _Source, rows: list[dict[str, Any]], total: int) -> None:
        for name in sorted({row["collection"] for row in rows}):
            await self._collection(source, name)
        tiers = {row["id"]: row["tier"] for row in rows}
        async with self._session.transaction() as connection:
            await connection.execute("select mnemo.open_copy_staging()")
            async with connection.cursor().copy(_COPY.encode()) as copy:
                copy.set_types([*_STAGED.values()])
                for row in rows:
                    await copy.write_row([row[name] for name in _STAGED])
            restored = await (await connection.execute("select * from mnemo.restore_copies()")).fetchall()
        for (memory_id,) in restored:
            tier = tiers.pop(memory_id)
            self._report.restored[tier] = self._report.restored.get(tier, 0) + 1
        for row in rows:
            if row["id"] in tiers and row["key"] is not None:
                self._leave_out(
                    f"memory {row['id']} was not brought back: its key {row['key']!r} is another's"
                )
        if self._on_progress is not None:
            self._on_progress(self._report.memories, total)

    async def _collection(self, source: _Source, name: str) -> None:
        """Create a collection as it was; refuse memories that were encoded in another way than here."""
        theirs = source.collections.get(name)
        if theirs is None or self._checked.get(name) == theirs:
            return
        async with self._session.transaction() as connection:
            row = await (await connection.execute(_COLLECTION, (name,))).fetchone()
            if row is None:
                given = {key: theirs[key] for key in _GIVEN if key in theirs}
                names = ", ".join(f"{key} => %s" for key in given)
                values = [Jsonb(v) if isinstance(v, dict) else v for v in given.values()]
                await connection.execute(_CREATE.format(names).encode(), (name, *values))
                row = await (await connection.execute(_COLLECTION, (name,))).fetchone()
        assert row is not None
        differences = [
            f"{key} is {row[0].get(key)!r} here and {theirs[key]!r} there"
            for key in _ENCODED
            if key in theirs
            and row[0].get(key) != theirs[key]
            # Taken from the first embedding, where it was not given.
            and not (key == "dimension" and None in (theirs[key], row[0].get(key)))
        ]
        if differences:
            raise ArchiveConflict(
                f"the memories of collection {name!r} in {source.key} were encoded otherwise:"
                f" {'; '.join(differences)}"
            )
        self._checked[name] = theirs

    async def _recount(self) -> None:
        """Count words anew where memories came back that the statistics of this database may not know."""
        for tenant, collection in sorted(self._fresh):
            async with self._session.transaction() as connection:
                await connection.execute("select set_config('mnemo.tenant', %s, true)", (tenant,))
                await connection.execute(_RECOUNT, {"tenant": tenant, "collection": collection})


def _note_changes(path: Path, overlay: NDArray[np.bool_], changed: dict[UUID, str]) -> None:
    begin = 0
    if not overlay.any():
        return
    for table in read_tables(path, ["id", "attributes"]):
        mask = overlay[begin : begin + table.num_rows]
        if mask.any():
            some = table.filter(pa.array(mask))
            for pair, value in zip(packed_ids(some.column("id")), some.column("attributes"), strict=True):
                changed[unpacked_id(pair)] = value.as_py()
        begin += table.num_rows


def _segment(key: str, data: bytes) -> _Source:
    if hashlib.sha256(data).hexdigest() != key.rpartition("/")[2].partition(".")[0]:
        raise ObjectCorrupted(f"{key} is not what was written: its SHA-256 differs")
    manifest = read_manifest(key, data)
    order = (manifest.created, 0)
    return _Source(key, manifest.bits, order, manifest.hdv, manifest.table, manifest.collections, True)
