"""Mnemo from Python: one asynchronous object over a pool of connections."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter, ValidationError

from engine.archive.api import ArchiveApi
from engine.archive.searching import ArchiveReader
from engine.audit import Audit
from engine.config import Settings
from engine.consolidation.api import ConsolidatingApi
from engine.database.errors import translate_errors
from engine.database.pool import Pool, make_pool
from engine.doctor import Finding
from engine.errors import InvalidArgument
from engine.events.api import EventsApi
from engine.memory import Collection, Memory, MemoryId, TierStats
from engine.recall.api import ReadingApi
from engine.recall.explaining import ExplainingApi
from engine.server import serve
from engine.vault.api import VaultApi
from engine.vault.memories import MemorySeals
from engine.writing import Writer

STATS = (
    "select tier, memories, pinned, mean_strength, heap_bytes, index_bytes, total_bytes, segments,"
    " capacity_rows, capacity_bytes, capacity_used, latency_target_ms, latency_ms, price_per_tb_month,"
    " monthly_cost, accesses, accesses_today, due_now, target_reached from mnemo.tier_stats"
)
_TENANT = TypeAdapter[str](Annotated[str, Settings.model_fields["tenant"]])
_DOCTOR = 'select "check", status, detail, advice from mnemo.doctor(%s)'


class Mnemo(ArchiveApi, ReadingApi, ConsolidatingApi, EventsApi, ExplainingApi):
    """A long-term memory in PostgreSQL. Made by `Mnemo.open`; safe to use from many tasks at once.

    Every method raises errors of `engine.errors`; one that fails has changed nothing, except `remember_many`,
    which says in a note how many memories of earlier batches it stored.
    """

    def __init__(self, pool: Pool, dsn: str, settings: Settings, bits: int) -> None:
        self._pool = pool
        self._settings = settings
        self.vault = VaultApi(pool, settings)
        """What is sealed before it leaves this process."""
        self._seals = MemorySeals(self.vault._session, settings.vault.keys is not None)
        self._writer = Writer(pool, settings, bits, self._seals)
        self._archive = ArchiveReader(settings, bits)
        self.audit = Audit(pool)
        """Who did what for the tenant; docs/audit.md."""
        self.dsn = dsn
        """libpq connection string of the server in use."""
        self.bits = bits
        """D, the components of a hypervector."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str | None = None,
        data_dir: str | Path | None = None,
        *,
        settings: Settings | None = None,
        tenant: str | None = None,
    ) -> AsyncIterator[Self]:
        """Connect to `dsn`, else start the embedded server on `data_dir`; without either, as configured.

        The embedded database is brought up to date; one named by `dsn` must have been, by `mnemo migrate`. An
        embedded server that this call started stops with it, unless somebody else is connected by then.

        Raises:
            ConnectionFailed, EmbeddedServerError: no server.
            InstallationMismatch: no Mnemo there, or one of another version.
        """
        chosen = _with(settings or Settings(), dsn, data_dir, tenant)
        async with serve(chosen) as served:
            pool = make_pool(served.dsn, chosen)
            try:
                with translate_errors():
                    await pool.open(wait=True, timeout=chosen.pool.timeout_seconds)
                opened = cls(pool, served.dsn, chosen, served.bits)
                try:
                    yield opened
                finally:
                    await opened.vault.close()
                    await opened._archive.close()
            finally:
                await pool.close()

    @property
    def pool(self) -> Pool:
        """The connections, for statements that no method here makes; its errors are the driver's."""
        return self._pool

    @property
    def writer(self) -> Writer:
        """The write path below `remember_many`, for those who keep account of a source."""
        return self._writer

    async def remember(self, content: str, **fields: Any) -> MemoryId:
        """Store one memory and return its id; `fields` are those of `Memory`, and `collection`."""
        collection = fields.pop("collection", "memories")
        return (await self.remember_many([Memory(content, **fields)], collection=collection))[0]

    async def remember_many(
        self,
        memories: Iterable[Memory],
        *,
        collection: str = "memories",
        batch_rows: int | None = None,
        bulk: bool = False,
    ) -> list[MemoryId]:
        """Store memories and return their ids in order; each batch is one transaction.

        With `bulk`, all are one transaction, which needs an empty tier and builds its indexes after the rows:
        several times faster; recall goes on meanwhile, other writers to the tier wait.
        """
        write = self._writer.bulk_load if bulk else self._writer.write
        return [one async for batch in write(memories, collection, batch_rows=batch_rows) for one in batch]

    async def forget(self, memory_id: MemoryId) -> bool:
        """Forget a memory for good; False when there is none of that id."""
        return bool(await self._value("select mnemo.forget(%s)", memory_id))

    async def forget_many(self, memory_ids: Sequence[MemoryId]) -> int:
        """Forget memories for good, all in one transaction; return how many there were."""
        return int(await self._value("select mnemo.forget_many(%s::uuid[])", list(memory_ids)))

    async def tenant(self) -> str:
        """Return the tenant that this connection acts for; TenantRefused where its role may not."""
        return str(await self._value("select mnemo.tenant()"))

    async def count(self, where: Mapping[str, Any] | None = None, *, collection: str = "memories") -> int:
        """Return how many memories of a collection match a filter; archived ones are not counted."""
        asked = await self._asked(where, collection)
        return int(
            await self._value("select mnemo.count_memories(%s::text, %s)", collection, Jsonb(dict(asked)))
        )

    async def pin(self, memory_id: MemoryId, pinned: bool = True) -> None:
        """Keep a memory in its tier, or let it move again."""
        await self._value("select mnemo.pin(%s, %s)", memory_id, pinned)

    async def reinforce(self, memory_id: MemoryId) -> float:
        """Strengthen a memory as an access does; return its strength, 0 to 1."""
        return float(await self._value("select mnemo.reinforce(%s)", memory_id))

    async def create_collection(self, name: str, **definition: Any) -> bool:
        """Create a collection; False when it is there. For `definition` see mnemo.create_collection."""
        allowed = (
            "dimension",
            "seed",
            "bucket_rule",
            "bind_context",
            "keep_embedding",
            "confidence_distance",
            "encoder",
            "encoding",
            "sealed",
        )
        unknown = set(definition) - set(allowed)
        if unknown:
            raise InvalidArgument(f"unknown part of a collection's definition: {', '.join(sorted(unknown))}")
        named = [part for part in allowed if part in definition]
        arguments = "".join(f", {part} => %s" for part in named)
        return bool(
            await self._value(
                f"select mnemo.create_collection(%s::text{arguments})",
                name,
                *(Jsonb(definition[p]) if p == "encoding" else definition[p] for p in named),
            )
        )

    async def ensure_collection(self, name: str) -> None:
        """Create a collection with the default definition unless there is one of that name."""
        await self._value(
            "select mnemo.create_collection(%s)"
            " where not exists (select from mnemo.collection c where c.name = %s)",
            name,
            name,
        )

    async def collection(self, name: str = "memories") -> Collection:
        """Return how a collection encodes its memories."""
        return await self._writer.collection(name, embedding=True)

    async def stats(self) -> list[TierStats]:
        """Return what each tier holds, costs and answers, fastest first."""
        with translate_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(TierStats)) as cursor,
            ):
                await cursor.execute(STATS)
                return await cursor.fetchall()

    async def doctor(self, deep: bool = False) -> list[Finding]:
        """Look for the traps of this field, as `mnemo.doctor` does; `deep` also reads every memory."""
        with translate_errors():
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(Finding)) as cursor,
            ):
                await cursor.execute(_DOCTOR, (deep,))
                return await cursor.fetchall()

    async def _value(self, query: str, *parameters: Any) -> Any:
        with translate_errors():
            async with self._pool.connection() as connection:
                row = await (await connection.execute(query, parameters)).fetchone()
        return row[0] if row is not None else None


def _with(settings: Settings, dsn: str | None, data_dir: str | Path | None, tenant: str | None) -> Settings:
    changes: dict[str, Any] = {}
    if dsn is not None:
        changes["dsn"] = dsn
    elif data_dir is not None:
        changes |= {"dsn": None, "data_dir": Path(data_dir)}
    if tenant is not None:
        try:
            changes["tenant"] = _TENANT.validate_python(tenant)
        except ValidationError as error:
            # An empty one, taken as it is, would read the memories of the tenant 'default'.
            raise InvalidArgument(
                f"tenant must be 1 to 200 characters, no control characters, not {tenant!r}"
            ) from error
    return settings.model_copy(update=changes)
