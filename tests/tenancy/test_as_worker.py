"""Jobs, moves, the archive, copies and events work for a member of mnemo_worker, who is nothing else."""

import json
from asyncio import to_thread
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine import Memory, Mnemo
from engine.config import Settings
from engine.errors import NotPermitted
from tests.archive.test_archive_commands import Commands
from tests.conftest import DatabaseFactory
from tests.tenancy.people import People, people_of
from tests.tenancy.rules import unsecured


@pytest.fixture
def small_dsn(database_factory: DatabaseFactory) -> str:
    """A database of narrow hypervectors, as a superuser."""
    return database_factory(1_024, 256)


@pytest.fixture
def crew(small_dsn: str) -> Iterator[People]:
    """Who makes its people."""
    with people_of(small_dsn) as people:
        yield people


def test_every_relation_that_may_be_read_can_be(small_dsn: str, crew: People) -> None:
    """A view's functions are called with its reader's rights."""
    broken = []
    for role in ("mnemo_worker", "mnemo_reader", "mnemo_app", "mnemo_vault", "mnemo_owner"):
        with psycopg.connect(crew.login(role, tenants=["one"]), autocommit=True) as connection:
            names = connection.execute(
                "select c.oid::regclass::text from pg_class c where c.relnamespace = 'mnemo'::regnamespace"
                " and c.relkind in ('r', 'p', 'v') and has_table_privilege(c.oid, 'select')"
            ).fetchall()
            assert names
            for (name,) in names:
                try:
                    connection.execute(f"table {name}".encode())
                except psycopg.errors.InsufficientPrivilege as error:
                    broken.append(f"{role} {name}: {error}")
    assert broken == []


async def test_memories_move_encoded_anew(small_dsn: str, crew: People) -> None:
    with psycopg.connect(small_dsn, autocommit=True) as superuser:
        for tenant in ("one", "two"):
            superuser.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
            superuser.execute(
                "select mnemo.remember('turn ' || n || ' of a talk', context => 'c', session => 's')"
                " from generate_series(1, 20) n"
            )
        superuser.execute(
            "update mnemo.activity set ltp = 0.5, due_at = now() - interval '1 day',"
            " leaves_tier_at = now() - interval '1 day', entered_tier_at = now() - interval '2 days'"
        )
        async with Mnemo.open(crew.login("mnemo_worker")) as mnemo:
            done = await mnemo.consolidate()
            assert (done.moved, done.encoded) == (40, 40)
            assert [stats.memories for stats in await mnemo.stats()][:2] == [0, 40]
            assert await mnemo.doctor()
        encoded = superuser.execute(
            "select a.tier, m.encoded::text, count(*) from mnemo.memory m"
            " join mnemo.activity a using (id, bucket) group by 1, 2"
        ).fetchall()
    assert encoded == [("warm", "c", 40)]


def test_every_job_runs(small_dsn: str, crew: People) -> None:
    with psycopg.connect(small_dsn, autocommit=True) as superuser:
        superuser.execute("select mnemo.remember('a memory'), mnemo.publish('inference.predict', '{}', 'c')")
        superuser.execute(
            "select mnemo.add_archive_policy('idle', '30 days'), mnemo.add_copy_policy('copies')"
        )
        superuser.execute("select mnemo.alter_job('adapt', '{\"enabled\": true}')")
        superuser.execute("update mnemo.job set next_run_at = now() - interval '1 minute'")
        with psycopg.connect(crew.login("mnemo_worker"), autocommit=True) as worker:
            worker.execute("call mnemo.run_due_jobs()")
            worker.execute("call mnemo.consolidate()")
            worker.execute("select mnemo.run_job_now('expire')")
        runs = superuser.execute("select distinct job, error from mnemo.job_run").fetchall()
        jobs = superuser.execute("select name, null from mnemo.job").fetchall()
    assert sorted(runs) == sorted(jobs)


