"""X11 from Python: composites written and asked, as SQL alone would do both."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import psycopg
import pytest

from engine import Memory, Mnemo
from engine.config import Settings
from engine.errors import InvalidArgument
from engine.hypervector import quantise, random_hypervector
from tests.conftest import Connection, DatabaseFactory
from tests.support.memories import Draft, remember_all

BITS = 1_024
DAY = datetime(2026, 3, 1, tzinfo=UTC)
RNG = np.random.default_rng(7)


@pytest.fixture
async def mnemo(database_factory: DatabaseFactory) -> AsyncIterator[Mnemo]:
    """Mnemo on a database of its own, where two collections encode alike."""
    async with Mnemo.open(database_factory(BITS, 256), settings=Settings()) as opened:
        for name in ("python", "sql"):
            await opened.create_collection(
                name,
                encoding={"before": [112, 0, 80], "roles": {"speaker": 128, "topic": 60, "occurred_at": 40}},
            )
        yield opened


@pytest.fixture
def connection(mnemo: Mnemo) -> Any:
    """An autocommit connection to the same database."""
    with psycopg.connect(mnemo.dsn, autocommit=True) as opened:
        yield opened


def turn(n: int, **fields: Any) -> Memory:
    """Return a memory with what could matter to its encoding."""
    speaker, other = ("Ann", "Ben")[:: 1 if n % 2 else -1]
    return Memory(
        f"{speaker}: {other}, number {n} of the {n % 3} things; 日本語 {n}",
        key=fields.pop("key", f"key {n}"),
        embedding=fields.pop("embedding", RNG.normal(size=6).astype(np.float32) if n % 3 else None),
        **fields,
    )


FIRST = [
    turn(0, context="a", session="one", occurred_at=DAY),
    turn(1, context="a", session="one", occurred_at=DAY + timedelta(hours=2)),
    turn(2, context="a", session="one", occurred_at=DAY + timedelta(hours=1)),
    turn(3, context="a", session="two", attributes={"topic": ["x", 1.50, True, None, {"y": 1}, -0.0, 1e22]}),
    turn(4, context="a", attributes={"speaker": None, "topic": 1e-7}),
    turn(5, context="b", session="one", hdv=random_hypervector("given", BITS)),
    turn(6, context="b", session="one", attributes={"speaker": "Carol Ann"}),
    turn(7),
    turn(8, context="a", session="two", key="key 3"),
    turn(9, context="a", session="two", key=None, embedding=None),
]
SECOND = [
    turn(10, context="a", session="one", occurred_at=DAY + timedelta(hours=3)),
    turn(11, context="a", session="one", occurred_at=DAY + timedelta(minutes=90)),
    # Written anew: what came before it is what is before it.
    turn(12, context="b", session="one", key="key 6"),
    turn(13, context="a", session="two"),
    turn(14, context="a", session="two", occurred_at=DAY - timedelta(days=9)),
    turn(15, context="a"),
]


def in_sql(connection: Connection, memories: list[Memory]) -> None:
    """Write memories of the collection "sql" in one batch, encoded by the database."""
    drafts = [
        Draft(
            m.content,
            m.hdv,
            None if m.embedding is None else quantise(m.embedding).tobytes(),
            m.context,
            m.session,
            m.occurred_at,
            dict(m.attributes),
            m.key,
            "sql",
        )
        for m in memories
    ]
    connection.execute("select mnemo.fix_dimension('sql', 6)")
    remember_all(connection, drafts)


def stored(connection: Connection, collection: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return what is stored of a collection by content."""
    rows = connection.execute(
        "select content, coalesce(key, ''), encoded::text, encode(embedding, 'hex'), hdv::text"
        " from mnemo.memory where collection = %s",
        [collection],
    )
    return {(row[0], row[1]): row[2:] for row in rows}


def counted(connection: Connection, collection: str) -> list[tuple[Any, ...]]:
    """Return the statistics of a collection, all added up."""
    connection.execute("select mnemo.fold_terms(mnemo.tenant(), %s)", [collection])
    return connection.execute(
        "select role, term, memories from mnemo.term where collection = %(name)s union all"
        " select 'all', words::text, memories from mnemo.corpus where collection = %(name)s order by 1, 2",
        {"name": collection},
    ).fetchall()


@pytest.mark.parametrize("old", [False, True])
async def test_x11_a_batch_from_python_is_stored_as_sql_encodes_it(
    mnemo: Mnemo, connection: Connection, old: bool
) -> None:
    if old:
        # What is pending counts while a collection is young only.
        connection.execute(
            "insert into mnemo.corpus (tenant, collection, memories, words)"
            " select 'default', c, 2000, 9000 from unnest(array['python', 'sql']) as c"
        )
    for batch in (FIRST, SECOND):
        await mnemo.remember_many(batch, collection="python")
        in_sql(connection, batch)
    python = stored(connection, "python")
    assert python == stored(connection, "sql")
    assert len(python) == 14
    assert {content for (content, _), (encoded, *_) in python.items() if encoded == "g"} == {FIRST[5].content}
    assert counted(connection, "python") == counted(connection, "sql")


