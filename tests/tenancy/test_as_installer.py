"""Mnemo installed by a role that is no superuser: roles, grants and isolation are the same."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine import migrate
from engine.errors import InstallationMismatch
from tests.support.databases import Databases
from tests.tenancy.people import People, people_of
from tests.tenancy.rules import QUERIES, unsecured


@pytest.fixture
def installed(databases: Databases, empty_dsn: str) -> Iterator[str]:
    """A database with a Mnemo that a member of the engine's roles, who may do nothing else, installed."""
    # The roles are of the cluster: where another database has them, a superuser has to make one a member.
    databases.template(1_024, 256)
    role = databases.name()
    with psycopg.connect(empty_dsn, autocommit=True) as superuser:
        for statement in (
            "create role {0} login createrole",
            "grant mnemo_owner, mnemo_api, mnemo_engine to {0}",
            "create extension vector",
            "create extension pgcrypto",
        ):
            superuser.execute(sql.SQL(statement).format(sql.Identifier(role)))
        superuser.execute(sql.SQL("grant create on database {} to {}").format(
            sql.Identifier(superuser.info.dbname), sql.Identifier(role)))  # fmt: skip
    migrate.upgrade(make_conninfo(empty_dsn, options=f"-c role={role}"), bits=1_024, sketch_bits=256)
    yield empty_dsn
    with psycopg.connect(empty_dsn, autocommit=True) as superuser:
        for statement in ("drop owned by {0} cascade", "drop role {0}"):
            superuser.execute(sql.SQL(statement).format(sql.Identifier(role)))


def test_it_is_as_a_superuser_would_have_installed_it(databases: Databases, installed: str) -> None:
    with (
        databases.migrated(1_024, 256) as other,
        psycopg.connect(installed) as one,
        psycopg.connect(other) as two,
    ):
        assert unsecured(one) == []
        # Whose the schema and the version table are differs, nothing else.
        mine, theirs = (set(each.execute(QUERIES["grants"]).fetchall()) for each in (one, two))
        assert {
            line for (line,) in mine ^ theirs if "| schema |" not in line and "alembic_version" not in line
        } == set()


def test_who_installed_it_can_take_it_away_unless_there_is_something(installed: str) -> None:
    """The policies that are forced on him hide nothing from the question whether it is empty."""
    with psycopg.connect(installed, autocommit=True) as superuser:
        (role,) = superuser.execute(
            "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'mnemo'"
        ).fetchone() or ("",)
        installer = make_conninfo(installed, options=f"-c role={role}")
        superuser.execute("select mnemo.remember('of somebody')")
        with pytest.raises(InstallationMismatch, match="would drop stored memories"):
            migrate.downgrade(installer, "base")
        superuser.execute("select mnemo.forget(id) from mnemo.memory")
        superuser.execute(
            "insert into mnemo.vault_item (id, tenant, kind, name, metadata, bytes, stored_bytes, chunks,"
            " chunk_bytes, happened_at, created_at, scheme, version)"
            " values (uuidv7(), 'a', 'memory', 'b', '{}', 0, 0, 1, 1, now(), now(), 'sql', 1)"
        )
        with pytest.raises(InstallationMismatch, match="would drop stored vault items"):
            migrate.downgrade(installer, "base")
        superuser.execute("delete from mnemo.vault_item")
    assert migrate.downgrade(installer, "base").after is None
    migrate.upgrade(installer, bits=1_024, sketch_bits=256)


def test_people_work_in_it(installed: str) -> None:
    with people_of(installed) as people:
        _work(people)


def _work(people: People) -> None:
    with (
        psycopg.connect(people.login("mnemo_app", tenants=["one"]), autocommit=True) as app,
        psycopg.connect(people.login("mnemo_app", tenants=["two"]), autocommit=True) as stranger,
        psycopg.connect(people.login("mnemo_worker"), autocommit=True) as worker,
        psycopg.connect(people.login("mnemo_vault", tenants=["one"]), autocommit=True) as keeper,
    ):
        app.execute("select mnemo.remember('a memory ' || n, tier => 'cold') from generate_series(1, 5) n")
        assert app.execute("select count(*) from mnemo.recall_text('memory 3')").fetchone() == (5,)
        assert stranger.execute("select count(*) from mnemo.recall_text('memory 3')").fetchone() == (0,)
        worker.execute("select mnemo.seal_segment()")
        worker.execute("select mnemo.fold_accesses()")
        worker.execute("call mnemo.consolidate()")
        worker.execute("call mnemo.run_due_jobs()")
        assert stranger.execute("select count(*) from mnemo.memories").fetchone() == (0,)
        assert app.execute("select count(*) from mnemo.memories").fetchone() == (5,)
        keeper.execute("select mnemo.vault_put('a', 'content', %s)", [b"a key of enough bytes"])
        assert keeper.execute("select mnemo.vault_get('a', %s)", [b"a key of enough bytes"]).fetchone() == (
            b"content",
        )
        assert unsecured(worker) == []
