"""Drafts into pg_temp.memory_staging by binary COPY: the one kind of bulk data that Python writes itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from engine.database.parameters import PackedBits
from engine.memory import Tier

_COLUMNS = {
    "ordinal": "int4",
    "content": "text",
    "hdv": "varbit",
    "embedding": "bytea",
    "context": "text",
    "session": "text",
    "occurred_at": "timestamptz",
    "attributes": "jsonb",
    "key": "text",
    "collection": "text",
    "importance": "float8",
    "tier": "text",
    "pinned": "bool",
    # A "char", which the driver cannot write: one byte, as the text is.
    "encoded": "text",
    "terms": "text[]",
    "words": "int4",
}
_COPY = f"copy pg_temp.memory_staging ({', '.join(_COLUMNS)}) from stdin (format binary)"


@dataclass(frozen=True, slots=True)
class Draft:
    """One row of the staging table, its fields in the order of the columns after `ordinal`."""

    content: str
    hdv: PackedBits
    embedding: bytes | None
    context: str | None
    session: str | None
    occurred_at: datetime | None
    attributes: dict[str, Any]
    key: str | None
    collection: str
    importance: float | None
    tier: Tier
    pinned: bool
    encoded: Literal["g", "w"]
    terms: list[str]
    words: int


async def stage(cursor: AsyncCursor[TupleRow], drafts: Iterable[Draft]) -> None:
    """Copy drafts into the staging table, in the cursor's transaction; it is empty again after that."""
    await cursor.execute("select mnemo.open_staging()")
    async with cursor.copy(_COPY) as copy:
        copy.set_types(list(_COLUMNS.values()))
        for ordinal, draft in enumerate(drafts):
            await copy.write_row(
                (
                    ordinal,
                    draft.content,
                    draft.hdv,
                    draft.embedding,
                    draft.context,
                    draft.session,
                    draft.occurred_at,
                    Jsonb(draft.attributes),
                    draft.key,
                    draft.collection,
                    draft.importance,
                    draft.tier,
                    draft.pinned,
                    draft.encoded,
                    draft.terms,
                    draft.words,
                )
            )
