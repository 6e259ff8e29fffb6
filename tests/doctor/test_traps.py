"""Each trap is made real in a database; the doctor names it, and did not before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory

Answers = dict[str, tuple[str, str, str | None]]
_FILL = (
    "select count(mnemo.remember('memory ' || i, mnemo.random_hypervector('m' || i), key => 'k' || i,"
    " attributes => '{{\"n\": 1}}')) from generate_series(1, {}) i"
)


@dataclass(frozen=True)
class Trap:
    """What an operator does, in which check it must show, and what its detail must name."""

    check: str
    status: str
    names: str
    make: tuple[LiteralString, ...]
    rows: int = 0
    deep: bool = False

    def __str__(self) -> str:
        return f"{self.check}-{self.names.replace(' ', '_')}"


_VAULT: tuple[LiteralString, ...] = (
    "select mnemo.start_epoch(1, 'file:///keys', '\\x00')",
    "insert into mnemo.data_key values (uuidv7(), 'default', 'index', 1, 'wrapped')",
)
TRAPS = [
    Trap(
        "vault",
        "warn",
        "the keys belong to another database since",
        (*_VAULT, "update mnemo.vault_home set fingerprint = 'the original'"),
    ),
    Trap(
        "vault",
        "warn",
        "1 data keys of tenant 'default' lie under epochs that ended",
        (*_VAULT, "select mnemo.start_epoch(2, 'file:///keys', '\\x01')"),
    ),
    Trap(
        "vault",
        "warn",
        "tenant 'default' has 1 shreddings that are not finished",
        (*_VAULT, "select mnemo.begin_shred_tenant()"),
    ),
    Trap(
        "vault",
        "warn",
        "the key of epoch 1 of tenant 'default' is still to be destroyed",
        (*_VAULT, "select mnemo.begin_shred_tenant()", "select mnemo.begin_destroy()"),
    ),
    Trap(
        "isolation",
        "fail",
        "memory_warm shows rows of all tenants",
        ("alter table mnemo.memory_warm no force row level security",),
    ),
    Trap(
        "isolation",
        "fail",
        "memory_key shows rows of all tenants",
        ("create policy guests on mnemo.memory_key using (true)",),
    ),
    Trap(
        "isolation",
        "fail",
        "term shows rows of all tenants",
        ("alter policy tenant_rows on mnemo.term using (tenant <> 'nobody')",),
    ),
    Trap(
        "isolation",
        "fail",
        "view memories has its owner's rights",
        ("alter view mnemo.memories reset (security_invoker)",),
    ),
    Trap(
        "isolation",
        "fail",
        "function forget runs as its owner without a search_path",
        ("alter function mnemo.forget reset all",),
    ),
    Trap(
        "isolation",
        "fail",
        "anybody may execute set_quota",
        ("grant execute on function mnemo.set_quota to public",),
    ),
    Trap(
        "isolation",
        "warn",
        "role nobody_here may act for tenants, and is not there",
        ("insert into mnemo.tenant_role values ('nobody_here', 'a', now(), 'x')",),
    ),
    Trap(
        "isolation",
        "warn",
        "role mnemo_engine may act for some tenants, and sees all",
        ("select mnemo.grant_tenant('mnemo_engine', 'a')",),
    ),
    Trap(
        "isolation",
        "warn",
        "anybody may create things in schema public",
        ("grant create on schema public to public",),
    ),
    Trap(
        "audit",
        "fail",
        "trigger check_delete of mnemo.audit is off",
        ("alter table mnemo.audit disable trigger check_delete",),
    ),
    Trap(
        "audit",
        "fail",
        "entry 1 of 'default' was changed",
        (
            "select mnemo.record_audit('vault.get')",
            "alter table mnemo.audit disable trigger refuse_change",
            "update mnemo.audit set subject = 'x'",
            "alter table mnemo.audit enable always trigger refuse_change",
        ),
        deep=True,
    ),
    Trap("extensions", "fail", "pgcrypto is not installed", ("drop extension pgcrypto",)),
    Trap(
        "extensions",
        "fail",
        "vector is 0.7.4, from 0.8 on",
        ("update pg_extension set extversion = '0.7.4' where extname = 'vector'",),
    ),
    Trap("widths", "fail", "512 bits", ("update mnemo.setting set value = 512 where name = 'bits'",)),
    Trap("widths", "fail", "64 bits", ("update mnemo.setting set value = 64 where name = 'sketch_bits'",)),
    Trap(
        "vector_storage",
        "fail",
        "memory_warm",
        ("alter table mnemo.memory_warm alter column hdv set storage extended",),
    ),
    Trap("toast_target", "warn", "memory_hot", ("alter table mnemo.memory_hot reset (toast_tuple_target)",)),
    Trap("sketch_index", "fail", "no sketch index on memory_cold_2", ("drop index mnemo.memory_sketch",)),
    Trap(
        "sketch_index",
        "fail",
        "invalid sketch index on memory_warm",
        ("update pg_index set indisvalid = false where indexrelid = 'mnemo.memory_warm_sketch'::regclass",),
    ),
    Trap("sketch_memory", "warn", "effective_cache_size is 8kB", ("set effective_cache_size = '8kB'",)),
    Trap("index_build", "warn", "is 64kB", ("set maintenance_work_mem = '64kB'",), rows=400),
    Trap("iterative_scan", "fail", "nearest_in_tier", ("alter routine mnemo.nearest_in_tier reset all",)),
    Trap("search_settings", "warn", "enable_indexscan is off", ("set enable_indexscan = off",)),
    Trap("search_settings", "warn", "max_scan_tuples is 100", ("set hnsw.max_scan_tuples = 100",)),
    Trap(
        "search_settings",
        "warn",
        "hnsw.ef_search is set for this database",
        (
            "do $$ begin execute"
            " format('alter database %I set hnsw.ef_search = 10', current_database()); end $$",
        ),
    ),
    Trap("synchronous_commit", "warn", "is off", ("set synchronous_commit = off",)),
    Trap("statement_log", "warn", "is -1", ("set log_parameter_max_length = -1",)),
    Trap("heat_index", "warn", "covers access_count", ("create index hot on mnemo.activity (access_count)",)),
    Trap("heat_index", "warn", "covers ltp", ("create index strong on mnemo.activity ((ltp > 0.5))",)),
    Trap(
        "activity_updates",
        "warn",
        "of 1200 updates",
        ("update mnemo.activity set due_at = due_at + interval '1 second'",) * 4,
        rows=300,
    ),
    Trap(
        "memory_updates",
        "warn",
        "memory_hot: 1100 updates of 100 rows",
        ("update mnemo.memory set attributes = jsonb_build_object('n', random())",) * 11,
        rows=100,
    ),
    Trap(
        "dead_rows",
        "warn",
        "item: 1200 dead",
        (
            "insert into mnemo.item (name, hdv, tenant) select i, mnemo.random_hypervector('x'), 'default'"
            " from generate_series(1, 1200) i",
            "delete from mnemo.item",
        ),
    ),
    Trap(
        "statistics",
        "warn",
        "never analyzed: item",
        (
            "insert into mnemo.item (name, hdv, tenant) select i, mnemo.random_hypervector('x'), 'default'"
            " from generate_series(1, 9000) i",
        ),
    ),
    Trap(
        "archive",
        "warn",
        "segment 2 was to be exported since",
        (
            "select mnemo.add_archive_policy('archive', '1 day')",
            "update mnemo.segment set state = 'sealed', announced_at = now() - interval '3 days'"
            " where segment = 2",
        ),
    ),
    Trap(
        "archive",
        "warn",
        "segment 2 has failed 2 times: no such bucket",
        (
            "update mnemo.segment set state = 'exporting', attempt = gen_random_uuid(), lease_until = now(),"
            " failures = 2, error = 'no such bucket' where segment = 2",
        ),
    ),
    Trap(
        "copies",
        "warn",
        "1 writes are not in object storage",
        (
            "select mnemo.add_copy_policy('copies', '1 minute')",
            "select mnemo.remember('not copied yet')",
            "update mnemo.uncopied set at = now() - interval '2 minutes'",
        ),
    ),
    Trap(
        "quotas",
        "warn",
        "tenant 'default' has 1 memories of 136 bytes, counted are 2 of 136",
        (
            "select mnemo.set_quota('default', memories => 9)",
            "select mnemo.remember('a text')",
            "update mnemo.quota set memories_used = 2",
        ),
    ),
    Trap(
        "residency",
        "warn",
        "of tenant 'eu' 0 memories and 1 dead rows are in s3://us, which must not hold them",
        (
            "select mnemo.attach_store('s3://us')",
            "select mnemo.set_residency('eu', '{s3://eu}')",
            "insert into mnemo.tombstone (segment, row_number, id, tenant, collection, reason, at)"
            " values (2, 0, gen_random_uuid(), 'eu', 'memories', 'restored', now())",
        ),
    ),
    Trap(
        "corpus",
        "warn",
        "collection memories of tenant default has 2001 changes pending",
        (
            "insert into mnemo.term_log (tenant, collection, memories, words, roles, terms, counts)"
            " select 'default', 'memories', 0, 0, '{}', '{}', '{}' from generate_series(1, 2001)",
        ),
    ),
    Trap(
        "corpus",
        "warn",
        "collection memories of tenant default has 3 memories, 203 counted",
        ("insert into mnemo.corpus values ('default', 'memories', 200, 200)",),
        rows=3,
    ),
    Trap(
        "corpus",
        "warn",
        "25 of 26 memories of collection memories looked at have no embedding",
        ("select mnemo.remember('m', embedding => '{1,2}')",),
        rows=25,
    ),
    Trap(
        "partitions",
        "warn",
        "9 partitions of the cold tier",
        (
            "select mnemo.create_partition('memory_cold_' || n, 'cold') from generate_series(3, 10) n",
            "select mnemo.attach_partition('memory_cold_' || n, n, 'cold', 'sealed')"
            " from generate_series(3, 10) n",
        ),
    ),
    Trap(
        "capacity",
        "warn",
        "tier hot holds 30 memories, policy hot-capacity allows 20",
        (
            "select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 20}')",
            "analyze mnemo.memory_hot",
        ),
        rows=30,
    ),
    Trap(
        "jobs",
        "warn",
        "job consolidate is overdue since",
        ("set mnemo.clock = '2999-01-01'",),
    ),
    Trap(
        "jobs",
        "warn",
        "job broken was disabled: ",
        (
            "create function public.broken(jsonb) returns bigint language sql as 'select 1 / 0::bigint'",
            "select mnemo.add_job('broken', 'public.broken', '1 second', max_failures => 1)",
            "call mnemo.run_due_jobs()",
        ),
    ),
    Trap(
        "jobs",
        "warn",
        "job tidy calls ops.tidy, which mnemo_owner may not execute",
        (
            "create schema ops",
            "create function ops.tidy(jsonb) returns bigint language sql as 'select 0::bigint'",
            "select mnemo.add_job('tidy', 'ops.tidy', '1 hour')",
        ),
    ),
    Trap(
        "events",
        "warn",
        "subscription slow is 40 events behind, of 50 allowed",
        (
            "select mnemo.configure('{\"event_backlog_most\": 50}')",
            "select mnemo.subscribe('slow', array['memory.write'])",
            "select count(mnemo.remember('m' || i)) from generate_series(1, 40) i",
        ),
    ),
    Trap(
        "events",
        "warn",
        "subscription broken has given up 1 events",
        (
            "select mnemo.subscribe('broken', array['memory.write'], max_attempts => 1)",
            "select mnemo.remember('m')",
            "select mnemo.complete_events('broken', e.lane, e.lease, '{}', array[e.seq], array['cannot'])"
            " from mnemo.claim_events('broken') e",
        ),
    ),
    Trap(
        "access_log",
        "warn",
        "mnemo.access_log has 1",
        (
            "insert into mnemo.access_log (at, memory_ids) select now(), array_agg(gen_random_uuid())"
            " from generate_series(1, 12) r, generate_series(1, 100000) group by r",
        ),
    ),
    Trap(
        "conservation",
        "fail",
        "segment 0: 3 memories, 2 activity rows",
        ("delete from mnemo.activity where ctid = (select min(ctid) from mnemo.activity)",),
        rows=3,
    ),
    Trap(
        "conservation",
        "fail",
        "1 memories without an activity row",
        ("update mnemo.activity set tenant = 'x' where ctid = (select min(ctid) from mnemo.activity)",),
        rows=3,
        deep=True,
    ),
    Trap(
        "conservation",
        "fail",
        "1 memories whose key is not theirs",
        ("delete from mnemo.memory_key where key = 'k2'",),
        rows=3,
        deep=True,
    ),
    Trap(
        "conservation",
        "fail",
        "1 keys without a memory",
        ("insert into mnemo.memory_key values ('default', 'memories', 'none', 0, uuidv7())",),
        deep=True,
    ),
]


def answers(connection: Connection, deep: bool = False) -> Answers:
    """Return check -> (status, detail, advice), with the counters of this session's work in."""
    connection.execute("select pg_stat_force_next_flush()")
    rows = connection.execute("select * from mnemo.doctor(deep => %s)", [deep]).fetchall()
    return {check: (status, detail, advice) for check, status, detail, advice in rows}


