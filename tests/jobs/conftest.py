"""A database without the jobs of an installation, and functions to make jobs of."""

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.conftest import Connection, DatabaseFactory

# count_to adds a row named arguments.name a step, until there are arguments.steps of them; fail adds one and
# raises; scripted fails in its nth run where the nth character of arguments.script is f.
TASKS: LiteralString = """
create schema task;
grant usage on schema task to mnemo_owner;
alter default privileges in schema task grant all on tables to mnemo_owner;
create table task.done (name text);
create function task.count_to(p jsonb) returns bigint language plpgsql as $$
begin
    if (select count(*) from task.done d where d.name = p ->> 'name') >= (p ->> 'steps')::integer then
        perform pg_notify('task_done', p ->> 'name');
        return 0;
    end if;
    insert into task.done values (p ->> 'name');
    return 10;
end $$;
create function task.fail(p jsonb) returns bigint language plpgsql as $$
begin
    insert into task.done values ('never');
    raise exception 'the well is dry' using errcode = 'P0007', detail = 'No rain';
end $$;
create function task.scripted(p jsonb) returns bigint language plpgsql as $$
declare
    v_turn integer := (select count(*) from mnemo.job_run r where r.job = p ->> 'name');
begin
    if substr(p ->> 'script', v_turn, 1) = 'f' then
        raise exception 'scripted';
    end if;
    return 0;
end $$;
create function task.nothing(p jsonb) returns bigint language sql as 'select null::bigint';
create function task.negative(p jsonb) returns bigint language sql as 'select -1::bigint';
create function task.assertion(p jsonb) returns bigint language plpgsql as $$
begin
    assert false, 'must hold';
end $$;
create function task.of_text(p text) returns bigint language sql as 'select 0::bigint';
create function task.to_integer(p jsonb) returns integer language sql as 'select 0';
create function task.to_rows(p jsonb) returns setof bigint language sql as 'select 0::bigint';
"""


@pytest.fixture
def jobs_dsn(database_factory: DatabaseFactory) -> str:
    """A database with the functions above and no jobs."""
    dsn = database_factory(1024, 256)
    with psycopg.connect(dsn) as connection:
        connection.execute(TASKS)
        connection.execute("delete from mnemo.job")
    return dsn


@pytest.fixture
def db(jobs_dsn: str) -> Iterator[Connection]:
    """An autocommit connection to it."""
    with psycopg.connect(jobs_dsn, autocommit=True) as opened:
        yield opened


def add(db: Connection, name: str, function: str = "task.count_to", **settings: Any) -> None:
    """Add a job whose arguments are its name, and `steps` and `script` where given."""
    arguments = {"name": name}
    arguments |= {key: settings.pop(key) for key in ("steps", "script") if key in settings}
    given: dict[str, Any] = {"every": "1 hour", **settings}
    named = ", ".join(f"{key} => %s" for key in given)
    db.execute(
        f"select mnemo.add_job(%s, %s, {named}, arguments => %s)".encode(),
        (name, function, *given.values(), Jsonb(arguments)),
    )


def step(db: Connection) -> tuple[Any, ...]:
    """Do one step; return job, outcome and work."""
    row = db.execute("select job, outcome, work from mnemo.run_job_step('me')").fetchone()
    assert row is not None
    return row


def status(db: Connection, name: str) -> dict[str, Any]:
    """Return the row of mnemo.job_status of one job."""
    with db.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from mnemo.job_status where name = %s", (name,)).fetchone()
    assert row is not None
    return row


def value(db: Connection, query: LiteralString, *arguments: Any) -> Any:
    """Return the first column of a query's first row."""
    row = db.execute(query, arguments).fetchone()
    assert row is not None
    return row[0]
