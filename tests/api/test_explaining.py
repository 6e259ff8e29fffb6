"""Scores, reasons and probes from Python."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from engine import Memory, Mnemo
from engine.config import Settings
from engine.errors import InvalidArgument, InvalidEmbedding, UnknownMemory
from engine.memory import MemoryId
from engine.recall.explaining import Reason, RoleValue
from tests.conftest import Connection

TALK = ("Ann: I painted the lake at sunrise", "Ben: a lovely painting", "Ann: it hangs in the gallery now")


@pytest.fixture
async def mnemo(dsn: str) -> AsyncIterator[Mnemo]:
    """Mnemo on the test's own database, memories without importance being born at 0.5."""
    async with Mnemo.open(dsn, settings=Settings(lifecycle={"importance": 0.5})) as opened:
        yield opened


async def test_m3_scores_are_strength_at_birth_where_nothing_else_is_said(
    mnemo: Mnemo, connection: Connection
) -> None:
    scores = {"significance": 0.9, "confidence": 0.5, "tags": ["a"]}
    ids = await mnemo.remember_many(
        [
            Memory("plain"),
            Memory("scored", scores=scores),
            Memory("both", scores=scores, importance=0.2),
            Memory("among others", attributes={"scores": scores, "x": 1}),
        ]
    )
    rows: dict[UUID, float] = dict(connection.execute("select id, strength from mnemo.memories").fetchall())
    # Half way from 0.8, what nothing is known of, to 0.9.
    assert [rows[one] for one in ids] == pytest.approx([0.5, 0.85, 0.2, 0.85])
    stored = {record.content: record.attributes for record in await mnemo.get(ids)}
    assert stored["plain"] == {}
    # A spark of 0.9, lifted by 0.9 * 0.1 * 0.5 / 2.
    assert stored["scored"] == {"scores": {**scores, "importance": 0.85, "spark": 0.9225}} == stored["both"]
    assert stored["among others"] == {**stored["scored"], "x": 1}
    found = await mnemo.search("scored", where={"scores.spark": {"$gt": 0.9}, "scores.tags": "a"})
    assert {hit.content for hit in found} == {"scored", "both", "among others"}
    for bad in ({"significance": 2}, {"mood": 1}):
        with pytest.raises(InvalidArgument, match="score"):
            await mnemo.remember("x", scores=bad)
    with pytest.raises(InvalidArgument, match="attributes of memory 1 are not a JSON object"):
        await mnemo.remember("x", scores={"significance": float("nan")})


async def test_x11_reasons_and_probes(mnemo: Mnemo) -> None:
    vectors = np.eye(3, dtype=np.float32) + 0.1
    ids = await mnemo.remember_many(
        Memory(text, context="c", session="s", embedding=vectors[n]) for n, text in enumerate(TALK)
    )
    reasons = await mnemo.explain("Ann's painting", ids[1], embedding=vectors[0], context="c")
    assert all(isinstance(reason, Reason) for reason in reasons)
    shared = {(reason.part, reason.member): reason for reason in reasons}
    assert ("word", 0) in shared
    assert shared["meaning", -1].cosine > 0  # type: ignore[operator]
    assert {reason.part for reason in reasons[-2:]} == {"estimated", "measured"}
    (hit,) = [
        hit
        for hit in await mnemo.search("Ann's painting", embedding=vectors[0], context="c")
        if hit.memory_id == ids[1]
    ]
    assert reasons[-1].similarity == pytest.approx(hit.similarity)
    (spoken,) = await mnemo.probe(ids[1], "speaker", k=1)
    assert isinstance(spoken, RoleValue)
    assert spoken.value == "ben"
    assert spoken.z == pytest.approx((2 * spoken.similarity - 1) * 128)
    assert spoken.z > 6
    assert (await mnemo.probe(ids[0], "speaker", ["Zoe", "ANN"], k=1))[0].value == "ANN"

    nobody: Any = MemoryId(UUID(int=7))
    for wrong, expected in (
        (mnemo.explain("x", nobody), UnknownMemory),
        (mnemo.probe(nobody, "speaker"), UnknownMemory),
        (mnemo.probe(ids[0], "mood"), InvalidArgument),
        (mnemo.explain(" ", ids[0]), InvalidArgument),
        (mnemo.explain("x", ids[0], embedding=[1.0]), InvalidEmbedding),
        (mnemo.explain("x", ids[0], embedding=["a"]), InvalidEmbedding),
        (mnemo.explain("x", ids[0], roles={"mood": "glad"}), InvalidArgument),
    ):
        with pytest.raises(expected):
            await wrong
