"""Large items go through in chunks: what is in memory does not grow with them."""

import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.vault.conftest import Opener

pytestmark = pytest.mark.slow

CHUNK = 256 * 1024
SIZE = 64 * 1024 * 1024
# Of a read: 4 MiB sealed, as the server sent them and as they were parsed. Of a write, a few chunks.
MOST = 24 * 1024 * 1024


async def made() -> AsyncIterator[bytes]:
    """Yield SIZE bytes, in pieces that fit no chunk."""
    piece, left, number = 100_003, SIZE, 0
    while left:
        yield sha256(str(number).encode()).digest() * 3126 if left > piece else bytes(left)
        left -= 3126 * 32 if left > piece else left
        number += 1


async def test_large_items_are_never_in_memory(open_mnemo: Opener, tmp_path: Path) -> None:
    async with open_mnemo(chunk_bytes=CHUNK) as mnemo:
        written, read = sha256(), sha256()
        await mnemo.vault.put("warm", b"up")

        async def counted() -> AsyncIterator[bytes]:
            async for piece in made():
                written.update(piece)
                yield piece

        tracemalloc.start()
        try:
            await mnemo.vault.put("large", counted())
            _, put_peak = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            async for chunk in mnemo.vault.stream("large"):
                read.update(chunk)
            _, get_peak = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await mnemo.vault.export("large", tmp_path / "large")
            _, export_peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert read.digest() == written.digest()
        assert (tmp_path / "large").stat().st_size == SIZE
        assert max(put_peak, get_peak, export_peak) < MOST, (put_peak, get_peak, export_peak)
