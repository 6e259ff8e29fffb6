"""A private memory comes back as it was, and is found; nothing in the database says what it said."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine.config import Settings
from engine.errors import InvalidArgument, InvalidConfiguration, UnknownItem
from engine.memory import Memory, MemoryId
from engine.mnemo import Mnemo
from tests.conftest import Connection
from tests.vault.conftest import Opener

CONTENT = "the zyzzogeton quokkafied its frobnitzel beside the lake"
CANARIES = ["zyzzogeton", "quokkafied", "frobnitzel", "myxomatosis", "kwashiorkor"]
ATTRIBUTES = {"diagnosis": "myxomatosis", "codes": ["kwashiorkor", 7], "ward": "b", "note": None}


def everything(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield each table of the schema with all its rows as text, the catalog's statistics among them."""
    tables = connection.execute(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('mnemo', 'public') and c.relkind in ('r', 'p')"
    ).fetchall()
    for (table,) in [*tables, ("pg_statistic",), ("pg_largeobject",)]:
        query = sql.SQL("select coalesce(string_agg(t::text, chr(10)), '') from {} t").format(
            sql.Identifier(*table.split("."))
        )
        rows = connection.execute(query).fetchone()
        assert rows is not None
        yield table, rows[0]


def no_canary(connection: Connection) -> None:
    """Assert that no table holds a word of what was sealed, in text or in hexadecimal digits."""
    connection.execute("analyze")
    for table, text in everything(connection):
        for canary in CANARIES:
            assert canary not in text, (table, canary)
            assert canary.encode().hex() not in text, (table, canary)


async def make(mnemo: Mnemo) -> MemoryId:
    """Store the private memory among a few clear ones."""
    await mnemo.create_collection("ward", sealed=["diagnosis", "codes", "note"])
    await mnemo.remember_many(
        [Memory(f"an ordinary turn {n} about the weather", context="c", session="s") for n in range(5)],
        collection="ward",
    )
    ids = await mnemo.remember_many(
        [Memory(CONTENT, key="p", context="c", session="s", attributes=ATTRIBUTES, private=True)],
        collection="ward",
    )
    return ids[0]


@pytest.mark.parametrize("tier", ["hot", "warm", "cold"])
async def test_it_comes_back_from_every_tier(mnemo: Mnemo, connection: Connection, tier: str) -> None:
    memory_id = await make(mnemo)
    if tier != "hot":
        connection.execute("select mnemo.demote(array[%s]::uuid[], %s)", [memory_id, tier])
    (record,) = await mnemo.get([memory_id])
    assert (record.content, record.attributes, record.sealed) == (CONTENT, ATTRIBUTES, False)
    hit = (await mnemo.recall("frobnitzel quokkafied", collection="ward", k=1))[0]
    assert (hit.memory_id, hit.tier, hit.content, hit.attributes) == (memory_id, tier, CONTENT, ATTRIBUTES)
    assert [r.content for r in await mnemo.scroll(collection="ward")].count(CONTENT) == 1
    no_canary(connection)
    row = connection.execute(
        "select content, encoded::text, embedding from mnemo.memory where id = %s", [memory_id]
    )
    content, encoded, embedding = row.fetchone() or ("", "", b"")
    assert content.startswith("mnemo-sealed:1:")
    assert encoded == "g"
    assert embedding is None


async def test_without_the_keys_it_stays_sealed(open_mnemo: Opener, mnemo: Mnemo, dsn: str) -> None:
    memory_id = await make(mnemo)
    async with Mnemo.open(dsn) as keyless:
        (record,) = await keyless.get([memory_id])
        assert (record.content, record.attributes, record.sealed) == ("", {"ward": "b"}, True)
        with pytest.raises(InvalidConfiguration):
            await keyless.remember("hidden", private=True)
        with pytest.raises(InvalidConfiguration):
            await keyless.recall("x", collection="ward", where={"diagnosis": "myxomatosis"})
        assert await keyless.count() == 0


async def test_another_tenant_opens_nothing(open_mnemo: Opener, mnemo: Mnemo) -> None:
    memory_id = await make(mnemo)
    async with open_mnemo(tenant="other") as other:
        assert await other.get([memory_id]) == []
        with pytest.raises(UnknownItem):
            await other.vault.shred(memories=[memory_id])


async def test_a_memory_that_was_changed_stays_sealed(mnemo: Mnemo, connection: Connection) -> None:
    memory_id = await make(mnemo)
    connection.execute(
        "update mnemo.memory set content = overlay(content placing 'AAAA' from 40 for 4) where id = %s",
        [memory_id],
    )
    (record,) = await mnemo.get([memory_id])
    assert record.sealed
    assert record.content == ""
    trail = connection.execute("select count(*) from mnemo.audit where action = 'vault.failure'").fetchone()
    assert trail == (1,)


