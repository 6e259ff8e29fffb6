"""Mnemo's own answers without a trace: every transaction is rolled back, so no answer counts as an access."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.parameters import PackedBits
from engine.database.pool import Connection, Pool, make_pool
from engine.evaluation.questions import Question
from engine.memory import Recall
from engine.mnemo import Mnemo
from engine.recall.questions import question, statement


class RollingBack(Pool):
    """Connections on which nothing is committed."""

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Connection]:  # noqa: ASYNC109
        """Lend a connection in a transaction that is rolled back when it is returned."""
        async with super().connection(timeout) as lent, lent.transaction(force_rollback=True):
            yield lent


@asynccontextmanager
async def rehearsal(mnemo: Mnemo, settings: Settings) -> AsyncIterator[Mnemo]:
    """Yield another Mnemo on the same database whose recalls leave it as it was."""
    pool = make_pool(mnemo.dsn, settings, RollingBack)
    try:
        with translate_errors():
            await pool.open(wait=True, timeout=settings.pool.timeout_seconds)
        yield Mnemo(pool, mnemo.dsn, settings, mnemo.bits)
    finally:
        await pool.close()


async def answer(
    mnemo: Mnemo, method: Literal["recall", "search"], asked: Question, collection: str, k: int, exact: bool
) -> Recall:
    """Ask a question: `recall` as the API does, `search` the first stage alone."""
    with asked.named():
        if method == "recall":
            return await mnemo.recall(
                asked.text,
                embedding=asked.embedding,
                roles=asked.roles,
                k=k,
                collection=collection,
                context=asked.context,
                where=asked.where,
                exact=exact,
            )
        started = time.perf_counter()
        hdv = await _hypervector(mnemo, asked, collection)
        # Asked with a hypervector there is nothing that a second stage could go by.
        found = await mnemo.search(
            hdv, k=k, collection=collection, context=asked.context, where=asked.where, exact=exact
        )
        return replace(found, latency_ms=(time.perf_counter() - started) * 1000)


async def _hypervector(mnemo: Mnemo, asked: Question, collection: str) -> NDArray[np.uint8]:
    how = await mnemo.collection(collection)
    whole = question(asked.text, asked.embedding, asked.roles, how, asked.context, mnemo.bits)
    with translate_errors():
        async with mnemo.pool.connection() as connection:
            made = await statement(connection, whole, "search", 1, asked.where, exact=False)
    (packed,) = (given for given in made.parameters if isinstance(given, PackedBits))
    return np.frombuffer(packed, np.uint8)
