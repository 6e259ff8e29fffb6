"""mnemo.vault_put and mnemo.vault_get: a vault for a session that has only SQL and a key of its own."""

import os
from typing import LiteralString

import psycopg
import pytest

from engine.errors import InvalidArgument
from engine.mnemo import Mnemo
from tests.conftest import Connection

KEY = os.urandom(32)
PUT: LiteralString = "select mnemo.vault_put(%s, %b, %b)"
GET: LiteralString = "select mnemo.vault_get(%s, %b)"
UNOPENED = "39000"


def put(connection: Connection, name: str, content: bytes, key: bytes = KEY) -> None:
    """Store an item."""
    connection.execute(PUT, [name, content, key])


def get(connection: Connection, name: str, key: bytes = KEY) -> bytes:
    """Open an item."""
    row = connection.execute(GET, [name, key], binary=True).fetchone()
    assert row is not None
    return bytes(row[0])


def refused(connection: Connection, sqlstate: str, name: str, key: bytes = KEY) -> str:
    """Assert that an item does not open, by this error; return its message."""
    with pytest.raises(psycopg.Error) as refusal:
        get(connection, name, key)
    assert refusal.value.sqlstate == sqlstate
    return str(refusal.value)


@pytest.mark.parametrize("size", [0, 1, 1000, 1_000_000])
def test_what_goes_in_comes_out(connection: Connection, size: int) -> None:
    content = os.urandom(size)
    put(connection, "a", content)
    assert get(connection, "a") == content
    (stored,) = connection.execute("select body from mnemo.vault_chunk").fetchone() or (b"",)
    assert size < 32 or content[:32] not in stored
    assert connection.execute("select scheme, bytes, chunks from mnemo.vault_items").fetchall() == [
        ("sql", size, 1)
    ]


def test_kind_and_metadata_are_as_said(connection: Connection) -> None:
    connection.execute(
        "select mnemo.vault_put('a', %b, %b, kind => 'conversation', metadata => '{\"x\": 1}')", [b"1", KEY]
    )
    found = connection.execute("select name from mnemo.vault_list('conversation', '{\"x\": 1}')").fetchall()
    assert found == [("a",)]


def test_one_error_for_whatever_does_not_open(connection: Connection) -> None:
    put(connection, "a", b"content")
    put(connection, "b", b"another")
    messages = {refused(connection, UNOPENED, "a", os.urandom(32)).split("\n")[0]}
    (size,) = connection.execute("select octet_length(body) from mnemo.vault_chunk limit 1").fetchone() or (
        0,
    )
    spoil: list[LiteralString] = [
        "update mnemo.vault_chunk set body = substring(body from 1 for 40) where true",
        "update mnemo.vault_chunk set body = body || '\\x00'",
        "update mnemo.vault_chunk set body = ''",
        "delete from mnemo.vault_chunk",
        "update mnemo.vault_item set name = case name when 'a' then 'x' else 'a' end",
        "update mnemo.vault_item set kind = 'codebase'",
        "update mnemo.vault_chunk c set body = d.body from mnemo.vault_chunk d where c.item <> d.item",
    ]
    for statement in spoil:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
            with connection.transaction(force_rollback=True):
                messages.add(refused(connection, UNOPENED, "a").split("\n")[0])
    for bit in range(0, size * 8):
        with connection.transaction(force_rollback=True):
            connection.execute(
                "update mnemo.vault_chunk set body = set_bit(body, %s, 1 - get_bit(body, %s))", [bit, bit]
            )
            with connection.transaction(force_rollback=True):
                messages.add(refused(connection, UNOPENED, "a").split("\n")[0])
    assert len(messages) == 1
    assert get(connection, "a") == b"content"


def test_another_tenant_does_not_open_it(connection: Connection) -> None:
    put(connection, "a", b"content")
    connection.execute("set mnemo.tenant = 'other'")
    refused(connection, "MN017", "a")
    connection.execute("set session_replication_role = replica")
    connection.execute(
        "update mnemo.vault_item set tenant = 'other'; update mnemo.vault_chunk set tenant = 'other'"
    )
    refused(connection, UNOPENED, "a")


@pytest.mark.parametrize("spelled", ["'\\x{hex}'", "'{text}'", "decode('{base64}', 'base64')"])
def test_a_key_in_the_statement_is_refused(connection: Connection, spelled: str) -> None:
    text = "correct horse battery staple"
    key = {"hex": text.encode().hex(), "text": text, "base64": "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ=="}
    for statement in ("select mnemo.vault_put('a', '1', {})", "select mnemo.vault_get('a', {})"):
        with pytest.raises(psycopg.Error, match="part of the statement") as refusal:
            connection.execute(statement.format(spelled.format(**key)).encode())
        assert refusal.value.sqlstate == "MN019"


@pytest.mark.parametrize("key", [b"", b"short", None])
def test_a_key_has_a_length(connection: Connection, key: bytes | None) -> None:
    with pytest.raises(psycopg.Error, match="16 bytes") as refusal:
        connection.execute(PUT, ["a", b"", key])
    assert refusal.value.sqlstate == "MN002"


@pytest.mark.parametrize(
    "setting",
    [
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_transaction_sample_rate = 0.5",
        "log_min_duration_sample = 0",
        "log_parameter_max_length_on_error = -1",
        "debug_print_plan = on",
    ],
)
def test_a_server_that_would_log_the_key_is_refused(connection: Connection, setting: str) -> None:
    put(connection, "a", b"content")
    connection.execute(f"set {setting}".encode())
    refused(connection, "MN019", "a")
    # In a transaction that says so first, where the role may.
    with connection.transaction():
        connection.execute("select mnemo.require_unlogged()")
        assert get(connection, "a") == b"content"
    refused(connection, "MN019", "a")


def test_what_nobody_can_silence_is_named(connection: Connection) -> None:
    connection.execute("load 'auto_explain'; set auto_explain.log_min_duration = 1000")
    for statement in ("select mnemo.require_unlogged()", GET):
        with pytest.raises(psycopg.Error, match=r"auto_explain\.log_min_duration = -1") as refusal:
            connection.execute(statement, None if statement != GET else ["a", KEY])
        assert refusal.value.sqlstate == "MN019"


async def test_each_scheme_opens_its_own(mnemo: Mnemo, connection: Connection) -> None:
    put(connection, "sql", b"1")
    await mnemo.vault.put("client", b"2")
    with pytest.raises(InvalidArgument, match=r"only mnemo\.vault_get"):
        await mnemo.vault.get("sql")
    refused(connection, "MN002", "client")
    with pytest.raises(InvalidArgument, match="only its caller can destroy its key"):
        await mnemo.vault.shred(["sql", "client"])
    assert [item.name for item in await mnemo.vault.list()] == ["client", "sql"]
    assert await mnemo.vault.drop(["sql"]) == 1
    refused(connection, "MN017", "sql")


def test_every_act_is_in_the_audit(connection: Connection) -> None:
    put(connection, "a", b"1")
    get(connection, "a")
    acts = connection.execute(
        "select action from mnemo.audit where tenant = 'default' order by seq"
    ).fetchall()
    assert acts == [("vault.put",), ("vault.get",)]
