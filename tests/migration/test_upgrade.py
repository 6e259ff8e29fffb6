"""Upgrades repeated, concurrent, undone, refused, and of databases that hold memories."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from time import monotonic

import psycopg
import pytest
from psycopg import sql

from engine import migrate
from engine.errors import ConnectionFailed, InstallationMismatch, InvalidArgument, MigrationFailed
from engine.schema.parameters import Parameters
from engine.schema.server import MIGRATION_LOCK
from tests.support.catalog import snapshot

CONCURRENT = 20


def remember(dsn: str) -> str:
    """Store one memory and return its id."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select mnemo.remember('kept', hdv => mnemo.random_hypervector('kept'))::text"
        ).fetchone()
    assert row is not None
    return str(row[0])


def contents(dsn: str) -> list[tuple[str, str]]:
    """Return (id, content) of everything stored."""
    with psycopg.connect(dsn) as connection:
        return connection.execute("select id::text, content from mnemo.memory").fetchall()


def leftovers(dsn: str) -> list[str]:
    """Return what is in schema mnemo."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = 'mnemo'::regnamespace and relkind <> 'i'"
            " union all select proname from pg_proc where pronamespace = 'mnemo'::regnamespace"
            " union all select typname from pg_type where typnamespace = 'mnemo'::regnamespace"
            " and typrelid = 0 and typelem = 0"
        ).fetchall()
    return [name for (name,) in rows]


def test_printed_upgrade(empty_dsn: str) -> None:
    migrate.upgrade(empty_dsn, bits=1024, sketch_bits=256, revision="0001")
    stored = (remember(empty_dsn), "kept")
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="for 2048 bits and sketches of 256; the database has others"):
            connection.execute(migrate.offline_sql(2048, 256, "0001:head").encode())
        connection.rollback()
        connection.execute(migrate.offline_sql(1024, 256, "0001:head").encode())
    assert (migrate.current(empty_dsn), contents(empty_dsn)) == (migrate.heads()[0], [stored])
    assert remember(empty_dsn)
    assert not migrate.upgrade(empty_dsn).changed
    with pytest.raises(InvalidArgument, match="nowhere"):
        migrate.offline_sql(revision="nowhere")


def test_x8_what_was_there_before_roles_is_confined_by_them(empty_dsn: str) -> None:
    migrate.upgrade(empty_dsn, bits=1024, sketch_bits=256, revision="0004")
    everything = (
        "select m.id, m.tenant, m.key, m.content, m.attributes, m.hdv::text, a.tier, a.ltp, a.pinned"
        " from mnemo.memory m join mnemo.activity a using (bucket, id) order by m.id"
    )
    with psycopg.connect(empty_dsn, autocommit=True) as db:
        for tenant in ("ann", "ben"):
            db.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
            for tier in ("hot", "warm", "cold"):
                db.execute(
                    "select mnemo.remember(%s, tier => %s, key => 'k ' || %s, attributes => '{\"a\": 1}')",
                    [f"{tenant} spoke of {tier} tea", tier, tier],
                )
            db.execute("select mnemo.recall_text('tea')")
        db.execute("select mnemo.item('tea')")
        before = db.execute(everything).fetchall()
    migrate.upgrade(empty_dsn)
    with psycopg.connect(empty_dsn, autocommit=True) as db:
        assert db.execute(everything).fetchall() == before
        assert db.execute("select name, tenant from mnemo.item").fetchall() == [("tea", "default")]
        role = sql.Identifier(f"app_{db.info.dbname}")
        db.execute(sql.SQL("create role {} in role mnemo_app").format(role))
        try:
            db.execute("select mnemo.grant_tenant(%s, 'ann')", [role.as_string(db).strip('"')])
            db.execute(sql.SQL("reset mnemo.tenant; set role {}").format(role))
            for relation in ("memory", "activity", "memory_hot", "memory_warm", "memory_cold_2", "memories"):
                found = db.execute(sql.SQL("select count(*) from mnemo.{}").format(sql.Identifier(relation)))
                assert found.fetchone() == (1 if relation.startswith("memory_") else 3,), relation
            hits = db.execute("select content from mnemo.recall_text('what of tea', filter => '{\"a\": 1}')")
            assert {hit for (hit,) in hits} == {
                f"ann spoke of {tier} tea" for tier in ("hot", "warm", "cold")
            }
            db.execute("select mnemo.remember('ann spoke again', key => 'k hot')")
            assert db.execute("select count(*) from mnemo.memories").fetchone() == (3,)
        finally:
            db.execute("reset role")
            db.execute(sql.SQL("drop owned by {}; drop role {}").format(role, role))
        bens = db.execute("select content from mnemo.memory where tenant = 'ben' and key = 'k hot'")
        assert bens.fetchone() == ("ben spoke of hot tea",)


def test_a_newer_database_is_left_to_a_newer_program(empty_dsn: str) -> None:
    migrate.upgrade(empty_dsn)
    with psycopg.connect(empty_dsn) as connection:
        connection.execute("update mnemo.alembic_version set version_num = 'later'")
    with pytest.raises(InstallationMismatch, match="at revision later, newer than this program"):
        migrate.upgrade(empty_dsn)
    with pytest.raises(InstallationMismatch, match="update Mnemo"):
        migrate.downgrade(empty_dsn, "base")
    assert [migrate.is_newer(r) for r in (None, "0001", *migrate.heads(), "later")] == [
        False,
        False,
        False,
        True,
    ]


def test_up_down_up(empty_dsn: str) -> None:
    (head,) = migrate.heads()
    assert migrate.current(empty_dsn) is None
    up = migrate.upgrade(empty_dsn)
    assert (up.before, up.after, up.changed, up.parameters) == (None, head, True, Parameters())
    first = snapshot(empty_dsn, bodies=True)

    down = migrate.downgrade(empty_dsn, "base")
    assert (down.before, down.after) == (head, None)
    assert leftovers(empty_dsn) == ["alembic_version"]
    assert migrate.current(empty_dsn) is None

    migrate.upgrade(empty_dsn)
    assert snapshot(empty_dsn, bodies=True).splitlines() == first.splitlines()


def test_downgrade_leaves_other_schemas_alone(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("create table public.alembic_version (version_num text)")
        connection.execute("insert into public.alembic_version values ('theirs')")
        migrate.upgrade(empty_dsn)
        migrate.downgrade(empty_dsn, "base")
        assert connection.execute("select * from public.alembic_version").fetchall() == [("theirs",)]
        extensions = connection.execute(
            "select extname from pg_extension where extname in ('vector', 'pgcrypto') order by 1"
        ).fetchall()
        assert extensions == [("pgcrypto",), ("vector",)]


def test_upgrade_again_changes_nothing_and_keeps_memories(dsn: str) -> None:
    stored = remember(dsn)
    before = snapshot(dsn, bodies=True)
    assert not migrate.upgrade(dsn).changed
    assert snapshot(dsn, bodies=True) == before
    assert contents(dsn) == [(stored, "kept")]


def test_downgrade_refuses_to_drop_memories_unless_forced(dsn: str) -> None:
    stored = remember(dsn)
    with pytest.raises(InstallationMismatch, match="would drop stored memories"):
        migrate.downgrade(dsn, "base")
    assert contents(dsn) == [(stored, "kept")]
    assert migrate.current(dsn) == migrate.heads()[0]
    migrate.downgrade(dsn, "base", force=True)
    assert leftovers(dsn) == ["alembic_version"]


@pytest.mark.parametrize(("bits", "sketch_bits"), [(1_024, 512), (16_384, 2_048), (32_768, 1_024)])
def test_widths_are_those_asked_for(empty_dsn: str, bits: int, sketch_bits: int) -> None:
    migrate.upgrade(empty_dsn, bits=bits, sketch_bits=sketch_bits)
    # Later calls need not repeat them, and may.
    assert migrate.upgrade(empty_dsn).parameters == Parameters(bits, sketch_bits)
    assert migrate.upgrade(empty_dsn, bits=bits, sketch_bits=sketch_bits).parameters.bits == bits
    with psycopg.connect(empty_dsn) as connection:
        widths = connection.execute(
            "select c.relname, format_type(a.atttypid, a.atttypmod), a.attstorage, c.reloptions"
            " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'hdv'"
            " where c.relname in ('memory_hot', 'memory_warm') order by 1"
        ).fetchall()
    target = [f"toast_tuple_target={Parameters(bits, sketch_bits).toast_tuple_target}"]
    assert widths == [(name, f"bit({bits})", "p", target) for name in ("memory_hot", "memory_warm")]
    # A row beside the widest vector still holds a megabyte of text, out of line.
    with psycopg.connect(empty_dsn) as connection:
        connection.execute(
            "select mnemo.remember(string_agg(md5(i::text), ' '), hdv => mnemo.random_hypervector('x'))"
            " from generate_series(1, 20000) i"
        )


@pytest.mark.parametrize(
    ("bits", "sketch_bits", "message"),
    [
        (1_024, None, "bits = 1024 was asked for, but this database was installed with bits = 16384"),
        (None, 512, "sketch_bits = 512 was asked for, but .* with sketch_bits = 1536"),
    ],
)
def test_other_widths_are_refused(dsn: str, bits: int | None, sketch_bits: int | None, message: str) -> None:
    before = snapshot(dsn)
    with pytest.raises(InstallationMismatch, match=message):
        migrate.upgrade(dsn, bits=bits, sketch_bits=sketch_bits)
    assert snapshot(dsn) == before


def test_many_upgrades_at_once_do_the_work_once(empty_dsn: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.migrate"])
    # Holding the lock until everyone waits for it makes all of them start at the same moment.
    with ProcessPoolExecutor(CONCURRENT, context) as pool, psycopg.connect(empty_dsn) as gate:
        gate.execute("select pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        running = [pool.submit(migrate.upgrade, empty_dsn) for _ in range(CONCURRENT)]
        wait_for_waiters(empty_dsn, CONCURRENT)
        gate.rollback()
        results = [each.result() for each in running]
    (head,) = migrate.heads()
    assert sorted(str(each.before) for each in results) == sorted(["None"] + [head] * (CONCURRENT - 1))
    assert {each.after for each in results} == {head}


def wait_for_waiters(dsn: str, count: int) -> None:
    """Return once that many sessions of the database wait for an advisory lock."""
    give_up = monotonic() + 120
    with psycopg.connect(dsn, autocommit=True) as connection:
        while monotonic() < give_up:
            row = connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and wait_event_type = 'Lock' and wait_event = 'advisory'"
            ).fetchone()
            if row == (count,):
                return
    raise AssertionError(f"fewer than {count} sessions came to wait")


def test_a_failing_statement_leaves_nothing(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        # In the way of a function, which loads when the tables are already there.
        connection.execute("create schema mnemo")
        connection.execute("create function mnemo.bits() returns text language sql as 'select null::text'")
        with pytest.raises(MigrationFailed, match="cannot change return type"):
            migrate.upgrade(empty_dsn)
        assert connection.execute("select to_regclass('mnemo.setting')").fetchone() == (None,)
    assert migrate.current(empty_dsn) is None


def test_mistakes_have_clear_errors(empty_dsn: str) -> None:
    with pytest.raises(InvalidArgument, match="bits = 1000 is not possible: it must be a multiple of 64"):
        migrate.upgrade(empty_dsn, bits=1_000)
    with pytest.raises(InvalidArgument, match="0099"):
        migrate.upgrade(empty_dsn, revision="0099")
    assert migrate.current(empty_dsn) is None
    nowhere = "host=127.0.0.1 port=1 dbname=nowhere"
    with pytest.raises(ConnectionFailed, match="port 1"):
        migrate.upgrade(nowhere)
    with pytest.raises(ConnectionFailed, match="port 1"):
        migrate.current(nowhere)
