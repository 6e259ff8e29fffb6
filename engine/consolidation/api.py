"""Moving memories, as methods of `Mnemo`: what a worker moves is encoded anew first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from engine.consolidation.reencoding import Connection, Reencoder
from engine.database.errors import translate_errors
from engine.database.pool import Pool
from engine.memory import MemoryId, Tier

_MOVES = "select count(*) from mnemo.move_log l where l.at >= %s"
_MAY_ENCODE = "select has_function_privilege('mnemo.surroundings(uuid[])', 'execute')::integer"


@dataclass(frozen=True, slots=True)
class Consolidation:
    """What a consolidation has done so far: memories moved, by whomever, and memories encoded anew."""

    moved: int
    encoded: int


class ConsolidatingApi:
    """Moving by policy and by hand; docs/lifecycle.md tells the rules."""

    _pool: Pool

    async def consolidate(self, progress: Callable[[Consolidation], None] | None = None) -> Consolidation:
        """Move every memory of every tenant to the tier that the policies say, in short transactions.

        Those about to move are first encoded anew with what came before and after them in their session.
        Killed at any moment, the next call goes on. `progress` is told after each transaction.
        """
        reencoder = Reencoder()
        encoded = 0
        with translate_errors():
            async with self._pool.connection() as connection:
                row = await (await connection.execute("select mnemo.now()")).fetchone()
                began = row[0] if row is not None else None
                before = await _number(connection, _MOVES, began)

                async def tell() -> Consolidation:
                    done = Consolidation(await _number(connection, _MOVES, began) - before, encoded)
                    if progress is not None:
                        progress(done)
                    return done

                while True:
                    # Again while deadlines are computed anew, since nobody knows what is due before.
                    stale = await _number(connection, "select count(*) from mnemo.stale_deadline")
                    for batch in await reencoder.due(connection):
                        encoded += await reencoder.encode(connection, batch)
                        await tell()
                    while done := await _step(connection):
                        await tell()
                        if stale:
                            break
                    if not done:
                        return await tell()

    async def promote(self, memory_ids: Sequence[MemoryId], tier: Tier = "hot") -> int:
        """Move memories to a faster tier; return how many moved. Pinned ones stay.

        A worker encodes them anew first; for others they move as they are.
        """
        return await self._moved("select mnemo.promote(%s::uuid[], %s)", memory_ids, tier)

    async def demote(self, memory_ids: Sequence[MemoryId], tier: Tier = "warm") -> int:
        """Move memories to a slower tier; otherwise as `promote`."""
        return await self._moved("select mnemo.demote(%s::uuid[], %s)", memory_ids, tier)

    async def _moved(self, statement: str, memory_ids: Sequence[UUID], tier: Tier) -> int:
        with translate_errors():
            async with self._pool.connection() as connection:
                if await _number(connection, _MAY_ENCODE):
                    await Reencoder().prepare(connection, memory_ids)
                return await _number(connection, statement, list(memory_ids), tier)


async def _step(connection: Connection) -> int:
    async with connection.transaction():
        # Whatever the role's own level: in a snapshot as old as the wait for a lock, a step could only fail.
        await connection.execute("set transaction isolation level read committed")
        return await _number(connection, "select mnemo.consolidate_step()")


async def _number(connection: Connection, query: str, *parameters: object) -> int:
    row = await (await connection.execute(query.encode(), parameters)).fetchone()
    assert row is not None
    return int(row[0])