async def test_neighbours_neither_give_nor_take(mnemo: Mnemo, connection: Connection) -> None:
    """The clear ones are encoded bit for bit as they are without the private one among them."""
    clear = [Memory(f"turn {n} says something of cats {n * n}", context="c", session="s") for n in range(6)]
    private = Memory(CONTENT, context="c", session="s", private=True)
    await mnemo.create_collection("with")
    await mnemo.create_collection("without")
    await mnemo.remember_many([*clear[:2], private, *clear[2:4]], collection="with")
    await mnemo.remember_many([private], collection="with")
    await mnemo.remember_many(clear[4:], collection="with")
    await mnemo.remember_many(clear[:4], collection="without")
    await mnemo.remember_many(clear[4:], collection="without")
    hdvs = [
        [bytes(r.hdv) for r in await mnemo.scroll(collection=name) if r.content != CONTENT]
        for name in ("with", "without")
    ]
    assert hdvs[0] == hdvs[1]
    for table in ("corpus", "term", "term_log"):
        query = sql.SQL("select count(*) from mnemo.{} where to_jsonb({})::text ~ 'zyzzo|frobni'").format(
            sql.Identifier(table), sql.Identifier(table)
        )
        assert connection.execute(query).fetchone() == (0,)
    both = connection.execute(
        "select c, (select memories from mnemo.term_counts(c, '{}')), mnemo.recount_terms(c)"
        " from unnest(array['with', 'without']) c"
    ).fetchall()
    assert [row[1:] for row in both] == [(6, 6), (6, 6)]
    statuses = connection.execute(
        "select id from mnemo.encodable(array(select id from mnemo.memory where encoded = 'g'))"
    )
    assert statuses.fetchall() == []


async def test_sql_refuses_what_came_in_clear(mnemo: Mnemo, connection: Connection) -> None:
    memory_id = await make(mnemo)
    for attributes in ('{"diagnosis": "flu"}', '{"diagnosis": null}', '{"diagnosis": {"sealed": "a b"}}'):
        with pytest.raises(Exception, match="'diagnosis' is sealed"):
            connection.execute(
                "select mnemo.remember('x', attributes => %s, collection => 'ward')", [attributes]
            )
        with pytest.raises(Exception, match=r"cannot be changed|'diagnosis' is sealed"):
            connection.execute("select mnemo.set_attributes(%s, %s)", [memory_id, attributes])
    with pytest.raises(Exception, match="cannot be changed"):
        connection.execute("select mnemo.set_attributes(%s, '{}')", [memory_id])
    connection.execute(
        'select mnemo.set_attributes(id, attributes || \'{"ward": "c"}\') from mnemo.memory where id = %s',
        [memory_id],
    )
    assert (await mnemo.get([memory_id]))[0].attributes == {**ATTRIBUTES, "ward": "c"}
    with pytest.raises(Exception, match="not registered"):
        connection.execute(
            "select mnemo.remember('x', attributes => %s)",
            ['{"$seal": "00000000-0000-0000-0000-000000000001"}'],
        )
    await mnemo.create_collection("closed", sealed=["$content"])
    with pytest.raises(Exception, match="contents are sealed"):
        connection.execute("select mnemo.remember('x', collection => 'closed')")
    await mnemo.remember("secret", collection="closed")
    assert (await mnemo.recall("secret", collection="closed"))[0].content == "secret"
    with pytest.raises(InvalidArgument, match="role"):
        await mnemo.create_collection("roles", sealed=["speaker"], encoding={"roles": {"speaker": 128}})
    with pytest.raises(InvalidArgument, match="another definition"):
        await mnemo.create_collection("ward", sealed=[])
    for name in ("scores", "a.b", "$seal", ""):
        with pytest.raises(InvalidArgument):
            await mnemo.create_collection("wrong", sealed=[name])
    with pytest.raises(InvalidArgument):
        await mnemo.remember("mnemo-sealed:1:AAAA")
    with pytest.raises(InvalidArgument):
        await mnemo.remember("x", attributes={"$seal": "x"})


async def test_its_data_key_goes_with_it(mnemo: Mnemo, connection: Connection) -> None:
    def seals() -> int:
        row = connection.execute("select count(*) from mnemo.data_key where purpose = 'memory'").fetchone()
        assert row is not None
        return int(row[0])

    memory_id = await make(mnemo)
    assert seals() == 1
    again = [Memory(text, key="p", private=True) for text in ("first", "second")]
    assert await mnemo.remember_many(again, collection="ward") == [memory_id] * 2
    assert seals() == 1
    assert (await mnemo.get([memory_id]))[0].content == "second"
    await mnemo.remember("clear now", key="p", collection="ward")
    assert seals() == 0
    assert (await mnemo.get([memory_id]))[0].content == "clear now"
    await mnemo.remember("private again", key="p", collection="ward", private=True)
    assert seals() == 1
    assert await mnemo.forget(memory_id)
    assert seals() == 0
    with pytest.raises(InvalidArgument):
        await mnemo.remember_many(
            [Memory("good", private=True), Memory("bad", tier="hot", importance=7, private=True)]
        )
    assert seals() == 0


