"""The write path: remember, keys, batches, forget, and plain writes on the view."""

from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pytest

from tests.conftest import Connection
from tests.support.memories import Draft, bit_text, remember_all

BYTES = 128
WHEN = datetime(2024, 2, 29, 12, tzinfo=UTC)


def vector(n: int) -> Any:
    return np.random.default_rng(n).integers(0, 256, BYTES, np.uint8)


def value(connection: Connection, query: LiteralString, *arguments: Any) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def counts(connection: Connection) -> Any:
    return value(
        connection,
        "select (select count(*) from mnemo.memory), (select count(*) from mnemo.activity),"
        " (select count(*) from mnemo.memory_key)",
    )


def test_remember_keeps_every_parameter(small: Connection) -> None:
    small.execute("set mnemo.clock = '2030-01-01 00:00:00+00'")
    small.execute("select mnemo.create_collection('kept', keep_embedding => true)")
    made = value(
        small,
        "select mnemo.remember('text', hdv => %s::varbit, embedding => '{1,-0.5,0}', context => 'c',"
        " session => 's', occurred_at => %s, attributes => '{\"a\": [1]}', key => 'k', collection => 'kept',"
        " importance => 0.5, tier => 'warm', pinned => true)",
        bit_text(vector(1)),
        WHEN,
    )
    row = small.execute(
        "select m.id, m.content, m.hdv = %s::bit(1024), m.embedding, m.context, m.session,"
        " m.occurred_at, m.attributes, m.key, m.collection, m.created_at = mnemo.now(), a.ltp, a.tier,"
        " a.pinned, a.entered_tier_at = mnemo.now(), a.access_count,"
        " m.bucket = mnemo.bucket_of(m.id), m.bucket = substring(m.hdv from 1 for 10)::bit(10)::integer"
        " from mnemo.memory m join mnemo.activity a using (bucket, id, segment)",
        [bit_text(vector(1))],
    ).fetchone()
    assert row == (
        made, "text", True, bytes([127, 192, 0]), "c", "s", WHEN, {"a": [1]},
        "k", "kept", True, 0.5, "warm", True, True,
        0, True, True,
    )  # fmt: skip
    assert made.version == 7


def test_a_key_used_again_keeps_id_and_creation(small: Connection) -> None:
    small.execute("set mnemo.clock = '2030-01-01 00:00:00+00'")
    first = value(small, "select mnemo.remember('one', %s::varbit, key => 'k')", bit_text(vector(1)))
    small.execute("set mnemo.clock = '2030-01-02 00:00:00+00'")
    for tier, content, hdv in (("hot", "two", 2), ("cold", "three", 3), ("warm", "four", 4)):
        again = value(
            small,
            "select mnemo.remember(%s, %s::varbit, key => 'k', tier => %s, context => %s, importance => 0.1)",
            content, bit_text(vector(hdv)), tier, content,
        )  # fmt: skip
        assert again == first
        assert value(
            small,
            "select content, tier, context, created_at < mnemo.now(), hdv = %s::bit(1024), access_count"
            " from mnemo.memories",
            bit_text(vector(hdv)),
        ) == (content, tier, content, True, True, 0)
        # Searched by its new hypervector, not by the old ones.
        assert value(
            small, "select distance, content from mnemo.search(%s::varbit, 1)", bit_text(vector(hdv))
        ) == (0, content)
    # It keeps the strength it has left where the new importance is less: a day after 0.8, half-life 30.
    assert value(small, "select strength from mnemo.memories") == pytest.approx(
        0.8 * 0.5 ** (1 / 30), rel=1e-6
    )
    # The same key is another memory for another collection or tenant.
    small.execute("select mnemo.create_collection('other')")
    other = value(
        small,
        "select mnemo.remember('x', %s::varbit, key => 'k', collection => 'other')",
        bit_text(vector(1)),
    )
    small.execute("set mnemo.tenant = 'else'")
    theirs = value(small, "select mnemo.remember('x', %s::varbit, key => 'k')", bit_text(vector(1)))
    assert len({first, other, theirs}) == 3
    assert counts(small) == (3, 3, 3)


