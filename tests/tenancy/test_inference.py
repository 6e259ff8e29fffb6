"""What the server shows everybody says nothing of another tenant, or is listed here with the reason."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.tenancy.catalog import relations, text_of
from tests.tenancy.conftest import Estate
from tests.tenancy.estate import ALPHA, BETA, CANARY

# What anybody who may connect to the database can find out, and why. docs/security.md says the same.
KNOWN = {
    "pg_class.reltuples, pg_stat_user_tables": "rows of tables, of all tenants together; shown to everybody",
    "explain (analyze) of a table": "rows that row-level security removed, of all tenants together",
    "mnemo.publish": "the numbers of events are of all tenants together",
    "advisory locks": "anybody can take any: statistics of words wait, nothing else",
    "mnemo.collection": "collections, and the dimension that the first embedding fixes, are everybody's",
    "mnemo.archive": "the rows of archived segments, of all tenants together: where clients read the objects",
    "MN011": "consumers that are too far behind stop the writers of all tenants; quotas bound who fills them",
}


_EXPLAIN = "explain (analyze, verbose, buffers off, timing off, summary off) select * from {}"


@pytest.fixture
def beta(estate: Estate) -> Any:
    """A connection of beta's, with the rights of an app, a reader and a vault."""
    with psycopg.connect(estate.conninfo("all"), autocommit=True) as connection:
        yield connection


def test_statistics_of_columns_are_hidden(estate: Estate, beta: Any) -> None:
    with psycopg.connect(estate.dsn) as superuser:
        query = "select tablename, attname, s::text from pg_stats s where schemaname = 'mnemo'"
        assert CANARY in str(superuser.execute(query).fetchall()), "nothing to be hidden"
        secured = {
            each.name for each in relations(superuser) if "tenant" in each.columns and each.kind in "rp"
        }
    shown = beta.execute(query).fetchall()
    assert CANARY not in str(shown)
    assert {table for table, _, _ in shown} & secured == set()
    for view in ("pg_stats_ext", "pg_stats_ext_exprs"):
        assert beta.execute(
            sql.SQL("select count(*) from {} where schemaname = 'mnemo'").format(sql.Identifier(view))
        ).fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        beta.execute("select * from pg_statistic")


def test_sequences_are_hidden(estate: Estate, beta: Any) -> None:
    rows = beta.execute(
        "select sequencename, last_value from pg_sequences where schemaname = 'mnemo'"
    ).fetchall()
    assert rows
    assert all(value is None for _, value in rows)
    for function in (
        "pg_sequence_last_value('mnemo.event_seq')",
        "(pg_get_sequence_data('mnemo.event_seq')).last_value",
    ):
        assert beta.execute(f"select {function}".encode()).fetchone() == (None,)


def test_plans_show_no_value(estate: Estate, beta: Any) -> None:
    """An executed plan of every relation that may be read: no canary, and no row that is not beta's."""
    explained = 0
    for each in relations(beta):
        statement = _EXPLAIN.format(each.identifier.as_string())
        try:
            plan = "\n".join(line for (line,) in beta.execute(statement.encode()))
        except psycopg.errors.InsufficientPrivilege:
            continue
        explained += 1
        assert CANARY not in plan
        assert ALPHA not in plan
    assert explained > 20
    for call in ("mnemo.search(mnemo.random_hypervector('x'))", "mnemo.search_text('kanarie number 3')",
                 "mnemo.scroll()", "mnemo.count_memories()", "mnemo.vault_list()"):  # fmt: skip
        statement = _EXPLAIN.format(call)
        lines = [line for (line,) in beta.execute(statement.encode())]
        # The function is one node: what it looked at is not shown.
        assert lines[0].startswith("Function Scan"), lines
        assert "Removed" not in "".join(lines)


def test_a_function_in_a_condition_sees_no_row_of_others(beta: Any) -> None:
    """Row-level security comes before conditions, however cheap they say they are."""
    beta.execute("create function pg_temp.spy(t text) returns boolean language plpgsql cost 0.0000001"
                 " as $$ begin raise notice 'seen %', t; return true; end $$")  # fmt: skip
    seen: list[str] = []
    beta.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
    beta.execute("select count(*) from mnemo.memory where pg_temp.spy(content)")
    beta.execute("select count(*) from mnemo.memories where pg_temp.spy(content)")
    beta.execute("select count(*) from mnemo.memory_hot where pg_temp.spy(content)")
    assert seen == []


def test_an_error_in_a_condition_tells_nothing(beta: Any) -> None:
    for table in ("memory", "memories", "memory_warm", "term", "vault_item"):
        column = {"term": "term", "vault_item": "name"}.get(table, "content")
        query = sql.SQL("select count(*) from mnemo.{} where {}::integer > 0")
        beta.execute(query.format(sql.Identifier(table), sql.Identifier(column)))