@pytest.fixture
def opened(database_factory: DatabaseFactory) -> Callable[[], Connection]:
    """Opens connections to one fresh database."""
    dsn = database_factory(1_024, 256)
    with psycopg.connect(dsn) as connection:
        # The template may be older than what a job waits.
        connection.execute("update mnemo.job set next_run_at = now()")
    return lambda: psycopg.connect(dsn, autocommit=True)


@pytest.mark.parametrize("trap", TRAPS, ids=str)
def test_a_trap_is_found_and_named(opened: Callable[[], Connection], trap: Trap) -> None:
    with opened() as connection:
        connection.execute("set synchronous_commit = on")
        connection.execute("set log_parameter_max_length = 256")
        connection.execute(_FILL.format(trap.rows).encode())
        before = answers(connection, trap.deep)[trap.check]
        assert (before[0], before[2]) == ("ok", None), before
        for statement in trap.make:
            connection.execute(statement)
        status, detail, advice = answers(connection, trap.deep)[trap.check]
    assert status == trap.status
    assert trap.names in detail
    assert advice


def test_a_tablespace_made_after_the_partitions_is_found(opened: Callable[[], Connection]) -> None:
    with opened() as connection:
        assert answers(connection)["tablespaces"][0] == "ok"
        connection.execute("set allow_in_place_tablespaces = on")
        connection.execute("create tablespace mnemo_warm location ''")
        try:
            status, detail, _ = answers(connection)["tablespaces"]
            assert status == "warn"
            assert "memory_warm lies in pg_default; memory_warm_attributes lies in" in detail
            connection.execute("alter table mnemo.memory_warm set tablespace mnemo_warm")
            assert "memory_warm lies" not in answers(connection)["tablespaces"][1]
            assert "memory_warm_sketch lies" in answers(connection)["tablespaces"][1]
            connection.execute("alter table mnemo.memory_warm set tablespace pg_default")
        finally:
            connection.execute("drop tablespace mnemo_warm")


