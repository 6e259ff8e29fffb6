"""Mnemo's own answers without a trace: every transaction is rolled back, so no answer counts as an access."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from engine.config import Settings
from engine.database.errors import translate_errors
from engine.database.pool import Connection, Pool, make_pool
from engine.evaluation.questions import Question
from engine.memory import Recall
from engine.mnemo import Mnemo


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
    mnemo: Mnemo,
    method: Literal["recall", "search"],
    question: Question,
    collection: str,
    k: int,
    exact: bool,
) -> Recall:
    """Ask a question as `method` of the API does."""
    asked: dict[str, Any] = {} if question.roles is None else {"roles": question.roles}
    ask = mnemo.recall if method == "recall" else mnemo.search
    with question.named():
        return await ask(
            question.text,
            embedding=question.embedding,
            k=k,
            collection=collection,
            context=question.context,
            where=question.where,
            exact=exact,
            **asked,
        )
