"""What cannot be a job is refused by name, and nothing has changed."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection
from tests.jobs.conftest import TASKS, add
from tests.support.databases import Databases


@pytest.fixture(scope="module")
def unchanged(databases: Databases) -> Iterator[Connection]:
    """A connection to a database with one job, 'there', for tests that change nothing."""
    with databases.migrated(1024, 256) as dsn, psycopg.connect(dsn, autocommit=True) as opened:
        opened.execute(TASKS)
        opened.execute("delete from mnemo.job")
        add(opened, "there")
        yield opened


@pytest.mark.parametrize(
    ("call", "sqlstate", "message"),
    [
        (
            "add_job('a', 'task.missing', '1 h')",
            "MN002",
            "no function task.missing(jsonb) that returns bigint",
        ),
        (
            "add_job('a', 'missing.step', '1 h')",
            "MN002",
            "no function missing.step(jsonb) that returns bigint",
        ),
        ("add_job('a', 'task.of_text', '1 h')", "MN002", "no function task.of_text(jsonb)"),
        ("add_job('a', 'task.to_integer', '1 h')", "MN002", "no function task.to_integer(jsonb)"),
        ("add_job('a', 'task.to_rows', '1 h')", "MN002", "no function task.to_rows(jsonb)"),
        ("add_job('a', 'count_to', '1 h')", "MN002", "'count_to' is not a schema-qualified name"),
        ("add_job('a', 'task.fail(); drop', '1 h')", "MN002", "is not a schema-qualified name"),
        ("add_job('a', null, '1 h')", "MN002", "null is not a schema-qualified name"),
        (
            "add_job('a', 'task.fail', '0')",
            "MN002",
            "every must be above 0 and at most 100 years, not 00:00:00",
        ),
        ("add_job('a', 'task.fail', '-1 s')", "MN002", "every must be above 0"),
        ("add_job('a', 'task.fail', 'infinity')", "MN002", "every must be above 0"),
        ("add_job('a', 'task.fail', null)", "MN002", "not null"),
        ("add_job('a', 'task.fail', '1 h', '[]')", "MN002", "arguments must be a JSON object, not []"),
        (
            "add_job('a', 'task.fail', '1 h', max_failures => 0)",
            "MN002",
            "max_failures must be from 1 to 1000",
        ),
        ("add_job('a', 'task.fail', '1 h', backoff => '0')", "MN002", "backoff must be from 1 millisecond"),
        ("add_job('', 'task.fail', '1 h')", "MN002", "job '' is not possible: its name"),
        ("add_job('there', 'task.fail', '1 h')", "MN002", "there is a job 'there' already"),
        ("alter_job('a', '{}')", "MN010", "unknown job 'a'"),
        ("alter_job(null, '{}')", "MN010", "unknown job null"),
        ("alter_job('there', 'null')", "MN002", "must be a JSON object, not null"),
        ("""alter_job('there', '{"evry": 1}')""", "MN002", "a job has no setting 'evry'"),
        ("""alter_job('there', '{"every": "often"}')""", "MN002", "invalid input syntax for type interval"),
        ("""alter_job('there', '{"every": null}')""", "MN002", "every must be above 0"),
        (
            """alter_job('there', '{"enabled": null}')""",
            "MN002",
            "enabled of job 'there' must be true or false",
        ),
        ("""alter_job('there', '{"next_run_at": null}')""", "MN002", "next run must not be null"),
        ("""alter_job('there', '{"max_failures": 1e30}')""", "MN002", "out of range"),
        (
            """alter_job('there', '{"function": "task.missing"}')""",
            "MN002",
            "no function task.missing(jsonb)",
        ),
        ("run_job_now('a')", "MN010", "unknown job 'a'"),
        ("remove_job('a')", "MN010", "unknown job 'a'"),
    ],
)
def test_bad_input_is_refused_by_name(unchanged: Connection, call: str, sqlstate: str, message: str) -> None:
    before = unchanged.execute("select * from mnemo.job").fetchall()
    with pytest.raises(psycopg.Error) as refused:
        unchanged.execute(f"select mnemo.{call}".encode())
    assert (refused.value.sqlstate, message in str(refused.value)) == (sqlstate, True), refused.value
    assert unchanged.execute("select * from mnemo.job").fetchall() == before