def test_statistics_are_asked_of_the_whole_table_too(opened: Callable[[], Connection]) -> None:
    with opened() as connection:
        with connection.transaction():
            connection.execute("select mnemo.open_staging()")
            connection.execute(
                "insert into pg_temp.memory_staging (ordinal, content, collection, hdv, importance, tier)"
                " select i, repeat(i || ' ', 200), 'memories', mnemo.random_hypervector(i::text), 0.8, 'hot'"
                " from generate_series(1, 1500) i"
            )
            connection.execute("select mnemo.remember_staged(mnemo.begin_bulk_load('hot'))")
            connection.execute("select mnemo.finish_bulk_load('hot')")
        assert answers(connection)["statistics"][1] == "never analyzed: memory"
        connection.execute("analyze mnemo.memory")
        assert answers(connection)["statistics"][0] == "ok"


def test_the_deep_look_agrees_with_what_the_functions_wrote(opened: Callable[[], Connection]) -> None:
    with opened() as connection:
        connection.execute(_FILL.format(20).encode())
        connection.execute("select mnemo.demote(array_agg(id), 'warm') from mnemo.memories where key < 'k15'")
        connection.execute("select mnemo.forget(id) from mnemo.memories where key in ('k1', 'k9')")
        connection.execute("select mnemo.remember('again', key => 'k2')")
        status, detail, _ = answers(connection, deep=True)["conservation"]
    assert (status, detail) == ("ok", "18 memories, each with one activity row and its own key")


def test_every_check_has_a_trap_here() -> None:
    elsewhere = {"tablespaces", "fsync", "full_page_writes", "checksums", "autovacuum"}
    # No server older than 18 gets as far as having the function.
    untestable = {"server"}
    made = {trap.check for trap in TRAPS} | elsewhere | untestable
    with open("sql/functions/doctor/doctor.sql", encoding="utf-8") as file:  # noqa: PTH123
        called = {line.strip(" ,\n").removeprefix("mnemo.doctor_").partition("(")[0]
                  for line in file if line.strip().startswith("mnemo.doctor_")}  # fmt: skip
    assert called == made
