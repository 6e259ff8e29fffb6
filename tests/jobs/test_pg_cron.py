"""pg_cron's helper, against a stub of its functions: pg_cron itself is not on the machines that test this."""

import psycopg
import pytest

from tests.conftest import Connection
from tests.jobs.conftest import add, status, value

# What pg_cron documents: a name scheduled again keeps its number, and an unknown one cannot be unscheduled.
STUB = """
create schema cron;
create table cron.job (
    jobid bigint generated always as identity, schedule text, command text, jobname text unique
);
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
    insert into cron.job as j (schedule, command, jobname)
    values (schedule.schedule, schedule.command, job_name)
    on conflict (jobname) do update set schedule = excluded.schedule, command = excluded.command
    returning j.jobid
$$;
create function cron.unschedule(job_name text) returns boolean language plpgsql as $$
begin
    delete from cron.job j where j.jobname = job_name;
    if not found then
        raise exception 'could not find valid entry for job %', job_name;
    end if;
    return true;
end $$;
"""


def test_registering_and_unregistering(db: Connection) -> None:
    db.execute(STUB)
    assert value(db, "select mnemo.unschedule_pg_cron()") is False
    number = value(db, "select mnemo.schedule_pg_cron()")
    assert value(db, "select mnemo.schedule_pg_cron('* * * * *')") == number
    rows = db.execute("select schedule, command, jobname from cron.job").fetchall()
    assert rows == [("* * * * *", "call mnemo.run_due_jobs()", "mnemo")]
    add(db, "a", steps=3)
    db.execute(value(db, "select command from cron.job").encode())
    assert status(db, "a")["last_work"] == 30
    assert value(db, "select mnemo.unschedule_pg_cron()") is True
    assert value(db, "select count(*) from cron.job") == 0


@pytest.mark.parametrize("call", ["schedule_pg_cron()", "unschedule_pg_cron()"])
def test_without_pg_cron_the_message_says_so(db: Connection, call: str) -> None:
    with pytest.raises(psycopg.Error, match="pg_cron is not installed in database 'mnemo_test") as refused:
        db.execute(f"select mnemo.{call}".encode())
    assert refused.value.sqlstate == "MN002"


def test_no_schedule_is_refused(db: Connection) -> None:
    db.execute(STUB)
    with pytest.raises(psycopg.Error, match="must not be null") as refused:
        db.execute("select mnemo.schedule_pg_cron(null)")
    assert refused.value.sqlstate == "MN002"
