"""Rules for everything in the schema, read from the catalog."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.objects.directory import DirectoryObjects
from tests.archive.by_hand import archive_cold
from tests.conftest import Connection
from tests.support.databases import Databases
from tests.tenancy.estate import BITS, SKETCH_BITS
from tests.tenancy.rules import QUERIES, unsecured

_INTO = "a regclass: mnemo.memory, or the table of a bulk load (mnemo.remember_staged)"
# Functions that put SQL together, and where what they put in comes from: never text of a caller as it is.
DYNAMIC = {
    "attach_partition": "a relation of mnemo.segment",
    "begin_bulk_load": "a relation of mnemo.segment",
    "charge_drafts": _INTO,
    "copy_to_partition": "a name made from a number",
    "create_partition": "a name made from a number, for workers",
    "demote_in_bulk": "a name made from a number",
    "drop_emptied": "a relation of mnemo.segment",
    "finish_bulk_load": "a relation of mnemo.segment",
    "finish_compaction": "a name made from a number",
    "finish_export": "a name made from a number",
    "finish_restore": "a name made from a number",
    "index_attribute": "an attribute's name as %L, its type compared; for mnemo_owner",
    "index_partition": "definitions from the catalog",
    "left_seals": _INTO,
    "lock_patiently": "a regclass and a mode that functions give",
    "merge_step": "a name made from a number",
    "rename_partition": "a relation of mnemo.segment, for workers",
    "rewrite_memories": _INTO,
    "run_job_step": "a function that mnemo_owner names, found and quoted by mnemo.job_function",
    "schedule_pg_cron": "constant, in schema cron",
    "seal_segment": "a relation of mnemo.segment",
    "secure_partition": "a regclass, and grants from the catalog",
    "secure_table": "a regclass, and policies from the catalog",
    "share_staging": "names of its callers and of the role that calls",
    "trim_events": "a number",
    "uncount_memories": _INTO,
    "unschedule_pg_cron": "constant, in schema cron",
    "write_drafts": _INTO,
}


@pytest.fixture(scope="module")
def catalog(databases: Databases) -> Iterator[Connection]:
    """A connection to a fresh database, to look at."""
    with databases.migrated(BITS, SKETCH_BITS) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def test_every_table_with_a_tenant_is_secured(catalog: Connection) -> None:
    assert unsecured(catalog) == []


def test_views_have_the_rights_of_their_readers(catalog: Connection) -> None:
    others = catalog.execute(QUERIES["views with other rights"]).fetchall()
    assert others == []


def test_functions_that_run_as_their_owners_are_closed(catalog: Connection) -> None:
    """A pinned path, on which what callers can write to comes last; an owner who cannot log in."""
    open_ones = catalog.execute(QUERIES["open definers"]).fetchall()
    assert open_ones == []


def test_nothing_is_public(catalog: Connection) -> None:
    everybodys = catalog.execute(QUERIES["public"]).fetchall()
    assert everybodys == []


def test_no_trigger_function_can_be_put_on_other_tables(catalog: Connection) -> None:
    """On a table of one's own with types of one's own, one's casts would run with the rights of its owner."""
    usable = catalog.execute(QUERIES["usable triggers"]).fetchall()
    assert usable == []


def test_dynamic_sql_is_known(catalog: Connection) -> None:
    found = catalog.execute(QUERIES["dynamic"]).fetchall()
    assert {name for (name,) in found} == set(DYNAMIC)


def test_nobody_logs_in_as_a_role_of_the_engine(catalog: Connection) -> None:
    powerful = catalog.execute(QUERIES["powerful"]).fetchall()
    assert powerful == []


def test_grants(catalog: Connection, golden: Callable[[str, str], None]) -> None:
    """Who may do what: each role, with what each grant.sql gives it."""
    lines = catalog.execute(QUERIES["grants"]).fetchall()
    golden("grants.txt", "\n".join(line for (line,) in lines))


async def test_partitions_made_later_are_secured(databases: Databases, tmp_path: Path) -> None:
    """By a bulk load, by sealing, by a demotion in bulk, by an export."""
    with databases.migrated(BITS, SKETCH_BITS) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("select mnemo.begin_bulk_load('warm')")
            assert unsecured(connection) == []
            connection.execute("select mnemo.finish_bulk_load('warm')")
        connection.execute("select mnemo.remember('no ' || n, tier => t) from generate_series(1, 20) as n,"
                           " unnest(array['hot', 'cold']) as t")  # fmt: skip
        connection.execute("select mnemo.configure('{\"bulk_move_rows\": 1}')")
        connection.execute("select set_config('mnemo.clock', (now() + interval '20 days')::text, false)")
        connection.execute("call mnemo.consolidate()")
        connection.execute("select mnemo.seal_segment()")
        store = DirectoryObjects(tmp_path / "store")
        await store.prepare()
        assert await archive_cold(dsn, store) == 20
        made = {name for (name,) in connection.execute("select relation from mnemo.segment")}
        assert unsecured(connection) == []
    assert len(made) >= 6
