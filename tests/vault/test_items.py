"""What goes into a vault comes out as it was, whatever its kind; what is known of it without a key."""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import sql

from engine.config import Settings
from engine.errors import InvalidArgument, InvalidConfiguration, KeyUnavailable, SealBroken, UnknownItem
from engine.mnemo import Mnemo
from tests.conftest import Connection
from tests.vault.conftest import CHUNK, Opener


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield a content in pieces, empty ones between them."""
    for start in range(0, len(content), size):
        yield content[start : start + size]
        yield b""


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
async def test_any_size_comes_back(mnemo: Mnemo, connection: Connection, size: int) -> None:
    content = os.urandom(size)
    item = await mnemo.vault.put("thing", content)
    assert await mnemo.vault.get("thing") == content
    assert [chunk async for chunk in mnemo.vault.stream("thing")] == [
        content[start : start + CHUNK] for start in range(0, max(size, 1), CHUNK)
    ]
    (found,) = await mnemo.vault.list()
    assert (found.id, found.bytes, found.chunks, found.kind) == (
        item,
        size,
        max(1, -(-size // CHUNK)),
        "memory",
    )
    stored = connection.execute("select sum(octet_length(body)), count(*) from mnemo.vault_chunk").fetchone()
    assert stored == (found.stored_bytes - len("thing{}"), found.chunks)


@pytest.mark.parametrize("size", [1, 1000, CHUNK, 10 * CHUNK])
async def test_a_stream_and_a_file_are_stored_as_they_are(mnemo: Mnemo, tmp_path: Path, size: int) -> None:
    content = os.urandom(5 * CHUNK + 7)
    await mnemo.vault.put("stream", pieces(content, size))
    (tmp_path / "file").write_bytes(content)
    await mnemo.vault.put("file", tmp_path / "file")
    assert await mnemo.vault.get("stream") == await mnemo.vault.get("file") == content


async def test_nothing_is_stored_of_a_stream_that_fails(mnemo: Mnemo, connection: Connection) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield os.urandom(3 * CHUNK)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        await mnemo.vault.put("half", failing())
    assert connection.execute("select from mnemo.vault_chunk").rowcount == 0
    assert await mnemo.vault.list() == []


async def test_a_conversation_comes_back_as_its_messages(mnemo: Mnemo) -> None:
    messages = [{"role": "user", "content": "line\nline\u2028end"}, {"role": "assistant", "content": "ä"}]
    await mnemo.vault.put_conversation("talk", messages, metadata={"agent": "a"})
    assert await mnemo.vault.get_conversation("talk") == messages
    (found,) = await mnemo.vault.list(kind="conversation")
    assert found.metadata == {"agent": "a"}
    with pytest.raises(InvalidArgument):
        await mnemo.vault.put_conversation("bad", [{"x": float("nan")}])


async def test_items_are_found_by_kind_and_metadata(mnemo: Mnemo) -> None:
    happened = datetime(2020, 1, 2, tzinfo=UTC)
    await mnemo.vault.put("b", b"1", metadata={"project": "x", "tags": ["p", "q"]}, happened_at=happened)
    await mnemo.vault.put("a", b"2", metadata={"project": "y"})
    await mnemo.vault.put_codebase("c", {"f": b""}, metadata={"project": "x"})
    assert [item.name for item in await mnemo.vault.list()] == ["a", "b", "c"]
    assert [item.name for item in await mnemo.vault.list(metadata={"project": "x"})] == ["b", "c"]
    assert [item.name for item in await mnemo.vault.list(metadata={"tags": ["q"]})] == ["b"]
    assert [i.name for i in await mnemo.vault.list(kind="codebase", metadata={"project": "x"})] == ["c"]
    assert (await mnemo.vault.list(metadata={"tags": ["p"]}))[0].happened_at == happened


async def test_a_name_is_used_once_unless_replaced(mnemo: Mnemo, connection: Connection) -> None:
    first = await mnemo.vault.put("a", b"first" * CHUNK)
    with pytest.raises(InvalidArgument, match="'a' already"):
        await mnemo.vault.put("a", b"second")
    assert await mnemo.vault.get("a") == b"first" * CHUNK
    second = await mnemo.vault.put("a", b"second", replace=True)
    assert first != second
    assert await mnemo.vault.get("a") == b"second"
    for table in ("vault_item", "vault_chunk", "data_key"):
        assert connection.execute(f"select from mnemo.{table}".encode()).rowcount == 1


async def test_what_is_dropped_is_gone(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.vault.put("a", b"1")
    await mnemo.vault.put("b", b"2")
    with pytest.raises(UnknownItem, match="'c'"):
        await mnemo.vault.drop(["a", "c"])
    assert await mnemo.vault.drop(["a"]) == 1
    with pytest.raises(UnknownItem, match="'a'"):
        await mnemo.vault.get("a")
    assert await mnemo.vault.get("b") == b"2"
    assert connection.execute("select from mnemo.data_key").rowcount == 1


@pytest.mark.parametrize("name", ["", "x" * 1001, "nul\x00"])
async def test_names_have_bounds(mnemo: Mnemo, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await mnemo.vault.put(name, b"")


async def test_another_tenant_has_another_vault(mnemo: Mnemo, open_mnemo: Opener) -> None:
    await mnemo.vault.put("a", b"mine")
    async with open_mnemo(tenant="other") as other:
        assert await other.vault.list() == []
        with pytest.raises(UnknownItem):
            await other.vault.get("a")
        with pytest.raises(UnknownItem):
            await other.vault.drop(["a"])
        await other.vault.put("a", b"theirs")
        assert await other.vault.get("a") == b"theirs"
    assert await mnemo.vault.get("a") == b"mine"


async def test_an_item_does_not_open_for_another_tenant(
    mnemo: Mnemo, open_mnemo: Opener, connection: Connection
) -> None:
    """As a tenant who could write to the tables would do it: everything is made the other's."""
    await mnemo.vault.put("a", b"mine")
    async with open_mnemo(tenant="other") as other:
        await other.vault.put("b", b"theirs")
        with connection.transaction():
            for table in ("vault_item", "vault_chunk", "data_key"):
                theirs = sql.SQL("update mnemo.{} set tenant = 'other'")
                connection.execute(theirs.format(sql.Identifier(table)))
        with pytest.raises(SealBroken):
            await other.vault.get("a")
        assert await other.vault.get("b") == b"theirs"


