"""What vault items cost to put and to get, by size and by layer, and how fast keys rotate."""

import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from engine import Mnemo
from engine.config import Settings
from engine.vault.protocol import ItemHeader, KeyHeader
from engine.vault.registry import make_cipher, open_keys
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage

_CHUNK = 1024 * 1024
_TENANT = "default"
_PAYLOAD = (
    "select count(*), sum(pg_column_size(c.body)), md5(string_agg(c.ctid::text, '' order by item, position))"
    " from mnemo.vault_chunk c"
)


async def vault(stage: Stage, options: Options) -> list[Row]:
    """Put and get items of three sizes, take the layers one by one, rotate and shred."""
    dsn = stage.database()
    connection = stage.connect(dsn)
    folder = Path(tempfile.mkdtemp(prefix="mnemo-bench-keys-"))
    try:
        return await _vault(dsn, connection, folder, options)
    finally:
        shutil.rmtree(folder)


async def _vault(dsn: str, connection: Connection, folder: Path, options: Options) -> list[Row]:
    settings = Settings(dsn=dsn, vault={"keys": f"file:{folder / 'keys'}", "chunk_bytes": _CHUNK})
    rows: list[Row] = []
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        names = map(str, count())
        for label, size, times in (
            ("1 KB", 1_000, options.scaled(300, 3)),
            ("1 MB", 1_000_000, options.scaled(20, 2)),
            ("100 MB", options.scaled(100_000_000, 3_000_000), options.scaled(2, 1)),
        ):
            rows += await _size(mnemo, connection, label, size, times, lambda: next(names))
        rows += await _rotation(mnemo, connection, settings, options.scaled(100_000, 100))
    return rows


async def _size(
    mnemo: Mnemo, connection: Connection, label: str, size: int, times: int, name: Callable[[], str]
) -> list[Row]:
    content = (b"what nobody else reads; " * (size // 24 + 1))[:size]
    put, got = [], []
    for _ in range(times):
        called = name()
        began = time.perf_counter()
        await mnemo.vault.put(called, _pieces(content))
        put.append(time.perf_counter() - began)
        began = time.perf_counter()
        read = 0
        async for chunk in mnemo.vault.stream(called):
            read += len(chunk)
        got.append(time.perf_counter() - began)
        assert read == size
    layers = _layers(connection, content[:_CHUNK], max(1, -(-size // _CHUNK)), 20)
    in_, out = statistics.median(put), statistics.median(got)
    figures = "; ".join(f"{layer} {1000 * seconds:,.2f} ms" for layer, seconds in layers.items())
    megabytes = size / 1e6
    return [
        Row(f"vault items of {label} put", 1 / in_, "/s", f"{megabytes / in_:,.1f} MB/s; of it {figures}"),
        Row(f"vault items of {label} got", 1 / out, "/s", f"{megabytes / out:,.1f} MB/s"),
    ]


def _layers(connection: Connection, chunk: bytes, chunks: int, turns: int) -> dict[str, float]:
    """Return the seconds that each layer takes of one item, alone; pgcrypto without what is sent to it."""
    key, nonce = b"k" * 32, b"n" * 12
    cipher = make_cipher()
    header = ItemHeader(uuid4(), _TENANT, "memory")
    named = "select octet_length(mnemo.vault_encrypt(%b::bytea, %s::text))"
    layers: dict[str, Callable[[], object]] = {
        "AES-256-GCM": lambda: AESGCM(key).encrypt(nonce, chunk, b""),
        "ChaCha20-Poly1305": lambda: ChaCha20Poly1305(key).encrypt(nonce, chunk, b""),
        "both, with keys derived": lambda: cipher.seal(key, header, 0, True, chunk),
        "sent": lambda: connection.execute("select octet_length(%b::bytea)", (chunk,), prepare=True),
        "pgcrypto": lambda: connection.execute(named, (chunk, key.hex()), prepare=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(turns + 1):
        for name, work in layers.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    # The first turn warms up.
    medians = {name: statistics.median(each[1:]) * chunks for name, each in seconds.items()}
    return medians | {"pgcrypto": medians["pgcrypto"] - medians["sent"]}


async def _rotation(mnemo: Mnemo, connection: Connection, settings: Settings, keys: int) -> list[Row]:
    """Rotate a tenant's data keys; payloads must stay where they lie."""
    await _fill(connection, settings, keys)
    before = connection.execute(_PAYLOAD).fetchone()
    began = time.perf_counter()
    rotation = await mnemo.vault.rotate()
    seconds = time.perf_counter() - began
    assert rotation.rewrapped >= keys
    assert connection.execute(_PAYLOAD).fetchone() == before
    shredded = f"among {rotation.rewrapped:,} keys"
    began = time.perf_counter()
    await mnemo.vault.shred(["0"])
    shred = time.perf_counter() - began
    return [
        Row(
            "data keys rotated",
            rotation.rewrapped / seconds,
            "/s",
            f"{rotation.rewrapped:,} in {seconds:.1f} s; no chunk moved",
        ),
        Row(
            "a vault item shredded",
            shred,
            "s",
            f"{shredded}, rewrapped; the old epoch keys destroyed",
        ),
    ]


async def _fill(connection: Connection, settings: Settings, keys: int) -> None:
    cipher = make_cipher()
    row = connection.execute("select epoch from mnemo.active_epoch()").fetchone()
    assert row is not None
    async with open_keys(settings) as store:
        epoch_key = await store.fetch(_TENANT, row[0])
    with connection.cursor().copy(
        "copy mnemo.data_key (id, tenant, purpose, epoch, wrapped) from stdin (format binary)"
    ) as copy:
        copy.set_types(["uuid", "text", "text", "int4", "bytea"])
        for _ in range(keys):
            owner: UUID = uuid4()
            wrapped = cipher.wrap(epoch_key, KeyHeader(owner, _TENANT, row[0]), cipher.new_data_key())
            copy.write_row((owner, _TENANT, "memory", row[0], wrapped))
    connection.execute("vacuum analyze mnemo.data_key")


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for first in range(0, len(content), _CHUNK):
        yield content[first : first + _CHUNK]