def test_the_archive_and_copies(small_dsn: str, crew: People, tmp_path: Path) -> None:
    mnemo = Commands(crew.login("mnemo_worker"), tmp_path / "objects")
    with psycopg.connect(small_dsn, autocommit=True) as db:
        for tenant in ("one", "two"):
            db.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
            db.execute("select mnemo.remember('number ' || n, key => 'k' || n, tier => 'cold')"
                       " from generate_series(1, 20) n")  # fmt: skip
        db.execute("select mnemo.add_copy_policy('copies')")
        db.execute("select mnemo.remember('copied ' || n, key => 'h' || n) from generate_series(1, 5) n")
        mnemo.run("worker", "--once")
        assert mnemo.json("archive", "run", "--now")["memories"] == 40
        assert unsecured(db) == []
        assert mnemo.json("restore", "--key", "k1", "--key", "k2", "--tenant", "two")["restored"] == 2
        db.execute(
            "select mnemo.forget(k.id) from mnemo.memory_key k where k.tenant = 'two' and k.key ~ '^k[3-9]$'"
        )
        (one,) = mnemo.json("archive", "compact")["compactions"]
        assert (one["rows"], one["memories"]) == (40, 31)
        db.execute("select mnemo.configure('{\"archive_grace_days\": 0}')")
        assert mnemo.json("archive", "gc")["objects"]
        mnemo.run("archive", "verify")
        mnemo.run("verify")
        assert mnemo.json("restore", "--all", "--tier", "cold")["restored"] == 31
        # Lost without a trace, and brought back from the copies.
        db.execute("alter table mnemo.memory disable row level security")
        db.execute("delete from mnemo.memory m using mnemo.memory_key k where k.id = m.id and k.key ~ '^h'")
        db.execute("delete from mnemo.activity a using mnemo.memory_key k where k.id = a.id and k.key ~ '^h'")
        db.execute("delete from mnemo.memory_key k where k.key ~ '^h'")
        db.execute("alter table mnemo.memory enable row level security")
        mnemo.run("restore", "--copies")
        assert db.execute("select count(*) from mnemo.memory where key ~ '^h'").fetchone() == (5,)
        assert unsecured(db) == []


async def test_events_and_bulk_loads(small_dsn: str, crew: People, tmp_path: Path) -> None:
    login = crew.login("mnemo_worker")
    async with Mnemo.open(login, settings=Settings(tenant="one")) as mnemo:
        assert await mnemo.subscribe("readers", ["memory.write"])
        await mnemo.remember_many([Memory(f"memory {n}") for n in range(5)], bulk=True)
        async with mnemo.consume("readers") as consumer:
            event = await anext(aiter(consumer))
            assert (event.topic, event.tenant) == ("memory.write", "one")
        await mnemo.create_topic("something.else")
        assert await mnemo.replay_dead_letters("readers") == 0
        # What the installation is made of is its owner's.
        with pytest.raises(NotPermitted):
            await mnemo.create_collection("mine")
    commands = Commands(login, tmp_path)
    for command in ("stats", "status", "jobs", "cost", "events lag", "tenant usage", "audit list"):
        await to_thread(commands.run, *command.split())
    source = tmp_path / "memories.jsonl"
    source.write_text("".join(json.dumps({"content": f"line {n}"}) + "\n" for n in range(30)))
    await to_thread(commands.run, "ingest", str(source))


def test_a_worker_administers_nothing(crew: People) -> None:
    with psycopg.connect(crew.login("mnemo_worker"), autocommit=True) as worker:
        for statement in (
            "select mnemo.grant_tenant('mnemo_worker', 'x')", "select mnemo.configure('{}')",
            "select mnemo.set_quota('x', memories => 1)", "update mnemo.memory set content = 'x'",
            "delete from mnemo.audit", "set role mnemo_owner", "drop table mnemo.term",
            "insert into mnemo.tenant_role values ('x', 'x', now(), 'x')", "truncate mnemo.access_log",
            "select mnemo.add_job('mine', 'pg_catalog.now', every => '1 hour')",
            "select mnemo.vault_get('x', 'x')", "select mnemo.record_audit('vault.shred')",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                worker.execute(statement.encode())
