"""What applications do works for a member of mnemo_app who acts for one tenant, beside a full one."""

import json
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from engine import Memory, Mnemo
from engine.cli.group import group
from engine.config import Settings
from engine.errors import NotPermitted, TenantRefused
from engine.hypervector import random_hypervector
from engine.memory import Tier
from engine.orm import Memory as StoredMemory
from engine.orm import create_engine
from tests.archive.test_archive_commands import Commands
from tests.tenancy.conftest import Estate
from tests.tenancy.estate import BETA, BITS, CANARY


@pytest.fixture
def login(estate: Estate) -> str:
    """Connection string of an app of beta's; what beta has is taken away before."""
    with psycopg.connect(estate.conninfo("app"), autocommit=True) as connection:
        connection.execute("select mnemo.forget_many(array(select id from mnemo.memories))")
    return estate.conninfo("app")


@pytest.fixture
async def mnemo(login: str) -> AsyncIterator[Mnemo]:
    """Mnemo as that app."""
    async with Mnemo.open(login, settings=Settings(tenant=BETA)) as opened:
        yield opened


async def test_writing_and_reading(mnemo: Mnemo) -> None:
    first = await mnemo.remember("a first memory", key="first", context="c", session="s", attributes={"n": 0})
    tiers: list[Tier] = ["hot", "warm", "cold"]
    many = [
        Memory(
            f"memory number {n}",
            key=f"k{n}",
            context="c",
            session="s",
            attributes={"n": n},
            tier=tiers[n % 3],
        )
        for n in range(1, 61)
    ]
    ids = await mnemo.remember_many(many)
    assert await mnemo.remember("the first memory again", key="first", attributes={"n": 0}) == first
    assert await mnemo.remember("given", hdv=random_hypervector("given", BITS)) is not None
    assert [await mnemo.count(), await mnemo.count({"n": 7}), await mnemo.count({"n": {"$gte": 41}})] == [
        62,
        1,
        20,
    ]
    for asked in (mnemo.recall, mnemo.search):
        found = await asked("memory number 33", k=3)
        assert (found.hits[0].key, found.unreachable) == ("k33", ())
        assert (await asked("memory number 33", where={"n": {"$lt": 10}}, context="c")).hits[0].attributes[
            "n"
        ] < 10
        assert (await asked("memory number 33", exact=True)).hits[0].key == "k33"
        assert (await asked(random_hypervector("given", BITS))).hits[0].content == "given"
        everything = await asked("memory number", k=1000)
        assert len(everything.hits) == 62
        assert CANARY not in str(everything)
    assert {record.key for record in await mnemo.get([first, *ids])} == {
        "first",
        *(f"k{n}" for n in range(1, 61)),
    }
    seen: list[str | None] = []
    after = None
    while page := await mnemo.scroll(after=after, limit=25):
        seen += [record.key for record in page]
        after = page[-1].memory_id
    assert len(seen) == 62
    assert await mnemo.explain("memory number 33", ids[32])


async def test_keeping_moving_and_forgetting(mnemo: Mnemo) -> None:
    ids = await mnemo.remember_many([Memory(f"memory {n}", context="c", session="s") for n in range(6)])
    await mnemo.pin(ids[0])
    assert await mnemo.demote(ids) == 5
    assert await mnemo.promote(ids[1:3]) == 2
    await mnemo.pin(ids[0], False)
    assert await mnemo.reinforce(ids[0]) > 0.8
    assert await mnemo.publish("memory.write", {"about": "something"}) is not None
    assert await mnemo.forget(ids[0])
    assert await mnemo.forget_many(ids) == 5
    assert await mnemo.count() == 0