def test_the_same_names_are_anybodys(estate: Estate, beta: Any) -> None:
    """A key, an item, a source and a vault item of alpha's are free for beta: no unique key spans tenants."""
    names = estate.alpha.names
    with psycopg.connect(estate.dsn) as superuser:
        spanning = superuser.execute(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid"
            " join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant'"
            " where c.relnamespace = 'mnemo'::regnamespace and i.indisunique and c.relkind in ('r', 'p')"
            " and not t.attnum = any (i.indkey) and not c.relispartition"
        ).fetchall()
    # By ids and numbers that the server makes, which nobody chooses.
    assert {name.removeprefix("mnemo.") for (name,) in spanning} == {
        "activity_pkey", "archived_memory_pkey", "dead_letter_pkey", "event_retry_pkey",
        "memory_pkey", "shredding_pkey", "term_log_pkey", "tombstone_pkey",
        "uncopied_pkey",
    }  # fmt: skip
    with beta.transaction(force_rollback=True):
        beta.execute("select mnemo.remember('mine', key => %s)", [names["key"]])
        beta.execute("select mnemo.item(%s, mnemo.random_hypervector('mine'))", [names["item"]])
        beta.execute("select mnemo.advance_ingest(%s, 'memories', 0, 1)", [names["source"]])
        beta.execute("select mnemo.vault_put(%s, 'mine', %s)", [names["name"], b"another key of mine"])
        assert beta.execute("select mnemo.count_memories()").fetchone() == (1,)
        assert beta.execute("select content from mnemo.memories").fetchall() == [("mine",)]


def test_others_queries_are_hidden(estate: Estate, beta: Any) -> None:
    with psycopg.connect(estate.conninfo("alpha"), autocommit=True) as alpha:
        alpha.execute(f"select '{CANARY}', mnemo.tenant()")
        rows = beta.execute(
            "select usename, query, client_addr from pg_stat_activity where pid = %s",
            [alpha.info.backend_pid],
        )
        assert rows.fetchall() == [(estate.roles["alpha"], "<insufficient privilege>", None)]
        for view in ("pg_prepared_statements", "pg_cursors", "pg_prepared_xacts"):
            assert CANARY not in str(
                beta.execute(sql.SQL("select * from {}").format(sql.Identifier(view))).fetchall()
            )


def test_notifications_carry_nothing(estate: Estate, beta: Any) -> None:
    """Whoever listens learns that something happened, to whom and what it does not."""
    channels = [row[0] for row in beta.execute(
        "select distinct (regexp_matches(prosrc, 'pg_notify\\(''([a-z_]+)''', 'g'))[1] from pg_proc"
        " where pronamespace = 'mnemo'::regnamespace")]  # fmt: skip
    assert sorted(channels) == ["mnemo_event", "mnemo_job"]
    for channel in channels:
        beta.execute(f"listen {channel}".encode())
    with psycopg.connect(estate.dsn, autocommit=True) as superuser:
        # As if a consumer slept.
        superuser.execute("select setval('mnemo.event_asleep', 1)")
        superuser.execute(
            "begin; set local mnemo.tenant = 'alpha'; select mnemo.publish('memory.write', '[]', 'kanarie')"
        )
        superuser.execute("commit")
        superuser.execute("select mnemo.run_job_now('fold_accesses')")
    told = {(notify.channel, notify.payload) for notify in beta.notifies(timeout=5, stop_after=2)}
    assert told == {("mnemo_event", ""), ("mnemo_job", "fold_accesses")}
    beta.execute("unlisten *")


def test_what_cannot_be_hidden_is_what_is_listed(estate: Estate, beta: Any) -> None:
    """Totals over all tenants, and no more."""
    rows = dict(
        beta.execute("select relname, reltuples from pg_class where relnamespace = 'mnemo'::regnamespace")
    )
    assert rows["memory_hot"] > 0, "nobody can say whose they are"
    assert "pg_class.reltuples, pg_stat_user_tables" in KNOWN
    plan = str(
        beta.execute(
            "explain (analyze, timing off, summary off, buffers off) select * from mnemo.memory_hot"
        ).fetchall()
    )
    assert "Rows Removed by Filter" in plan
    assert BETA not in plan


def test_errors_name_nothing_of_others(estate: Estate, beta: Any) -> None:
    """A foreign key is broken the same way, whether what it names is another tenant's or nobody's."""
    told = set()
    for item in (estate.alpha.ids[0], "00000000-0000-7000-8000-000000000000"):
        for position in (0, 1):
            with pytest.raises(psycopg.Error) as refused, beta.transaction():
                beta.execute(
                    "select mnemo.vault_put_chunk(%s, %s, 'x', 'a key of some length')", [item, position]
                )
            told.add(text_of(refused.value))
    assert len(told) == 1