async def test_another_key_opens_nothing(mnemo: Mnemo, open_mnemo: Opener, tmp_path: Path) -> None:
    await mnemo.vault.put("a", b"secret")
    async with open_mnemo(keys=(tmp_path / "others").as_uri()) as stranger:
        with pytest.raises(KeyUnavailable):
            await stranger.vault.get("a")
        store = await stranger.vault._session()
        await store.keys.create("default", 1)
        with pytest.raises(SealBroken) as broken:
            await stranger.vault.get("a")
        assert str(broken.value) == SealBroken.__doc__
        with pytest.raises(KeyUnavailable, match="another key for epoch 1"):
            await stranger.vault.put("b", b"")


async def test_without_a_key_store_nothing_is_sealed(dsn: str) -> None:
    async with Mnemo.open(dsn, settings=Settings(dsn=dsn)) as mnemo:
        assert await mnemo.vault.list() == []
        with pytest.raises(InvalidConfiguration, match=r"vault\.keys"):
            await mnemo.vault.put("a", b"")


async def test_a_reader_sees_one_version(mnemo: Mnemo) -> None:
    """What it began to read it reads to the end, whoever replaces it meanwhile."""
    content = os.urandom(2000 * CHUNK)
    await mnemo.vault.put("a", content)
    async with aclosing(mnemo.vault.stream("a")) as chunks:
        read = bytearray(await anext(chunks))
        await mnemo.vault.put("a", b"new", replace=True)
        async for chunk in chunks:
            read += chunk
    assert bytes(read) == content
    assert await mnemo.vault.get("a") == b"new"


async def test_every_act_is_in_the_audit(mnemo: Mnemo, connection: Connection, tmp_path: Path) -> None:
    item = str(await mnemo.vault.put("a", b"1"))
    await mnemo.vault.get("a")
    await mnemo.vault.export("a", tmp_path / "a")
    connection.execute("update mnemo.data_key set wrapped = '\\x01'")
    with pytest.raises(SealBroken):
        await mnemo.vault.get("a")
    await mnemo.vault.drop(["a"])
    acts = connection.execute(
        "select action, subject from mnemo.audit where subject = %s order by seq", [item]
    )
    assert [action for action, _ in acts] == [
        "vault.put",
        "vault.get",
        "vault.export",
        "vault.get",
        "vault.failure",
        "vault.drop",
    ]