def test_m8_a_batch_keeps_its_order_and_its_last_word(small: Connection) -> None:
    """1,300 drafts, more than one chunk: keys in falling order, each tenth draft's key used again later."""
    drafts = [
        Draft(
            f"text {n}",
            vector(n),
            key=f"key {9999 - n % 1_100:04}" if n % 10 == 0 else None,
            tier=("hot", "cold")[n % 2],
        )
        for n in range(1_300)
    ]
    ids = remember_all(small, drafts)
    last = {draft.key: draft for draft in drafts if draft.key}
    assert counts(small) == (1_280, 1_280, 110)
    assert ids[1_100:1_300:10] == ids[0:200:10]
    # Ids rise in order of arrival, keyed or not.
    fresh = ids[:1_100]
    assert fresh == sorted(fresh)
    stored = small.execute("select key, content, id from mnemo.memory where key is not null").fetchall()
    assert {key: content for key, content, _ in stored} == {key: draft.content for key, draft in last.items()}
    again = remember_all(small, drafts)
    assert [b == a for a, b, d in zip(ids, again, drafts, strict=True) if d.key] == [True] * 130
    assert counts(small) == (1_280 + 1_170, 1_280 + 1_170, 110)


def test_m8_a_key_twice_in_one_chunk_the_last_wins(small: Connection) -> None:
    drafts = [Draft(f"text {n}", vector(n), key="k", tier=("cold", "hot")[n % 2]) for n in range(4)]
    ids = remember_all(small, drafts)
    assert len(set(ids)) == 1
    assert value(small, "select content, tier from mnemo.memories") == ("text 3", "hot")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"hdv": vector(1)[:64]}, "MN001", "hypervector has 512 bits, this database stores 1024"),
    ({"content": ""}, "MN002", "content is empty"),
    ({"content": " \n\t"}, "MN002", "content is empty"),
    ({"content": "a" * 10_000_000}, "MN002", "content has 10000000 bytes, at most 1000000 are kept"),
    ({"content": "é" * 500_001}, "MN002", "content has 1000002 bytes"),
    ({"attributes": [1]}, "MN002", "attributes must be a JSON object, not array"),
    ({"importance": 1.01}, "MN002", "importance must be between 0 and 1, not 1.01"),
    ({"importance": -0.1}, "MN002", "importance must be between 0 and 1, not -0.1"),
    ({"importance": float("nan")}, "MN002", "importance must be between 0 and 1, not NaN"),
    ({"collection": "nope"}, "MN004", "unknown collection 'nope'"),
    ({"collection": None}, "MN004", "unknown collection null"),
    ({"tier": "tepid"}, "MN007", "unknown tier 'tepid'"),
    ({"tier": None}, "MN007", "unknown tier null"),
    ({"key": ""}, "MN002", "key has 0 bytes"),
    ({"key": "k" * 1_001}, "MN002", "key has 1001 bytes"),
    ({"context": "c" * 1_001}, "MN002", "context has 1001 bytes"),
]


def test_n1_a_tenant_too_long_to_be_counted_is_refused(small: Connection) -> None:
    small.execute("select set_config('mnemo.tenant', repeat('é', 501), false)")
    with pytest.raises(psycopg.Error) as refused:
        remember_all(small, [Draft("text", vector(0))])
    assert refused.value.sqlstate == "MN002"
    assert "the tenant has 1002 bytes" in str(refused.value)


def test_m8_one_bad_draft_and_nothing_is_written(small: Connection) -> None:
    """The bad one stands in the second chunk; the error names its place and its key."""
    good = [Draft("text", vector(n), key=f"g{n}") for n in range(1_001)]
    for wrong, sqlstate, message in BAD:
        bad: Any = Draft(**{"content": "text", "hdv": vector(0), "key": "bad one", **wrong})
        with pytest.raises(psycopg.Error) as refused:
            remember_all(small, [*good[: 1_001 if sqlstate == "MN001" else 2], bad, good[0]])
        assert refused.value.sqlstate == sqlstate
        assert message in str(refused.value)
        place = 1_002 if sqlstate == "MN001" else 3
        named = f", key '{bad.key}'"
        assert refused.value.diag.message_detail == f"Memory {place} of the batch{named}."
        assert counts(small) == (0, 0, 0)
    for text, state in (("a\0b", "22021"), (b"\xff\xfe", "22021")):
        with pytest.raises(psycopg.DataError) as nul:
            small.execute(
                "select mnemo.remember(convert_from(%s, 'UTF8'))",
                [text.encode() if isinstance(text, str) else text],
            )
        assert nul.value.sqlstate == state
    assert counts(small) == (0, 0, 0)


