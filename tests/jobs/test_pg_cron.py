"""pg_cron's helper, against a stub of its functions: pg_cron itself is not on the machines that test this."""

import psycopg
import pytest

from tests.conftest import Connection
from tests.jobs.conftest import add, status, value

# As pg_cron 1.6 declares them: a name belongs to a user, one scheduled again keeps its number, and one that
# is not there cannot be unscheduled.
STUB = """
create schema cron;
create table cron.job (
    jobid bigint generated always as identity, schedule text, command text, jobname text,
    username text default current_user, unique (jobname, username)
);
create function cron.schedule(schedule text, command text) returns bigint language sql as 'select 0::bigint';
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
    insert into cron.job as j (schedule, command, jobname)
    values (schedule.schedule, schedule.command, job_name)
    on conflict (jobname, username) do update set schedule = excluded.schedule, command = excluded.command
    returning j.jobid
$$;
create function cron.unschedule(job_id bigint) returns boolean language sql as 'select false';
create function cron.unschedule(job_name text) returns boolean language plpgsql as $$
begin
    delete from cron.job j where j.jobname = job_name and j.username = current_user;
    if not found then
        raise exception 'could not find valid entry for job %', job_name;
    end if;
    return true;
end $$;
insert into cron.job (jobname, schedule, command, username)
values ('mnemo', '* * * * *', 'select', 'another');
"""


MINE = "from cron.job where username = current_user"


def test_registering_and_unregistering(db: Connection) -> None:
    db.execute(STUB)
    assert value(db, "select mnemo.unschedule_pg_cron()") is False
    number = value(db, "select mnemo.schedule_pg_cron()")
    assert value(db, "select mnemo.schedule_pg_cron('* * * * *')") == number
    rows = db.execute(f"select schedule, command, jobname {MINE}".encode()).fetchall()
    assert rows == [("* * * * *", "call mnemo.run_due_jobs()", "mnemo")]
    add(db, "a", steps=3)
    db.execute(rows[0][1].encode())
    assert status(db, "a")["last_work"] == 30
    assert value(db, "select mnemo.unschedule_pg_cron()") is True
    assert db.execute(f"select {MINE}".encode()).rowcount == 0


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
