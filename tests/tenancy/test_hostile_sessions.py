"""Whoever has SQL can set settings, make temporary things and try roles: it gets them no further."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.tenancy.conftest import Estate
from tests.tenancy.estate import ALPHA, BETA, CANARY
from tests.tenancy.people import People

Beta = psycopg.Connection[Any]
# A function that does what only the engine's own roles can; whoever calls it takes its caller's rights.
_LOOT = """
create function pg_temp.loot({0}) returns {1} language plpgsql as $$
begin
    raise notice 'looted as %', current_user;
    return {2};
end $$
"""


@pytest.fixture
def looted() -> list[str]:
    """The roles that somebody's own code ran as."""
    return []


@pytest.fixture
def beta(estate: Estate, looted: list[str]) -> Iterator[Beta]:
    """A connection of beta's, with the rights of an app, a reader and a vault."""
    with psycopg.connect(estate.conninfo("all"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: looted.append(notice.message_primary or ""))
        yield connection


def refused(connection: Beta, statement: str, code: str, *values: Any) -> None:
    """A statement that must fail with this SQLSTATE."""
    with pytest.raises(psycopg.Error) as error:
        connection.execute(statement.encode(), values or None)
    assert error.value.sqlstate == code, str(error.value)


@pytest.mark.parametrize(
    "setting", ["set mnemo.tenant = 'alpha'", "set local mnemo.tenant = 'alpha'", "set mnemo.tenant = '*'"]
)
def test_a_setting_makes_nobody_another_tenant(beta: Beta, setting: str) -> None:
    with beta.transaction(force_rollback=True):
        beta.execute(setting.encode())
        for statement in (
            "select mnemo.tenant()", "select * from mnemo.memories", "select count(*) from mnemo.memory_hot",
            "select mnemo.remember('x')", "select mnemo.count_memories()", "select * from mnemo.vault_list()",
            "select mnemo.search(mnemo.random_hypervector('x'))",
        ):  # fmt: skip
            with pytest.raises(psycopg.Error) as error, beta.transaction():
                beta.execute(statement.encode())
            assert error.value.sqlstate == "MN015"
            assert CANARY not in str(error.value)


def test_the_tenant_cannot_change_on_the_way(beta: Beta) -> None:
    """The check is made where rows are read: changed in the middle of a statement, it is refused there."""
    beta.execute(
        "create function pg_temp.turn() returns text language sql"
        " as $$ select set_config('mnemo.tenant', 'alpha', true) $$"
    )
    refused(
        beta, "select pg_temp.turn(), (select count(*) from mnemo.memory), mnemo.count_memories()", "MN015"
    )
    refused(beta, "with t as materialized (select pg_temp.turn()) select * from t, mnemo.scroll()", "MN015")
    refused(beta, "set row_security = off; select count(*) from mnemo.memory", "42501")


def test_roles_are_taken_by_nobody(estate: Estate, beta: Beta) -> None:
    for role in (
        "mnemo_owner",
        "mnemo_api",
        "mnemo_engine",
        "mnemo_worker",
        estate.roles["alpha"],
        "postgres",
    ):
        refused(beta, f"set role {role}", "42501")
        refused(beta, f"set session authorization {role}", "42501")
        refused(beta, "select set_config('role', %s, false)", "42501", role)
    beta.execute("set role mnemo_app")
    # The role that everybody of its kind has acts for no tenant of its own.
    refused(beta, "select mnemo.count_memories()", "MN015")
    beta.execute("reset role")
    assert beta.execute("select mnemo.tenant()").fetchone() == (BETA,)


_HOSTILE = {
    "a view": "create view pg_temp.memory_staging as select pg_temp.loot(1) as ordinal",
    "a table": "create temporary table memory_staging (like mnemo.draft)",
    "a typed table": "create temporary table memory_staging of mnemo.draft",
    "a table with a default": "create temporary table memory_staging (ordinal int default pg_temp.loot(1))",
    "a partitioned table": "create temporary table memory_staging (ordinal int) partition by list (ordinal)",
}


@pytest.mark.parametrize("kind", _HOSTILE)
def test_a_staging_table_of_ones_own_is_refused(estate: Estate, looted: list[str], kind: str) -> None:
    with psycopg.connect(estate.conninfo("app"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: looted.append(notice.message_primary or ""))
        connection.execute(_LOOT.format("n integer", "integer", "n").encode())
        try:
            connection.execute(_HOSTILE[kind].encode())
        except psycopg.errors.InsufficientPrivilege:
            assert kind == "a typed table", "a type of the schema may not even be used"
            return
        refused(connection, "select mnemo.open_staging()", "MN002")
        refused(connection, "select mnemo.remember_staged()", "MN002")
    assert looted == []


def test_the_staging_table_stays_the_engines(beta: Beta) -> None:
    beta.execute("select mnemo.open_staging()")
    for statement in (
        "create trigger t before insert on {} execute function suppress_redundant_updates_trigger()",
        "alter table {} alter column key set default 1", "drop table {}", "alter table {} add check (true)",
        "create rule r as on insert to {} do also select 1", "update {} set key = 'x'",
        "alter table {} owner to current_user", "alter table {} rename to other", "create index on {} (key)",
    ):  # fmt: skip
        refused(beta, statement.format("pg_temp.memory_staging"), "42501")
    beta.execute("select mnemo.open_staging()")
    with beta.transaction(force_rollback=True):
        # A row that says it is somebody else's memory is a new one of beta's all the same.
        beta.execute(
            "insert into pg_temp.memory_staging (ordinal, content, collection, tier, importance, pinned, id,"
            " existed) select 0, 'mine', 'memories', 'hot', 0.5, false, gen_random_uuid(), true"
        )
        beta.execute("select mnemo.remember_staged()")
        assert beta.execute("select content from mnemo.memories").fetchall() == [("mine",)]


def test_memories_go_into_no_other_table(beta: Beta, looted: list[str]) -> None:
    beta.execute(_LOOT.format("", "trigger", "new").encode())
    beta.execute("create temporary table mine (like mnemo.memory)")
    beta.execute("create trigger t before insert on mine for each row execute function pg_temp.loot()")
    beta.execute("grant all on mine to public")
    for table in (
        "pg_temp.mine",
        "mnemo.access_log",
        "mnemo.memory_hot",
        "mnemo.audit",
        "pg_catalog.pg_class",
    ):
        refused(beta, "select mnemo.open_staging(), mnemo.remember_staged(%s)", "MN002", table)
    refused(beta, "select mnemo.remember_staged(null)", "MN002")
    assert looted == []


def test_names_of_ones_own_are_not_found_first(beta: Beta, looted: list[str]) -> None:
    """Functions, operators, casts, tables and types in a schema that comes first on one's own search_path."""
    for name, arguments in (
        ("now", ""),
        ("tenant", ""),
        ("setting", "name text"),
        ("sha256", "b bytea"),
        ("length", "t text"),
    ):
        beta.execute(f"create function pg_temp.{name}({arguments}) returns text language plpgsql"
                     " as $$ begin raise notice 'looted'; return 'alpha'; end $$".encode())  # fmt: skip
    beta.execute("create function pg_temp.equal(a text, b text) returns boolean language plpgsql"
                 " as $$ begin raise notice 'looted'; return true; end $$")  # fmt: skip
    beta.execute("create operator pg_temp.= (leftarg = text, rightarg = text, function = pg_temp.equal)")
    for table in ("memory", "tenant_role", "setting", "collection", "activity", "quota"):
        beta.execute(f"create temporary table {table} (like mnemo.setting)".encode())
    with beta.transaction(force_rollback=True):
        beta.execute("set local search_path = pg_temp, mnemo, pg_catalog, public")
        beta.execute("select mnemo.remember('mine', key => 'one')")
        assert beta.execute("select mnemo.tenant()").fetchone() == (BETA,)
        assert beta.execute("select count(*) from mnemo.memories").fetchone() == (1,)
        beta.execute("select mnemo.recall_text('mine'), mnemo.count_memories(), mnemo.vault_keys()")
        beta.execute("select mnemo.forget(id) from mnemo.memories")
    assert looted == []


def test_casts_of_ones_own_do_not_run_as_the_engine(beta: Beta, looted: list[str]) -> None:
    """The trigger of a view would cast columns of any table that it is put on."""
    beta.execute("create type pg_temp.mine as (a integer)")
    beta.execute("create temporary table bait (id uuid, content pg_temp.mine)")
    refused(
        beta,
        "create trigger t before delete on bait for each row execute function mnemo.write_through()",
        "42501",
    )
    assert looted == []


def test_only_the_engine_sets_the_clock(estate: Estate, beta: Beta) -> None:
    """A tenant cannot be in the past or the future: not for its memories, its quota or its events."""
    with beta.transaction(force_rollback=True):
        for when in ("2000-01-01", "2100-01-01", "nonsense"):
            beta.execute("select set_config('mnemo.clock', %s, true)", [when])
            assert beta.execute("select mnemo.now() = now()").fetchone() == (True,)
            beta.execute("select mnemo.remember('mine')")
        assert beta.execute("select bool_and(created_at = now()) from mnemo.memories").fetchone() == (True,)
        assert beta.execute("select mnemo.strength(id) < 0.81 from mnemo.memories limit 1").fetchone() == (
            True,
        )
    with psycopg.connect(estate.dsn) as superuser:
        superuser.execute("set local mnemo.clock = '2100-01-01'")
        assert superuser.execute("select mnemo.now() = '2100-01-01'").fetchone() == (True,)


def test_an_injection_point_stops_its_own_session_alone(estate: Estate, beta: Beta) -> None:
    with (
        psycopg.connect(estate.conninfo("all"), autocommit=True) as holder,
        psycopg.connect(estate.conninfo("alpha"), autocommit=True) as alpha,
    ):
        holder.execute(
            "select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext('remember.written'))"
        )
        beta.execute("set mnemo.injection_point = 'remember.written'")
        with ThreadPoolExecutor(1) as threads:
            stopped = threads.submit(beta.execute, "select mnemo.remember('stopped')")
            waits = "select from pg_stat_activity where pid = %s and wait_event = 'advisory'"
            while not stopped.done() and not holder.execute(waits, [beta.info.backend_pid]).rowcount:
                pass
            with alpha.transaction(force_rollback=True):
                alpha.execute("select mnemo.remember('not stopped either')")
            beta.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                stopped.result()


def test_learning_and_search_settings_are_ones_own(estate: Estate, beta: Beta) -> None:
    with psycopg.connect(estate.dsn) as superuser:
        before = superuser.execute("select * from mnemo.setting order by name").fetchall()
        beta.execute("set mnemo.learning = 'off'; set mnemo.ef_search = 1000")
        refused(beta, "select mnemo.configure('{\"potentiation\": 1}')", "42501")
        refused(beta, "update mnemo.setting set value = 1", "42501")
        beta.execute("select mnemo.recall_text('anything')")
        assert superuser.execute("select * from mnemo.setting order by name").fetchall() == before


def test_grants_follow_memberships(estate: Estate) -> None:
    """Members of members act for what is granted to either; '*' is any tenant; a dropped role is nobody."""
    people: People = estate.people
    team = people.role("mnemo_app", tenants=[ALPHA], login=False)
    member = people.role(team)
    both = people.role(team, tenants=[BETA])
    server = people.role("mnemo_app", tenants=["*"])
    ask = "select mnemo.tenant()"

    def told(role: str, tenant: str | None = None) -> str | None:
        with psycopg.connect(people.conninfo(role, tenant), autocommit=True) as connection:
            try:
                row = connection.execute(ask).fetchone()
            except psycopg.Error as error:
                return error.sqlstate
            return str(row[0]) if row else None

    assert told(member) == ALPHA
    assert told(member, BETA) == "MN015"
    # Of two, one has to be asked for.
    assert told(both) == "MN015"
    assert [told(both, tenant) for tenant in (ALPHA, BETA, "*")] == [ALPHA, BETA, "MN015"]
    assert [told(server, tenant) for tenant in (None, ALPHA, "anything")] == ["MN015", ALPHA, "anything"]
    with psycopg.connect(people.conninfo(member), autocommit=True) as open_session:
        assert open_session.execute(ask).fetchone() == (ALPHA,)
        with psycopg.connect(people.dsn, autocommit=True) as superuser:
            superuser.execute(sql.SQL("revoke {} from {}").format(*map(sql.Identifier, (team, member))))
            refused(open_session, "select count(*) from mnemo.memory", "42501")
            superuser.execute(sql.SQL("grant mnemo_app to {}").format(sql.Identifier(member)))
            refused(open_session, ask, "MN015")
            superuser.execute("select mnemo.grant_tenant(%s, %s)", [member, BETA])
            assert open_session.execute(ask).fetchone() == (BETA,)
            superuser.execute("select mnemo.revoke_tenant(%s, %s)", [member, BETA])
            refused(open_session, ask, "MN015")
            superuser.execute("select mnemo.grant_tenant(%s, %s)", [member, BETA])
    people.drop(member)
    with psycopg.connect(people.dsn) as superuser:
        left = superuser.execute(
            "select count(*) from mnemo.tenant_role where role = %s", [member]
        ).fetchone()
        # A new role of that name would be somebody else: the doctor says so (check isolation).
        assert left == (1,)
        finding = superuser.execute("select status, detail from mnemo.doctor_isolation()").fetchone()
        superuser.execute("delete from mnemo.tenant_role where role = %s", [member])
        superuser.commit()
    assert finding is not None
    assert finding[0] == "warn"
    assert member in finding[1]