def test_forget_removes_memory_activity_and_key(small: Connection) -> None:
    ids = remember_all(
        small,
        [
            Draft("x", vector(n), key=key, tier=tier)
            for n, (key, tier) in enumerate([("a", "hot"), (None, "warm"), ("c", "cold")])
        ],
    )
    small.execute("set mnemo.tenant = 'else'")
    assert [value(small, "select mnemo.forget(%s)", one) for one in ids] == [False] * 3
    small.execute("reset mnemo.tenant")
    assert counts(small) == (3, 3, 2)
    assert [value(small, "select mnemo.forget(%s)", one) for one in [*ids, ids[0]]] == [True] * 3 + [False]
    assert value(small, "select mnemo.forget(null)") is False
    assert counts(small) == (0, 0, 0)
    assert value(small, "select mnemo.remember('x', %s::varbit, key => 'a')", bit_text(vector(0))) != ids[0]


def test_the_view_takes_plain_writes(small: Connection) -> None:
    made, tier, strength, attributes, bucket = value(
        small,
        "insert into mnemo.memories (content, hdv, key, tier, strength, attributes, pinned)"
        " values ('x', %s::bit(1024), 'k', 'warm', 0.5, '{\"a\": 1}', false)"
        " returning id, tier, strength, attributes, mnemo.bucket_of(id)",
        bit_text(vector(1)),
    )
    assert (type(made), tier, strength, attributes) == (UUID, "warm", 0.5, {"a": 1})
    assert 0 <= bucket < 1_024
    assert value(
        small,
        "update mnemo.memories set attributes = attributes || '{\"b\": 2}', tier = 'hot', pinned = true"
        " where key = 'k' returning id, attributes, tier, pinned",
    ) == (made, {"a": 1, "b": 2}, "hot", True)
    assert small.execute("update mnemo.memories set pinned = false where key = 'nope'").rowcount == 0
    small.execute("set mnemo.tenant = 'else'")
    assert small.execute("delete from mnemo.memories").rowcount == 0
    assert small.execute("update mnemo.memories set attributes = '{}'").rowcount == 0
    small.execute("reset mnemo.tenant")
    assert value(small, "delete from mnemo.memories where id = %s returning key", made) == "k"
    assert counts(small) == (0, 0, 0)


REFUSED: list[tuple[LiteralString, str]] = [
    ("update mnemo.memories set content = 'y'", "column content of mnemo.memories cannot be updated"),
    ("update mnemo.memories set hdv = ~hdv", "column hdv of mnemo.memories cannot be updated"),
    ("update mnemo.memories set id = uuidv7()", "column id of mnemo.memories cannot be updated"),
    ("update mnemo.memories set key = null", "column key of mnemo.memories cannot be updated"),
    ("update mnemo.memories set strength = 1", "column strength of mnemo.memories cannot be updated"),
    ("update mnemo.memories set attributes = '[]'", "attributes must be a JSON object, not array"),
    ("update mnemo.memories set attributes = null", "attributes must be a JSON object, not SQL null"),
    ("update mnemo.memories set tier = 'tepid'", "unknown tier 'tepid'"),
    (
        "insert into mnemo.memories (id, content) values (uuidv7(), 'x')",
        "column id of mnemo.memories cannot",
    ),
    ("insert into mnemo.memories (content, access_count) values ('x', 1)", "column access_count"),
    ("insert into mnemo.memories (content, created_at) values ('x', now())", "column created_at"),
    ("insert into mnemo.memories (content, tier) values ('x', 'tepid')", "unknown tier 'tepid'"),
    ("insert into mnemo.memories (content) values ('')", "content is empty"),
    (
        "insert into mnemo.memories (content, collection) values ('x', 'nope')",
        "unknown collection 'nope'",
    ),
]


def test_the_view_refuses_by_name(small: Connection) -> None:
    small.execute("set mnemo.clock = '2030-01-01 00:00:00+00'")
    small.execute("select mnemo.remember('x', %s::varbit, key => 'k')", [bit_text(vector(1))])
    before = small.execute("select * from mnemo.memories").fetchall()
    for statement, message in REFUSED:
        with pytest.raises(psycopg.Error, match="^" + message) as refused:
            small.execute(statement)
        assert refused.value.sqlstate in ("MN002", "MN004", "MN007")
        assert small.execute("select * from mnemo.memories").fetchall() == before
