"""mnemo jobs."""

import json

import pytest

from tests.cli.conftest import Outcome, Run, environment, mnemo
from tests.conftest import Connection
from tests.jobs.conftest import add

__all__ = ["environment", "mnemo"]


@pytest.fixture
def jobs(mnemo: Run, jobs_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `mnemo jobs` on the test's database."""
    monkeypatch.setenv("MNEMO_DSN", jobs_dsn)

    def call(*arguments: str) -> Outcome:
        return mnemo("jobs", *arguments)

    return call


def test_jobs_are_shown_and_acted_on(jobs: Run, db: Connection) -> None:
    add(db, "count", steps=3)
    add(db, "dry", "task.fail", max_failures=1)
    db.execute("call mnemo.run_due_jobs()")
    shown = jobs()
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[1].split()[:6] == ["count", "1", "h", "idle", "in", "60"]
    assert lines[1].split()[-2:] == ["30", "100%"]
    assert lines[2].split()[:4] == ["dry", "1", "h", "disabled"]
    assert lines[3] == "dry: failed 1 times in a row, at last with: the well is dry (P0007). No rain"

    refused = jobs("run", "dry")
    assert (refused.code, "job 'dry' is disabled: failed 1 times" in refused.err) == (1, True)
    assert json.loads(jobs("enable", "dry", "--json").out)["jobs"][0]["state"] == "due"
    assert json.loads(jobs("run", "count", "--json").out)["jobs"][0]["state"] == "due"
    assert "count: disabled by " in jobs("disable", "count").out
    assert [run["work"] for run in json.loads(jobs("history", "count", "--json").out)["runs"]] == [30]
    assert "the well is dry" in jobs("history", "dry").out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "mnemo jobs run takes the name of a job"),
        (["list", "a"], 2, "mnemo jobs list takes no name"),
        (["stop", "a"], 2, "'stop' is not one of"),
        (["run", "a"], 1, "unknown job 'a'"),
        (["disable", "a"], 1, "unknown job 'a'"),
        (["history", "a"], 1, "unknown job 'a'"),
    ],
)
def test_mistakes_are_named(jobs: Run, arguments: list[str], code: int, message: str) -> None:
    done = jobs(*arguments)
    assert (done.code, message in done.err) == (code, True), done.err