async def test_x11_a_bulk_load_is_encoded_as_sql_encodes_it(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.remember_many(FIRST, collection="python", bulk=True)
    connection.execute("select mnemo.demote(array(select id from mnemo.memory), 'warm')")
    in_sql(connection, FIRST)
    assert stored(connection, "python") == stored(connection, "sql")


async def test_x11_what_precedes_in_its_session_shapes_a_memory(mnemo: Mnemo, connection: Connection) -> None:
    # Old statistics, which a memory more does not change.
    connection.execute("insert into mnemo.corpus values ('default', 'memories', 5000, 90000)")
    said = "Ann: yes, I would love to"
    written = {}
    for context, session in (("c", "here"), ("d", "here"), ("c", "elsewhere"), ("c", None), (None, "here")):
        await mnemo.remember("Shall we go sailing?", context=context, session=session)
        memory_id = await mnemo.remember(said, context="c", session="here", key="said")
        written[context, session] = (await mnemo.get([memory_id]))[0].hdv.tobytes()
        await mnemo.forget_many([hit.memory_id for hit in await mnemo.search("x", k=9)])
    (alone,) = await mnemo.get([await mnemo.remember(said)])
    follows = [place for place, hdv in written.items() if hdv != alone.hdv.tobytes()]
    assert follows == [("c", "here")]


@pytest.mark.parametrize("context", [None, "a"])
@pytest.mark.parametrize("embedded", [False, True])
async def test_x11_a_question_is_encoded_as_sql_encodes_it(
    mnemo: Mnemo, connection: Connection, context: str | None, embedded: bool
) -> None:
    await mnemo.remember_many(FIRST, collection="python")
    embedding = RNG.normal(size=6).astype(np.float32) if embedded else None
    for text, roles in (
        ("What did Ann say of number 7?", {"topic": ["x", 1.5]}),
        ("日本語", {}),
        (None, {"speaker": "Ben"}),
    ):
        found = await mnemo.search(
            text, embedding=embedding, roles=roles, collection="python", context=context, k=20
        )
        asked = connection.execute(
            "select memory_id, distance, score from mnemo.search_text(%s, 20, 'python', %s,"
            " embedding => %s::real[], roles => %s)",
            (
                text,
                context,
                None if embedding is None else embedding.tolist(),
                psycopg.types.json.Jsonb(roles),
            ),
        ).fetchall()
        assert [(hit.memory_id, hit.distance) for hit in found] == [row[:2] for row in asked]
        assert [hit.score for hit in found] == pytest.approx([row[2] for row in asked])
        assert found.words_only is not embedded


async def test_x11_words_only_is_said_where_there_are_embeddings(mnemo: Mnemo) -> None:
    await mnemo.remember("one without an embedding", collection="python")
    assert not (await mnemo.recall("one", collection="python")).words_only
    await mnemo.remember("another", embedding=[1.0, 2.0], collection="python")
    assert (await mnemo.recall("one", collection="python")).words_only
    assert not (await mnemo.recall("one", embedding=[1.0, 2.0], collection="python")).words_only
    assert not (await mnemo.recall(random_hypervector("x", BITS), collection="python")).words_only


async def test_x11_roles_are_those_of_the_collection(mnemo: Mnemo) -> None:
    await mnemo.create_collection("plain", encoder="lexical")
    with pytest.raises(InvalidArgument, match="collection 'plain' has no roles"):
        await mnemo.recall("x", roles={"speaker": "Ann"}, collection="plain")
    with pytest.raises(InvalidArgument, match="has no role 'colour'"):
        await mnemo.recall("x", roles={"colour": "red"}, collection="python")
    with pytest.raises(InvalidArgument, match="a hypervector is the whole query"):
        await mnemo.recall(random_hypervector("x", BITS), roles={"speaker": "Ann"}, collection="python")
    with pytest.raises(InvalidArgument, match="the query is empty"):
        await mnemo.recall(" \n", collection="python")


@pytest.mark.parametrize(
    "roles",
    [["speaker"], {"speaker": object()}, {"speaker": float("nan")}, {"speaker": "\0"}, {"speaker": "\ud800"}],
)
async def test_x11_roles_of_another_type_are_refused(mnemo: Mnemo, roles: Any) -> None:
    memory_id = await mnemo.remember("Ann: hello")
    for asked in (mnemo.recall("x", roles=roles), mnemo.explain("x", memory_id, roles=roles)):
        with pytest.raises(InvalidArgument, match=r"roles (are not a JSON object|hold a NUL)"):
            await asked


@pytest.mark.parametrize(("year", "hours"), [(1, 14), (9999, -14)])
async def test_x11_a_day_that_is_none_in_utc_is_refused(mnemo: Mnemo, year: int, hours: int) -> None:
    await mnemo.create_collection("dated", encoding={"roles": {"occurred_at": 64}})
    day = datetime(
        year, 1 if year == 1 else 12, 1 if year == 1 else 31, 12, tzinfo=timezone(timedelta(hours=hours))
    )
    with pytest.raises(InvalidArgument, match="must lie in the years 1 to 9999"):
        await mnemo.remember("x", occurred_at=day, collection="dated")


async def test_x11_lexical_collections_encode_as_before(mnemo: Mnemo, connection: Connection) -> None:
    await mnemo.create_collection("plain", encoder="lexical")
    embedding = [0.5, -1.0, 2.0]
    await mnemo.remember_many(
        [Memory("some words", context="c"), Memory("others", embedding=embedding)], collection="plain"
    )
    rows = connection.execute(
        "select encoded, hdv = mnemo.encode_lexical(content),"
        " hdv = mnemo.project(%s::real[], 'mnemo:projection') from mnemo.memory order by id",
        [embedding],
    ).fetchall()
    assert rows == [("w", True, False), ("g", False, True)]
    assert connection.execute("select count(*) from mnemo.term_log").fetchone() == (0,)
    assert (await mnemo.recall("some words", k=1, collection="plain"))[0].distance == 0
    assert (await mnemo.recall("some words", embedding=embedding, k=1, collection="plain"))[
        0
    ].content == "others"
