"""Shredding more than an entry of the audit can list."""

import hashlib
from typing import Any

import pytest

from engine.mnemo import Mnemo
from engine.vault.items import Certificate
from tests.conftest import Connection

ITEMS = 2000


@pytest.fixture
async def many(mnemo: Mnemo, connection: Connection) -> Mnemo:
    """A vault of one item that opens, and ITEMS that nobody will."""
    await mnemo.vault.put("kept", b"kept")
    connection.execute(
        "insert into mnemo.vault_item select uuidv7(), tenant, kind, 'n' || g, metadata, bytes, stored_bytes,"
        " chunks, chunk_bytes, files, happened_at, created_at, scheme, version"
        " from mnemo.vault_item, generate_series(1, %s) as g",
        (ITEMS,),
    )
    return mnemo


def audited(connection: Connection, action: str) -> dict[str, Any]:
    """Return the detail of the one entry of an act; the chain must verify."""
    assert connection.execute("select * from mnemo.verify_audit()").fetchall() == []
    ((detail,),) = connection.execute("select detail from mnemo.audit where action = %s", (action,))
    return dict(detail)


def check(connection: Connection, certificate: Certificate, items: int) -> None:
    """The certificate lists all items; the audit holds it to that list."""
    assert len(certificate.document["items"]) == items
    row = connection.execute("select items::text from mnemo.shredding").fetchone()
    assert row is not None
    proof = {"count": items, "sha256": hashlib.sha256(row[0].encode()).hexdigest()}
    for action in ("vault.shred", "vault.certificate"):
        assert audited(connection, action)["items"] == proof


async def test_a_tenant_of_many_items_can_be_shredded(many: Mnemo, connection: Connection) -> None:
    check(connection, await many.vault.shred_tenant(), ITEMS + 1)
    assert await many.vault.list() == []


async def test_many_items_can_be_shredded(many: Mnemo, connection: Connection) -> None:
    check(connection, await many.vault.shred([f"n{number}" for number in range(1, ITEMS + 1)]), ITEMS)
    assert await many.vault.get("kept") == b"kept"


async def test_after_many_epochs_a_tenant_can_be_shredded(mnemo: Mnemo, connection: Connection) -> None:
    """Each rotation leaves one."""
    await mnemo.vault.put("a", b"")
    connection.execute(
        "insert into mnemo.vault_key"
        " (tenant, epoch, store, check_value, state, created_at, destroyed_at, final_at)"
        " select tenant, 1 + g, store, check_value, 'destroyed', now(), now(), now()"
        " from mnemo.vault_key, generate_series(1, %s) as g",
        (ITEMS,),
    )
    certificate = await mnemo.vault.shred_tenant()
    assert len(certificate.document["epochs"]) == ITEMS + 1
    assert audited(connection, "vault.certificate")["epochs"]["count"] == ITEMS + 1
