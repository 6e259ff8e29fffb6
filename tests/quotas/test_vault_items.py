"""Vault items count with the bytes of their chunks, names and metadata."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.support.locks import sessions

_KEY = b"a key of more than sixteen bytes"
_PUT = "select mnemo.vault_put(%s, %s, %s)"
_UNLOGGED = "set log_parameter_max_length = 0", "set log_parameter_max_length_on_error = 0"
_STORED = "select coalesce(sum(stored_bytes), 0)::bigint from mnemo.vault_item"


def quiet(connection: Connection) -> None:
    for statement in _UNLOGGED:
        connection.execute(statement)


def check(db: Connection) -> None:
    used = value(db, "select bytes_used from mnemo.quota where tenant = 'default'")
    assert used == value(db, _STORED)
    assert db.execute("select * from mnemo.recount_usage('default')").fetchone() == (0, 0)


def test_items_take_of_the_quota_and_give_back(db: Connection) -> None:
    quiet(db)
    db.execute(_PUT, ["before", b"x" * 100, _KEY])
    db.execute("select mnemo.set_quota('default', memories => 0, bytes => 1000, writes_per_minute => 3)")
    check(db)
    assert value(db, "select memories from mnemo.tenant_usage") == 0
    db.execute(_PUT, ["after", b"x" * 100, _KEY])
    check(db)
    with pytest.raises(psycopg.Error, match="a quota of 1000 bytes"):
        db.execute(_PUT, ["large", b"x" * 1_000, _KEY])
    check(db)
    named = "select mnemo.vault_put(%s, %s, %s, metadata => %s)"
    for name, metadata in (("n" * 1_000, "{}"), ("n", Jsonb({"m": "x" * 1_000}))):
        with pytest.raises(psycopg.Error, match="a quota of 1000 bytes"):
            db.execute(named, [name, b"x", _KEY, metadata])
    check(db)
    assert value(db, "select writes_left from mnemo.tenant_usage") == 2
    assert value(db, "select mnemo.vault_drop('{before,after}')") == 2
    check(db)
    assert value(db, _STORED) == 0


def test_a_first_quota_waits_for_who_puts_an_item(narrow: str, db: Connection) -> None:
    with sessions(narrow) as (writer, operator):
        quiet(writer.connection)
        writer.run(_PUT, "early", b"x", _KEY)
        setting = operator.start("select mnemo.set_quota('default', bytes => 1000)")
        assert not setting.done()
        writer.commit()
        setting.result()
        operator.commit()
    check(db)
    assert value(db, _STORED) > 0


_ITEM = "00000000-0000-7000-8000-000000000001"
_CHUNK = "select mnemo.vault_put_chunk(%s::uuid, 0, 'sealed', repeat('ab', 32))"
_FINISH = (
    "select mnemo.vault_finish(%s::uuid, 'a', 'memory', '{}', 6, 6, null, null, 1, 'wrapped', 1::smallint)"
)


@pytest.mark.parametrize("finished", [False, True])
def test_a_quota_that_begins_while_a_client_puts_counts_what_it_puts(
    narrow: str, db: Connection, finished: bool
) -> None:
    db.execute("select mnemo.start_epoch(1, 'file:///keys', 'check')")
    with sessions(narrow) as (writer, operator):
        quiet(writer.connection)
        writer.run(_CHUNK, _ITEM)
        if finished:
            writer.run(_FINISH, _ITEM)
        setting = operator.start("select mnemo.set_quota('default', bytes => 1000)")
        # It waits for who has looked for a quota, and found none.
        assert setting.done() is not finished
        if not finished:
            operator.commit()
            writer.run(_FINISH, _ITEM)
        writer.commit()
        setting.result()
        operator.commit()
    check(db)
    assert value(db, _STORED) > 0


def test_a_quota_that_begins_while_an_item_is_shredded_counts_what_is_left(
    narrow: str, db: Connection
) -> None:
    quiet(db)
    db.execute("select mnemo.start_epoch(1, 'file:///keys', 'check')")
    with db.transaction():
        db.execute(_CHUNK, [_ITEM])
        db.execute(_FINISH, [_ITEM])
    with sessions(narrow) as (shredder, operator):
        shredder.run("select mnemo.begin_shred(2, 'file:///keys', 'check', '{a}')")
        setting = operator.start("select mnemo.set_quota('default', bytes => 1000)")
        assert not setting.done()
        shredder.commit()
        setting.result()
        operator.commit()
    check(db)
    assert value(db, _STORED) == 0
