"""A member of mnemo_vault keeps the vaults of the tenants granted to it, and touches no table."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.errors import NotPermitted, TenantRefused
from tests.conftest import Connection
from tests.vault.conftest import Opener


@pytest.fixture
def keeper(connection: Connection, dsn: str) -> Iterator[str]:
    """Connection string of a role of its own, which may act for the tenant 'granted' alone."""
    role = f"keeper_{conninfo_to_dict(dsn)['dbname']}"
    name = sql.Identifier(role)
    connection.execute(sql.SQL("create role {} in role mnemo_vault").format(name))
    connection.execute("select mnemo.grant_tenant(%s, 'granted')", [role])
    try:
        yield make_conninfo(dsn, options=f"-c role={role}")
    finally:
        connection.execute(sql.SQL("drop role {}").format(name))


async def test_a_keeper_does_all_of_it(open_mnemo: Opener, keeper: str) -> None:
    async with open_mnemo(keeper, tenant="granted") as mnemo:
        for name in ("a", "b"):
            await mnemo.vault.put(name, name.encode() * 10_000, metadata={"name": name})
        await mnemo.vault.put("a", b"new", metadata={"name": "a"}, replace=True)
        assert [item.name for item in await mnemo.vault.list(metadata={"name": "b"})] == ["b"]
        assert (await mnemo.vault.rotate(destroy_old=True)).rewrapped == 2
        certificate = await mnemo.vault.shred(["a"])
        assert certificate.document["finished_by"] == str(conninfo_to_dict(keeper)["options"])[8:]
        assert await mnemo.vault.get("b") == b"b" * 10_000
        assert await mnemo.vault.drop(["b"]) == 1
        await mnemo.vault.shred_tenant()


async def test_a_keeper_acts_for_no_other_tenant(open_mnemo: Opener, keeper: str) -> None:
    async with open_mnemo(tenant="other") as owner:
        await owner.vault.put("a", b"theirs")
    async with open_mnemo(keeper, tenant="other") as mnemo:
        for act in (
            mnemo.vault.get("a"),
            mnemo.vault.put("b", b""),
            mnemo.vault.list(),
            mnemo.vault.drop(["a"]),
            mnemo.vault.rotate(),
            mnemo.vault.shred(["a"]),
            mnemo.vault.shred_tenant(),
        ):
            with pytest.raises(TenantRefused):
                await act


async def test_who_keeps_no_vault_is_told_who_does(
    open_mnemo: Opener, connection: Connection, keeper: str
) -> None:
    role = sql.Identifier(str(conninfo_to_dict(keeper)["options"])[8:])
    connection.execute(sql.SQL("revoke mnemo_vault from {}; grant mnemo_app to {}").format(role, role))
    connection.execute("select mnemo.create_collection('ward', sealed => '{illness}')")
    async with open_mnemo(keeper, tenant="granted") as mnemo:
        for act in (
            mnemo.vault.put("a", b""),
            mnemo.vault.list(),
            mnemo.remember("a", private=True),
            mnemo.recall("a", collection="ward", where={"illness": "flu"}),
        ):
            with pytest.raises(NotPermitted, match="for members of mnemo_vault"):
                await act


@pytest.mark.parametrize("table", ["vault_item", "vault_chunk", "data_key", "vault_key", "shredding"])
def test_a_keeper_touches_no_table(keeper: str, table: str) -> None:
    acts = ("insert into mnemo.{} default values", "update mnemo.{} set tenant = 'x'", "delete from mnemo.{}")
    with psycopg.connect(keeper, autocommit=True) as db:
        for act in acts:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(sql.SQL(act).format(sql.Identifier(table)))


async def test_metadata_are_found_by_their_index(
    open_mnemo: Opener, keeper: str, connection: Connection
) -> None:
    """Behind row-level security too: the look-up runs as a role that it does not confine."""
    connection.execute(
        "insert into mnemo.vault_item"
        " select uuidv7(), 'granted', 'memory', n::text, jsonb_build_object('n', n),"
        " 0, 0, 1, 1, null, now(), now(), 'sql', 1 from generate_series(1, 5000) n; analyze mnemo.vault_item"
    )
    async with open_mnemo(keeper, tenant="granted") as mnemo:
        assert [item.name for item in await mnemo.vault.list(metadata={"n": 77})] == ["77"]
    (source, owner) = connection.execute(
        "select prosrc, pg_get_userbyid(proowner) from pg_proc where proname = 'vault_candidates'"
    ).fetchone() or ("", "")
    assert owner == "mnemo_engine"
    connection.execute("set mnemo.tenant = 'granted'")
    query = source.replace("p_metadata", "'{\"n\": 77}'")
    plan = connection.execute(f"explain {query}".encode()).fetchall()
    assert any("vault_item_metadata" in line for (line,) in plan), plan
