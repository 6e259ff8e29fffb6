"""Chunks of vault items are counted, all of them, by the transaction that stores the item."""

import psycopg
import pytest

from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.quotas.test_vault_items import quiet
from tests.support.locks import sessions


def test_nobody_slips_a_chunk_into_an_item_that_another_counts(narrow: str, db: Connection) -> None:
    item = "00000000-0000-7000-8000-000000000001"
    chunk = "select mnemo.vault_put_chunk(%s, %s, %s, 'key')"
    finish = "select mnemo.vault_finish(%s, 'a', 'memory', '{}', 1, 1, null, null, 1, 'wrapped', 1::smallint)"
    db.execute("select mnemo.start_epoch(1, 'file:', 'check')")
    with sessions(narrow) as (owner, smuggler):
        quiet(owner.connection)
        quiet(smuggler.connection)
        owner.run(chunk, item, 0, b"x")
        adding = smuggler.start(chunk, item, 5, b"x" * 1_000)
        assert not adding.done()
        owner.run(finish, item)
        owner.commit()
        with pytest.raises(psycopg.Error, match="is stored already"):
            adding.result()
        smuggler.rollback()
    assert value(db, "select count(*) from mnemo.vault_chunk") == 1
    quiet(db)
    db.execute("set default_transaction_isolation = 'repeatable read'")
    with pytest.raises(psycopg.Error, match="read committed"):
        db.execute(chunk, [item, 5, b"x"])
