"""Sessions that meet at a job: never two steps of one at a time, and nothing stuck when a session is gone."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.conftest import Connection
from tests.jobs.conftest import add, status, value
from tests.support.locks import Session, sessions

WAIT = 60
STEP = "select job || ' ' || outcome from mnemo.run_job_step()"


@pytest.fixture
def two(jobs_dsn: str) -> Iterator[list[Session]]:
    """Two sessions in transactions."""
    with sessions(jobs_dsn) as made:
        yield made


def test_a_job_in_work_is_passed_over(two: list[Session], db: Connection) -> None:
    a, b = two
    add(db, "x", steps=9)
    assert a.run(STEP) == "x opened"
    assert b.run(STEP) is None
    a.commit()
    b.commit()
    assert a.run(STEP) == "x worked"
    assert status(db, "x")["state"] == "running"
    add(db, "y", steps=9)
    assert b.run(STEP) == "y opened"
    b.commit()
    assert b.run(STEP) == "y worked"
    assert b.run(STEP) == "y worked"
    a.rollback()
    # The session that took it is gone: the run goes on as if its step had never begun.
    assert status(db, "x")["last_steps"] == 0
    b.commit()
    assert a.run(STEP) == "x worked"
    assert value(db, "select count(*) from mnemo.job_run") == 2


@pytest.mark.parametrize(
    "change",
    ["alter_job('x', '{\"enabled\": false}')", "run_job_now('x')", "remove_job('x')"],
)
def test_a_change_waits_for_the_step(two: list[Session], db: Connection, change: str) -> None:
    a, b = two
    add(db, "x", steps=1)
    for _ in range(2):
        a.run(STEP)
        a.commit()
    assert a.run(STEP) == "x succeeded"
    future = b.start(f"select mnemo.{change}")
    assert not future.done()
    a.commit()
    future.result(WAIT)
    b.commit()
    assert a.run(STEP) == ("x opened" if change.startswith("run") else None)


def test_two_calls_of_run_due_jobs_share_the_work(jobs_dsn: str, two: list[Session], db: Connection) -> None:
    a, _ = two
    for name in "xy":
        add(db, name, steps=20)
    assert a.run(STEP) == "x opened"
    db.execute("call mnemo.run_due_jobs()")
    assert (status(db, "x")["state"], status(db, "y")["last_work"]) == ("due", 200)
    a.commit()
    with psycopg.connect(jobs_dsn, autocommit=True) as other:
        other.execute("call mnemo.run_due_jobs()")
    assert status(db, "x")["last_work"] == 200


def test_a_cancelled_step_is_no_failure(two: list[Session], db: Connection) -> None:
    a, _ = two
    add(db, "x", steps=2)
    a.run(STEP)
    a.commit()
    db.execute("begin")
    db.execute("lock table task.done in access exclusive mode")
    future = a.start(STEP)
    assert not future.done()
    a.connection.cancel_safe()
    with pytest.raises(errors.QueryCanceled):
        future.result(WAIT)
    a.rollback()
    db.execute("rollback")
    shown = status(db, "x")
    assert (shown["state"], shown["failures"], shown["last_steps"]) == ("running", 0, 0)
    assert a.run(STEP) == "x worked"
