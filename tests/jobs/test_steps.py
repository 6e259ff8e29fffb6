"""A step a transaction: opened, resumed, failed, retried, disabled; in a time that the test sets."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.conftest import Connection
from tests.jobs.conftest import add, status, step, value

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


def set_clock(db: Connection, at: datetime) -> None:
    db.execute("select set_config('mnemo.clock', %s, false)", (at.isoformat(),))


def test_a_run_is_opened_worked_and_ended_by_whoever_comes(jobs_dsn: str, db: Connection) -> None:
    add(db, "a", steps=3)
    assert status(db, "a")["state"] == "due"
    assert step(db) == ("a", "opened", None)
    assert status(db, "a")["state"] == "running"
    assert step(db) == ("a", "worked", 10)
    with psycopg.connect(jobs_dsn, autocommit=True) as other:
        assert [step(other) for _ in range(3)] == [("a", "worked", 10)] * 2 + [("a", "succeeded", 0)]
        assert step(other) == (None, None, None)
    row = db.execute("select count(*), min(steps), min(work), min(state) from mnemo.job_run").fetchone()
    assert row == (1, 4, 30, "succeeded")
    shown = status(db, "a")
    assert (shown["state"], shown["last_steps"], shown["last_work"]) == ("idle", 4, 30)
    assert (shown["last_worker"], shown["success_rate"]) == ("me", 1.0)
    assert shown["last_seconds"] > 0


def test_nothing_due_says_when_something_will_be(db: Connection) -> None:
    set_clock(db, NEW_YEAR)
    query = "select outcome, next_due_at from mnemo.run_job_step()"
    assert db.execute(query).fetchone() == (None, None)
    add(db, "later", first_run_at=NEW_YEAR + timedelta(hours=5))
    add(db, "sooner", first_run_at=NEW_YEAR + timedelta(hours=2))
    assert db.execute(query).fetchone() == (None, NEW_YEAR + timedelta(hours=2))
    db.execute("""select mnemo.alter_job('sooner', '{"enabled": false}')""")
    assert db.execute(query).fetchone() == (None, NEW_YEAR + timedelta(hours=5))
    set_clock(db, NEW_YEAR + timedelta(hours=6))
    assert step(db)[:2] == ("later", "opened")


def test_jobs_take_turns(db: Connection) -> None:
    for name in "abc":
        add(db, name, steps=100)
    turns = [step(db) for _ in range(18)]
    worked = [job for job, outcome, _ in turns if outcome == "worked"]
    assert sorted(worked[:3]) == ["a", "b", "c"]
    assert worked == worked[:3] * 5
    add(db, "d", steps=100)
    assert [step(db)[:2] for _ in range(2)] == [("d", "opened"), ("d", "worked")]


def test_a_failing_step_is_undone_and_earlier_ones_stay(db: Connection) -> None:
    add(db, "a", steps=5)
    assert [step(db)[1] for _ in range(3)] == ["opened", "worked", "worked"]
    db.execute("""select mnemo.alter_job('a', '{"function": "task.fail"}')""")
    assert step(db) == ("a", "failed", 0)
    assert db.execute("select name, count(*) from task.done group by 1").fetchall() == [("a", 2)]
    row = db.execute("select state, steps, work, error, ended_at is not null from mnemo.job_run").fetchone()
    assert row == ("failed", 2, 20, "the well is dry (P0007). No rain", True)
    assert status(db, "a")["state"] == "failing"


@dataclass
class Model:
    """What a job is to do, in plain Python."""

    every: timedelta
    backoff: timedelta
    max_failures: int
    script: str
    next_run_at: datetime = NEW_YEAR
    failures: int = 0
    runs: int = 0
    enabled: bool = True

    def at(self, now: datetime) -> None:
        if not self.enabled or self.next_run_at > now:
            return
        self.runs += 1
        if self.script[self.runs - 1] == "f":
            wait = self.backoff
            for _ in range(self.failures):
                wait *= 2
            self.next_run_at = now + min(wait, max(self.every, timedelta(hours=1)))
            self.failures += 1
            self.enabled = self.failures < self.max_failures
            return
        self.failures = 0
        on_time = self.next_run_at + self.every
        self.next_run_at = on_time if on_time > now else now + self.every


def test_times_of_runs_and_retries_equal_a_plain_model(db: Connection) -> None:
    choose = random.Random(4)
    models = {
        name: Model(
            timedelta(seconds=choose.choice([2, 60, 7_200, 86_400])),
            timedelta(seconds=choose.choice([0.5, 10, 900])),
            choose.choice([3, 5, 14]),
            "".join(choose.choices("sf", (1, choose.choice([1, 4, 30])), k=400)),
        )
        for name in "abcdefgh"
    }
    # Waits as long as the bound on waits allows.
    models["never"] = Model(timedelta(minutes=1), timedelta(seconds=10), 14, "f" * 14)
    for name, model in models.items():
        add(
            db,
            name,
            "task.scripted",
            script=model.script,
            every=model.every,
            backoff=model.backoff,
            max_failures=model.max_failures,
            first_run_at=NEW_YEAR,
        )
    now = NEW_YEAR
    for _ in range(120):
        set_clock(db, now)
        db.execute("call mnemo.run_due_jobs()")
        for model in models.values():
            model.at(now)
        rows = db.execute(
            "select name, next_run_at, failures, enabled,"
            " (select count(*) from mnemo.job_run r where r.job = j.name) from mnemo.job j"
        )
        assert {name: tuple(rest) for name, *rest in rows.fetchall()} == {
            name: (model.next_run_at, model.failures, model.enabled, model.runs)
            for name, model in models.items()
        }
        now += timedelta(seconds=choose.choice([0.25, 1, 30, 600, 3_600, 40_000]))
    # The seed leads through every kind of outcome.
    assert {model.enabled for name, model in models.items() if name != "never"} == {True, False}
    assert models["never"].failures == 14
    assert min(model.runs for model in models.values()) >= 3
    rates: dict[str, float] = dict(db.execute("select name, success_rate from mnemo.job_status").fetchall())
    for name, model in models.items():
        last = model.script[: model.runs][-20:]
        assert rates[name] == pytest.approx(last.count("s") / len(last))


def test_a_job_is_disabled_with_its_reason_and_enabled_again(db: Connection) -> None:
    set_clock(db, NEW_YEAR)
    add(db, "a", "task.fail", max_failures=2)
    db.execute("call mnemo.run_due_jobs()")
    db.execute("select mnemo.run_job_now('a')")
    db.execute("call mnemo.run_due_jobs()")
    shown = status(db, "a")
    reason = "failed 2 times in a row, at last with: the well is dry (P0007). No rain"
    assert (shown["state"], shown["disabled_reason"], shown["failures"]) == ("disabled", reason, 2)
    with pytest.raises(psycopg.Error, match="job 'a' is disabled: failed 2 times") as refused:
        db.execute("select mnemo.run_job_now('a')")
    assert refused.value.sqlstate == "MN002"
    assert step(db) == (None, None, None)
    db.execute("""select mnemo.alter_job('a', '{"enabled": true, "function": "task.count_to"}')""")
    shown = status(db, "a")
    assert (shown["state"], shown["disabled_reason"], shown["failures"]) == ("due", None, 0)


def test_disabling_in_mid_run_stops_it_and_enabling_goes_on(db: Connection) -> None:
    add(db, "a", steps=3)
    assert [step(db)[1] for _ in range(2)] == ["opened", "worked"]
    db.execute("""select mnemo.alter_job('a', '{"enabled": false}')""")
    assert step(db)[1] is None
    assert status(db, "a")["disabled_reason"] == f"disabled by {value(db, 'select session_user')}"
    db.execute("drop function task.count_to")
    db.execute("""select mnemo.alter_job('a', '{"enabled": false}')""")
    with pytest.raises(psycopg.Error, match=r"there is no function task.count_to\(jsonb\)"):
        db.execute("""select mnemo.alter_job('a', '{"enabled": true}')""")
    db.execute("""select mnemo.alter_job('a', '{"enabled": true, "function": "task.nothing"}')""")
    assert step(db) == ("a", "succeeded", 0)
    assert value(db, "select count(*) from mnemo.job_run") == 1


@pytest.mark.parametrize(
    ("function", "change", "error"),
    [
        ("count_to", "drop function task.count_to", "job 'a': there is no function task.count_to(jsonb)"),
        ("count_to", "drop schema task cascade", "job 'a': there is no function task.count_to(jsonb)"),
        ("negative", "select", "job 'a' returned -1, not an amount of work (MN002)"),
        ("assertion", "select", "must hold (P0004)"),
    ],
)
def test_what_goes_wrong_later_fails_the_run(db: Connection, function: str, change: str, error: str) -> None:
    add(db, "a", f"task.{function}", steps=1)
    db.execute(change.encode())
    assert [step(db)[1] for _ in range(2)] == ["opened", "failed"]
    shown = status(db, "a")
    assert shown["last_error"].startswith(error)
    assert shown["failures"] == 1


def test_a_removed_job_leaves_nothing(db: Connection) -> None:
    add(db, "a", steps=3)
    step(db)
    db.execute("select mnemo.remove_job('a')")
    assert step(db) == (None, None, None)
    assert value(db, "select count(*) from mnemo.job_run") == 0


def test_altering_changes_what_is_named_and_nothing_else(db: Connection) -> None:
    add(db, "a", steps=3)
    before = db.execute("select * from mnemo.job").fetchall()
    db.execute("select mnemo.alter_job('a', '{}')")
    assert db.execute("select * from mnemo.job").fetchall() == before
    at = NEW_YEAR.isoformat()
    db.execute(
        "select mnemo.alter_job('a', jsonb_build_object('every', '5 min', 'next_run_at', %s::text))", (at,)
    )
    shown = status(db, "a")
    assert (shown["every"], shown["next_run_at"]) == (timedelta(minutes=5), NEW_YEAR)


def test_run_due_jobs_stops_in_time(db: Connection) -> None:
    add(db, "a", steps=1_000_000)
    db.execute("call mnemo.run_due_jobs(0)")
    assert status(db, "a")["last_steps"] == 0
    db.execute("call mnemo.run_due_jobs(most_seconds => 0)")
    assert status(db, "a")["last_steps"] == 1


def test_a_deferred_constraint_fails_the_step_not_its_worker(db: Connection) -> None:
    db.execute(
        "create table task.parent (id integer primary key);"
        " create table task.child (id integer references task.parent deferrable initially deferred);"
        " create function task.orphan(p jsonb) returns bigint language sql as"
        " 'insert into task.child values (1) returning 1::bigint'"
    )
    add(db, "orphan", "task.orphan")
    add(db, "sound", steps=1)
    db.execute("call mnemo.run_due_jobs()")
    assert (status(db, "orphan")["state"], status(db, "orphan")["failures"]) == ("failing", 1)
    assert "23503" in status(db, "orphan")["last_error"]
    assert (status(db, "sound")["state"], status(db, "sound")["last_work"]) == ("idle", 10)
    assert value(db, "select count(*) from task.child") == 0


def test_what_a_job_does_to_its_session_stays_with_it(db: Connection) -> None:
    db.execute(
        "create function task.dress_up(p jsonb) returns bigint language sql as"
        " $$select set_config('mnemo.tenant', 'evil', false);"
        " select set_config('mnemo.clock', '2099-01-01', false); select 9223372036854775807$$;"
        " create function task.run_jobs(p jsonb) returns bigint language sql as"
        " 'select work from mnemo.run_job_step()'"
    )
    add(db, "dress_up", "task.dress_up")
    outcomes = [step(db)[1] for _ in range(4)]
    assert outcomes == ["opened", "worked", "worked", "worked"]
    assert value(db, "select mnemo.tenant()") == "default"
    assert value(db, "select mnemo.now() < '2099-01-01'")
    db.execute("select mnemo.remove_job('dress_up')")
    add(db, "run_jobs", "task.run_jobs")
    assert [step(db)[1] for _ in range(2)] == ["opened", "failed"]
    assert "MN002" in status(db, "run_jobs")["last_error"]


def test_the_isolation_level_of_a_role_does_not_matter(db: Connection) -> None:
    db.execute("select mnemo.add_job('trim', 'mnemo.trim_events', '1 hour')")
    db.execute("set default_transaction_isolation = 'serializable'")
    db.execute("call mnemo.run_due_jobs()")
    assert (status(db, "trim")["state"], status(db, "trim")["last_error"]) == ("idle", None)
    db.execute("call mnemo.consolidate()")


def test_a_full_event_backlog_disables_no_job(db: Connection) -> None:
    db.execute("""select mnemo.configure('{"event_backlog_most": 1}')""")
    db.execute("select mnemo.subscribe('nobody', '{memory.forget}')")
    db.execute("select mnemo.publish('memory.forget', '{}')")
    db.execute(
        "create function task.announce(p jsonb) returns bigint language sql as"
        " $$select mnemo.publish('memory.forget', '{}') * 0$$"
    )
    add(db, "announce", "task.announce", max_failures=2)
    for day in range(4):
        set_clock(db, NEW_YEAR + timedelta(days=day))
        assert [step(db)[1] for _ in range(2)] == ["opened", "failed"]
    assert (status(db, "announce")["state"], status(db, "announce")["failures"]) == ("failing", 4)
    db.execute("select mnemo.unsubscribe('nobody')")
    set_clock(db, NEW_YEAR + timedelta(days=5))
    assert [step(db)[1] for _ in range(2)] == ["opened", "succeeded"]
    assert status(db, "announce")["failures"] == 0
