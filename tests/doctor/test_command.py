"""mnemo doctor: what it prints, and its exit code."""

import json
import subprocess
import sys

import psycopg

from tests.conftest import DatabaseFactory

# What the server of the tests itself lacks, to be fast.
_CARELESS = {"fsync", "full_page_writes", "synchronous_commit", "autovacuum"}


def doctor(dsn: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from engine.cli import main; main()", "doctor", "--dsn", dsn, *options]
    return subprocess.run(argv, capture_output=True, text=True)


def test_it_prints_the_findings_of_the_function_and_fails_where_one_does(
    database_factory: DatabaseFactory,
) -> None:
    dsn = database_factory(1_024, 256)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("alter table mnemo.memory_hot reset (toast_tuple_target)")
        connection.execute("alter table mnemo.memory_warm alter column hdv set storage extended")
        # The template may be older than what a job waits.
        connection.execute("update mnemo.job set next_run_at = now()")
        rows = connection.execute('select "check", status from mnemo.doctor()').fetchall()
    printed = doctor(dsn)
    assert printed.returncode == 1, printed.stderr
    assert "fail  vector_storage" in printed.stdout
    assert "alter table mnemo.<partition> set (toast_tuple_target = " in printed.stdout
    found = json.loads(doctor(dsn, "--json", "--deep").stdout)["findings"]
    assert [finding["check"] for finding in found] == [check for check, _ in rows]
    troubled = {finding["check"] for finding in found if finding["status"] != "ok"}
    assert troubled - _CARELESS == {"toast_target", "vector_storage"}
    assert all((finding["advice"] is None) == (finding["status"] == "ok") for finding in found)
