"""Servers, databases and roles that cannot hold Mnemo are refused before anything is touched."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine import migrate
from engine.errors import InstallationMismatch
from engine.schema.server import Extension, ServerFacts, check, read_facts
from tests.support.databases import Databases

GOOD = ServerFacts(
    180_001,
    "UTF8",
    "someone",
    {"vector": Extension("0.8.5", None, None), "pgcrypto": Extension("1.4", "1.4", "public")},
)


def with_extension(name: str, extension: Extension) -> ServerFacts:
    """Return good facts but for one extension."""
    return replace(GOOD, extensions={**GOOD.extensions, name: extension})


def test_facts_of_this_server_pass(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn) as connection:
        facts = read_facts(connection)
        server = connection.info.server_version
    assert (facts.version_num, facts.encoding) == (server, "UTF8")
    assert {name: each.installed for name, each in facts.extensions.items()} == {
        "vector": None,
        "pgcrypto": None,
    }
    check(facts)
    check(GOOD)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (replace(GOOD, version_num=170_006), r"PostgreSQL 17\.6: Mnemo needs 18"),
        (replace(GOOD, encoding="LATIN1"), "encoding is LATIN1: Mnemo needs UTF8"),
        (with_extension("vector", Extension(None, None, None)), "vector is not available .* pgvector >= 0.8"),
        (with_extension("pgcrypto", Extension(None, None, None)), "pgcrypto is not available .* contrib"),
        (with_extension("vector", Extension("0.7.4", None, None)), r"vector is version 0\.7\.4, .*>= 0\.8"),
        (with_extension("vector", Extension("0.8.5", "0.7.4", "public")), "alter extension vector update"),
        (
            with_extension("vector", Extension("0.8.5", "0.8.5", "extensions")),
            "schema extensions, needed is public .*set schema public",
        ),
    ],
)
def test_unfit_servers_are_refused(facts: ServerFacts, message: str) -> None:
    with pytest.raises(InstallationMismatch, match=message):
        check(facts)


def test_a_latin1_database_is_left_untouched(databases: Databases) -> None:
    with databases.empty("LATIN1") as dsn:
        with pytest.raises(InstallationMismatch, match="encoding is LATIN1"):
            migrate.upgrade(dsn)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select to_regnamespace('mnemo')").fetchone() == (None,)


@pytest.fixture
def stranger(databases: Databases, empty_dsn: str) -> Iterator[str]:
    """A connection string to an empty database, as a role that may do nothing there."""
    role = databases.name()
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute(f"create role {role}")
        yield make_conninfo(empty_dsn, options=f"-c role={role}")
        connection.execute(f"drop owned by {role} cascade")
        connection.execute(f"drop role {role}")


def test_a_role_that_may_not_install_is_told_what_it_lacks(stranger: str, empty_dsn: str) -> None:
    def refusal() -> str:
        with pytest.raises(InstallationMismatch) as caught:
            migrate.upgrade(stranger)
        return str(caught.value)

    role = stranger.rpartition("role=")[2].strip("'")
    with psycopg.connect(empty_dsn, autocommit=True) as superuser:
        assert f"role {role} may not create it: have a superuser run: create extension vector" in refusal()
        superuser.execute("create extension vector")
        assert "create extension pgcrypto" in refusal()
        superuser.execute("create extension pgcrypto")
        assert f"role {role} may not create schema mnemo: grant create on database" in refusal()
        superuser.execute("create schema mnemo")
        assert f"role {role} may not create anything in schema mnemo" in refusal()
        assert migrate.current(empty_dsn) is None
        superuser.execute("drop schema mnemo")
        superuser.execute(f"grant create on database {superuser.info.dbname} to {role}")
        assert f"Have a superuser run: grant mnemo_owner, mnemo_api, mnemo_engine to {role}" in refusal()
        superuser.execute(f"grant mnemo_owner, mnemo_api, mnemo_engine to {role}")
        assert migrate.upgrade(stranger).changed


def test_a_table_in_the_place_of_the_settings_is_refused(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn) as connection:
        connection.execute("create schema mnemo")
        connection.execute("create table mnemo.setting (name text, value double precision)")
    with pytest.raises(InstallationMismatch, match="not a table of Mnemo's"):
        migrate.upgrade(empty_dsn)


def test_old_habits_of_a_database_change_nothing(empty_dsn: str) -> None:
    """Backslashes read as they were before 9.1, every identifier quoted: what is installed works the same."""
    text = "Stra\u00dfe na\u00efve \u2014 \u6f22\u5b57 \U0001f600 a_b-c"
    encode = "select mnemo.encode_text(%b)::text"
    old = "-c standard_conforming_strings=off -c quote_all_identifiers=on -c datestyle=German -c search_path="
    migrate.upgrade(make_conninfo(empty_dsn, options=old), bits=1_024, sketch_bits=256)
    with psycopg.connect(empty_dsn, options=old) as there, psycopg.connect(empty_dsn) as here:
        assert there.execute(encode, [text]).fetchone() == here.execute(encode, [text]).fetchone()
        there.execute("select mnemo.remember('hello')")
        there.execute("select mnemo.begin_bulk_load('warm'), mnemo.finish_bulk_load('warm')")
        finding = there.execute("select status from mnemo.doctor_sketch_index()").fetchone()
    assert finding is None or finding == ("ok",)