async def test_rotation_leaves_it_readable(mnemo: Mnemo, connection: Connection) -> None:
    memory_id = await make(mnemo)
    before = connection.execute(
        "select content, attributes from mnemo.memory where id = %s", [memory_id]
    ).fetchone()
    await mnemo.vault.rotate(destroy_old=True)
    assert (await mnemo.get([memory_id]))[0].content == CONTENT
    assert (await mnemo.recall("lake", collection="ward", where={"diagnosis": "myxomatosis"}))[
        0
    ].content == CONTENT
    await mnemo.remember("after", collection="ward", attributes={"diagnosis": "myxomatosis"}, private=True)
    assert await mnemo.count({"diagnosis": "myxomatosis"}, collection="ward") == 2
    after = connection.execute(
        "select content, attributes from mnemo.memory where id = %s", [memory_id]
    ).fetchone()
    assert before == after


async def test_in_bulk(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.create_collection("ward", sealed=["diagnosis"])
    memories = [
        Memory(f"number {n} zyzzogeton", key=str(n), attributes={"diagnosis": n % 3}, private=n % 2 == 0)
        for n in range(500)
    ]
    # A key twice in one load: what the first of them sealed has no key any more.
    memories.append(Memory("number 4 again", key="4", attributes={"diagnosis": 9}, private=True))
    await mnemo.remember_many(memories, collection="ward", batch_rows=100, bulk=True)
    records = {record.key: record for record in await mnemo.scroll(collection="ward", limit=1000)}
    assert {key: record.content for key, record in records.items()} == {m.key: m.content for m in memories}
    assert all(record.attributes == m.attributes for m in memories[5:] if (record := records[m.key]))
    assert connection.execute("select count(*) from mnemo.data_key where purpose = 'memory'").fetchone() == (
        500,
    )
    orphans = connection.execute(
        "select count(*) from mnemo.data_key d where purpose = 'memory'"
        " and not exists (select from mnemo.memory m where m.attributes ->> '$seal' = d.id::text)"
    ).fetchone()
    assert orphans == (0,)


@pytest.mark.parametrize(
    "options",
    [{"encoder": "lexical"}, {"bind_context": True}, {"dimension": 4, "keep_embedding": True}],
    ids=["lexical", "bound", "embedded"],
)
async def test_other_encodings(mnemo: Mnemo, connection: Connection, options: dict[str, Any]) -> None:
    await mnemo.create_collection("other", **options)
    embedding = [0.1, 0.2, -0.3, 0.4] if "dimension" in options else None
    memories = [
        Memory(text, context="c", embedding=embedding, private=text == CONTENT)
        for text in (CONTENT, "one", "two")
    ]
    await mnemo.remember_many(memories, collection="other")
    hits = await mnemo.recall(CONTENT, embedding=embedding, collection="other", context="c", k=3)
    assert CONTENT in [hit.content for hit in hits]
    row = connection.execute(
        "select encoded::text, embedding from mnemo.memory where content like 'mnemo-sealed%'"
    )
    assert row.fetchone() == ("g", None)
    await mnemo.consolidate()
    assert CONTENT in [
        hit.content for hit in await mnemo.recall(CONTENT, collection="other", context="c", k=3)
    ]


async def test_the_second_stage_reads_no_ciphertext(mnemo: Mnemo) -> None:
    await make(mnemo)
    hits = await mnemo.recall("mnemo sealed 1: weather frobnitzel", collection="ward", k=10)
    private = next(hit for hit in hits if hit.content == CONTENT)
    terms = private.score_terms or {}
    assert terms.get("length", 0) == 0
    assert terms.get("question", 0) == 0
    reasons = await mnemo.explain("frobnitzel", private.memory_id)
    assert any(reason.part == "note" and "private" in str(reason.name) for reason in reasons)
    assert not any(reason.part == "word" for reason in reasons)


async def test_who_may_open(dsn: str, keys: str, mnemo: Mnemo, connection: Connection) -> None:
    """A member of mnemo_app alone finds private memories; with mnemo_vault too it opens them."""
    memory_id = await make(mnemo)
    for role, groups in (("plain", "mnemo_app"), ("trusted", "mnemo_app, mnemo_vault")):
        connection.execute(f"create role {role}_{memory_id.hex} login in role {groups}".encode())
        connection.execute("select mnemo.grant_tenant(%s, 'default')", [f"{role}_{memory_id.hex}"])
    try:
        for role in ("plain", "trusted"):
            login = make_conninfo(dsn, user=f"{role}_{memory_id.hex}", password="")
            settings = Settings(dsn=login, vault={"keys": keys})
            async with Mnemo.open(login, settings=settings) as opened:
                (hit,) = await opened.recall("frobnitzel quokkafied", collection="ward", k=1)
                assert (hit.memory_id, hit.sealed) == (memory_id, role == "plain")
                assert hit.content == ("" if role == "plain" else CONTENT)
                if role == "trusted":
                    await opened.remember("more", collection="ward", attributes=ATTRIBUTES, private=True)
                    assert await opened.count({"diagnosis": "myxomatosis"}, collection="ward") == 2
    finally:
        for role in ("plain", "trusted"):
            connection.execute(
                f"drop owned by {role}_{memory_id.hex}; drop role {role}_{memory_id.hex}".encode()
            )
