"""The demo's memories: documentation strings, stored in one transaction or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

from engine.demo.docstrings import docstrings
from engine.memory import Memory
from engine.mnemo import Mnemo

COLLECTION = "demo"
# One transaction: more than any Python installation documents, and within what ingest.batch_rows may be.
_ALL = 100_000


async def stored(mnemo: Mnemo, origin: str) -> int:
    """Return how many documentation strings of an origin are there; 0 means none, for loading is atomic."""
    await mnemo.ensure_collection(COLLECTION)
    return await mnemo.count({"origin": origin}, collection=COLLECTION)


async def can_load_in_bulk(mnemo: Mnemo) -> bool:
    """Return whether the hot tier is empty, so that its indexes can be built after the rows."""
    return all(tier.memories == 0 for tier in await mnemo.stats() if tier.tier == "hot")


async def load(
    mnemo: Mnemo, origin: str, root: Path | None, bulk: bool, read: Callable[[str | None], None]
) -> int:
    """Store the documentation strings below `root` (see `docstrings`) and return how many.

    `read` is called with the key of each that is read, and with None after the last. Interrupted, it has
    stored none.
    """
    memories = _memories(origin, root, read)
    ids = await mnemo.remember_many(
        memories, collection=COLLECTION, bulk=bulk, batch_rows=None if bulk else _ALL
    )
    return len(ids)


def _memories(origin: str, root: Path | None, read: Callable[[str | None], None]) -> Iterator[Memory]:
    for key, text in docstrings(root):
        read(key)
        yield Memory(text, key=key, context=key.partition(":")[0], attributes={"origin": origin})
    read(None)
