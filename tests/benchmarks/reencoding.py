"""Consolidation that encodes anew: how fast memories are prepared, and what their moves cost more."""

import time

import numpy as np

from engine import Memory, Mnemo
from engine.consolidation.reencoding import Reencoder
from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage, only, set_to

_LATER = "2100-01-01"
_DIMENSION = 384
_TURNS = 40


async def reencoding(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Move conversations to the warm tier in bulk and row by row, with and without hypervectors made anew."""
    rows = min(options.scaled(20_000, 100), len(corpus.texts))
    made = await _moved(stage, corpus, rows, bulk=True, anew=True)
    plain = await _moved(stage, corpus, rows, bulk=True, anew=False)
    few = min(options.scaled(5_000, 60), rows)
    made_few = await _moved(stage, corpus, few, bulk=False, anew=True)
    plain_few = await _moved(stage, corpus, few, bulk=False, anew=False)
    return [
        Row(
            "memories encoded anew before they move, by one worker, a second",
            rows / made[0],
            "",
            f"{rows:,} texts with embeddings, neighbours on both sides, in {made[0]:.1f} s",
        ),
        _against("in bulk", rows, made[1], plain[1]),
        _against("row by row", few, made_few[1], plain_few[1]),
    ]


def _against(how: str, rows: int, made: float, plain: float) -> Row:
    return Row(
        f"moves {how} that take a new hypervector along, against moves",
        made / plain,
        "x",
        f"{rows:,} memories, {rows / made:,.0f} against {rows / plain:,.0f} a second",
        at_least=False,
    )


async def _moved(stage: Stage, corpus: Corpus, rows: int, *, bulk: bool, anew: bool) -> tuple[float, float]:
    """Return the seconds of preparing and of moving."""
    dsn = stage.database()
    embeddings = np.random.default_rng(0).standard_normal((rows, _DIMENSION), np.float32)
    async with Mnemo.open(dsn) as mnemo:
        await mnemo.remember_many(
            [
                Memory(text, context=f"c{place // _TURNS}", embedding=embedding, importance=0.75)
                for place, (text, embedding) in enumerate(zip(corpus.texts, embeddings, strict=False))
            ],
            bulk=True,
        )
    connection = stage.connect(dsn)
    least = rows // 2 if bulk else 10**6
    connection.execute(
        "select mnemo.configure(jsonb_build_object('bulk_move_rows', %s::integer,"
        " 'bulk_move_most', 1000000))",
        (least,),
    )
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")
    set_to(connection, "mnemo.clock", _LATER)
    preparing = await _prepared(dsn) if anew else 0.0
    connection.execute("checkpoint")
    began = time.perf_counter()
    connection.execute("call mnemo.consolidate()")
    moving = time.perf_counter() - began
    _check(connection, rows, "c" if anew else "w")
    return preparing, moving


async def _prepared(dsn: str) -> float:
    async with Mnemo.open(dsn) as mnemo, mnemo.pool.connection() as connection:
        await connection.execute("select set_config('mnemo.clock', %s, false)", (_LATER,))
        began = time.perf_counter()
        reencoder = Reencoder()
        for batch in await reencoder.due(connection):
            await reencoder.encode(connection, batch)
        return time.perf_counter() - began


def _check(connection: Connection, rows: int, encoded: str) -> None:
    found = only(
        connection,
        "select count(*) from mnemo.memory m join mnemo.activity a using (bucket, id)"
        " where a.tier = 'warm' and m.encoded = %s",
        encoded,
    )
    assert found == rows, f"{found} of {rows} memories moved as they should"