async def test_what_is_for_all_tenants_is_refused(mnemo: Mnemo) -> None:
    for refused in (
        mnemo.consolidate(), mnemo.create_collection("mine"), mnemo.stats(), mnemo.doctor(),
        mnemo.create_topic("mine"), mnemo.remember_many([Memory("x", tier="cold")], bulk=True),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            await refused


async def test_another_tenant_is_refused(login: str) -> None:
    async with Mnemo.open(login, settings=Settings(tenant="alpha")) as mnemo:
        for refused in (mnemo.count(), mnemo.recall("number"), mnemo.remember("x"), mnemo.search("number")):
            with pytest.raises(TenantRefused, match="may not act for tenant 'alpha'"):
                await refused


def test_what_is_used_is_learned_and_predicted(estate: Estate, login: str) -> None:
    """The app recalls; workers fold and learn; the app is told what comes next, of its own."""
    with (
        psycopg.connect(login, autocommit=True) as app,
        psycopg.connect(estate.people.login("mnemo_worker"), autocommit=True) as worker,
    ):
        for n in range(4):
            app.execute("select mnemo.remember(%s, context => 'talk', tier => 'warm')", [f"memory {n}"])
        for _ in range(2):
            app.execute("select count(*) from mnemo.recall_text('memory', context => 'talk')")
            worker.execute("select mnemo.fold_accesses()")
        predicted = app.execute("select memory_id from mnemo.predict('talk')").fetchall()
        own = app.execute("select id from mnemo.memories").fetchall()
        assert predicted
        assert set(predicted) <= set(own)
        moved = app.execute("select mnemo.prefetch('talk')").fetchone()
        assert moved is not None
        hot = app.execute("select count(*) from mnemo.memories where tier = 'hot'").fetchone()
        assert hot is not None
        assert hot[0] >= moved[0] > 0


def test_by_the_orm(login: str) -> None:
    engine = create_engine(login)
    try:
        with Session(engine) as session:
            session.add(StoredMemory(content="by the ORM", key="orm", attributes={"a": 1}))
            session.commit()
            assert session.scalars(select(StoredMemory.content)).all() == ["by the ORM"]
            session.execute(update(StoredMemory).values(attributes={"a": 2}))
            session.execute(update(StoredMemory).values(tier="warm"))
            session.commit()
            assert session.execute(select(StoredMemory.tier, StoredMemory.attributes)).all() == [
                ("warm", {"a": 2})
            ]
            session.execute(delete(StoredMemory))
            session.commit()
            assert session.scalars(select(StoredMemory)).all() == []
    finally:
        engine.dispose()


def test_by_commands(login: str, tmp_path: Path) -> None:
    source = tmp_path / "memories.jsonl"
    source.write_text("".join(json.dumps({"content": f"line {n}", "key": f"l{n}"}) + "\n" for n in range(30)))
    told = []
    for command in (
        ["ingest", str(source)],
        ["ingest", str(source)],
        ["recall", "line 7", "--json", "-k", "1"],
    ):
        result = CliRunner().invoke(group, command, env={"MNEMO_DSN": login, "MNEMO_TENANT": BETA})
        assert result.exit_code == 0, result.output
        told.append(result.stdout)
    assert json.loads(told[-1])["hits"][0]["key"] == "l7"
    refused = CliRunner().invoke(group, ["stats"], env={"MNEMO_DSN": login, "MNEMO_TENANT": BETA})
    assert isinstance(refused.exception, NotPermitted)


async def test_what_is_archived_is_found(estate: Estate, login: str, tmp_path: Path) -> None:
    """A worker archives the cold memories of all tenants; an app finds and reads its own there."""
    worker = Commands(estate.people.login("mnemo_worker"), tmp_path / "objects")
    settings = Settings(tenant=BETA, archive={"url": str(tmp_path / "objects")})
    async with Mnemo.open(login, settings=settings) as mnemo:
        await mnemo.remember_many([Memory(f"cold memory {n}", key=f"c{n}", tier="cold") for n in range(20)])
        # Alpha's residency names directories, of which this is one.
        assert (await to_thread(worker.json, "archive", "run", "--now"))["memories"] >= 20
        assert await mnemo.count() == 0
        found = await mnemo.recall("cold memory 7", k=5, archive=True)
        assert (found.hits[0].key, found.hits[0].tier, found.hits[0].content) == (
            "c7",
            "archive",
            "cold memory 7",
        )
        assert CANARY not in str(await mnemo.search("number 3", k=100, archive=True))
        back = ("restore", "--key", "c7", "--tenant", BETA)
        assert (await to_thread(worker.json, *back))["restored"] == 1
        assert await mnemo.count() == 1
