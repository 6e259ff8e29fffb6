"""A fresh collection to measure on, filled from a file of memories."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine.database.errors import translate_errors
from engine.errors import InvalidArgument
from engine.ingest import Plan, Reporter, ingest
from engine.ingest.identity import source_name
from engine.ingest.npy import EmbeddingFile
from engine.ingest.plan import format_of
from engine.ingest.records import read_records
from engine.mnemo import Mnemo

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Memories:
    """A file of memories as `mnemo ingest` reads it, and the collection that it is to fill.

    `encoding` and `ranking`: weights of the collection, as mnemo.encoding and mnemo.ranking take them.
    `collection` None: one named after all of this, so that the same is filled once and something else goes
    elsewhere. `consolidated`: its memories are moved to the warm tier, encoded anew with both sides.
    """

    path: Path
    embeddings: Path | None = None
    encoding: Mapping[str, Any] | None = None
    ranking: Mapping[str, Any] | None = None
    collection: str | None = None
    consolidated: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled collection: how many memories were stored now, and the embeddings float32[d] by key."""

    collection: str
    stored: int
    embeddings: Mapping[str, NDArray[np.float32]]


async def fill(mnemo: Mnemo, memories: Memories, reporter: Reporter) -> Filled:
    """Store a file in a collection of its own; one that an earlier call filled from it is taken as it is.

    Raises what `engine.ingest.ingest` does, and InvalidArgument where the collection has other memories or
    another encoding.
    """
    plan = Plan(memories.path, format_of(memories.path), embeddings=memories.embeddings)
    source = await source_name(plan)
    if source is None:
        raise InvalidArgument(f"{memories.path} is no file: memories to measure on are read more than once")
    encoding, ranking = dict(memories.encoding or {}), dict(memories.ranking or {})
    more = [{"consolidated": True}] if memories.consolidated else []
    name = memories.collection or f"eval_{_digest(source, encoding, ranking, *more)}"
    plan = Plan(plan.path, plan.format, name, embeddings=plan.embeddings)
    with translate_errors():
        async with mnemo.pool.connection() as connection:
            await connection.execute(
                "select mnemo.create_collection(%s, encoding => %s, ranking => %s)",
                (name, Jsonb(encoding), Jsonb(ranking)),
            )
    if await mnemo.count(collection=name) and not await mnemo.writer.ingest_position(source, name):
        raise InvalidArgument(
            f"collection '{name}' has memories that are not from {memories.path}: measure on it without"
            " --memories, or name another with --collection"
        )
    outcome = await ingest(mnemo, plan, reporter)
    if memories.consolidated:
        await _consolidate(mnemo, name)
    return Filled(name, outcome.stored, await _embeddings(mnemo, plan))


async def _consolidate(mnemo: Mnemo, collection: str) -> None:
    after = None
    while page := await mnemo.scroll(after, limit=_PAGE, collection=collection):
        await mnemo.demote([record.memory_id for record in page], "warm")
        after = page[-1].memory_id


async def _embeddings(mnemo: Mnemo, plan: Plan) -> dict[str, NDArray[np.float32]]:
    if plan.embeddings is None:
        return {}
    longest = await mnemo.writer.content_max_bytes()
    return {
        record.memory.key: np.asarray(record.memory.embedding, np.float32)
        for record in read_records(plan, EmbeddingFile(plan.embeddings), longest, 0)
        if record.memory is not None and record.memory.key is not None
    }


def _digest(source: str, *weights: dict[str, Any]) -> str:
    return sha256(f"{source}{json.dumps(weights, sort_keys=True)}".encode()).hexdigest()[:12]
