"""mnemo demo, on a small folder of code: loads once, answers alike from Python and SQL, stops cleanly."""

import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import PATIENCE_S, PROGRAM, Run
from tests.conftest import Connection

COUNT = "select count(*) from mnemo.memories where collection = 'demo'"
LOADING = "select to_regclass('mnemo.memory_hot_load')"
WAITS = (
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of 30 documented functions."""
    folder = tmp_path / "code"
    folder.mkdir()
    for n in range(3):
        functions = (f'def f{m}():\n    """Do thing {m} of {n}."""\n' for m in range(10))
        (folder / f"m{n}.py").write_text("".join(functions), encoding="utf-8")
    return folder


def test_loads_once_and_tells_the_same_in_sql(
    mnemo: Run, dsn: str, connection: Connection, code: Path
) -> None:
    first = mnemo("demo", "--dsn", dsn, "--source", str(code))
    assert first.code == 0, first.err
    assert "30 documentation strings" in first.out
    assert "the same answer" in first.out
    assert connection.execute(COUNT).fetchone() == (30,)

    statement = first.out[first.out.index("select tier") :].partition(";")[0]
    pasted = connection.execute(statement.encode()).fetchall()
    assert len(pasted) == 3

    connection.execute("delete from mnemo.access_log")
    second = mnemo("demo", "--dsn", dsn, "--source", str(code))
    assert second.code == 0
    assert "stored already" in second.out
    assert connection.execute(COUNT).fetchone() == (30,)


def test_adds_to_a_tier_in_use(mnemo: Run, dsn: str, connection: Connection, code: Path) -> None:
    connection.execute("select mnemo.remember('mine')")
    done = mnemo("demo", "--dsn", dsn, "--source", str(code))
    assert done.code == 0
    assert "the hot tier holds memories" in done.err
    assert connection.execute(COUNT).fetchone() == (30,)
    assert connection.execute("select count(*) from mnemo.memories").fetchone() == (31,)


def test_gives_way_to_who_fills_the_tier_meanwhile(
    environment: None, dsn: str, connection: Connection, code: Path
) -> None:
    arguments = ["demo", "--dsn", dsn, "--source", str(code)]
    with psycopg.connect(dsn) as holder:
        holder.execute("lock table only mnemo.memory in share row exclusive mode")
        with subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE, encoding="utf-8") as process:
            while connection.execute(WAITS).fetchone() == (0,):
                assert process.poll() is None
            holder.execute("select mnemo.remember('mine')")
            holder.commit()
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert connection.execute(COUNT).fetchone() == (30,)
    assert connection.execute("select count(*) from mnemo.memories").fetchone() == (31,)


@pytest.mark.crash
@pytest.mark.parametrize("bulk", [True, False])
def test_interrupt_leaves_nothing_half_done(
    environment: None, mnemo: Run, dsn: str, connection: Connection, code: Path, bulk: bool
) -> None:
    if not bulk:
        connection.execute("select mnemo.remember('mine')")
    arguments = ["demo", "--dsn", dsn, "--source", str(code)]
    with psycopg.connect(dsn) as holder:
        # Rows of the demo are in, uncommitted, when it has to wait for this lock.
        mode = "access share" if bulk else "exclusive"
        table = "memory_hot" if bulk else "memory_key"
        holder.execute(f"lock table mnemo.{table} in {mode} mode".encode())
        with subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE, encoding="utf-8") as process:
            while connection.execute(WAITS).fetchone() == (0,):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "mnemo: interrupted; what was not finished was undone"
    assert "Traceback" not in err
    assert connection.execute(COUNT).fetchone() == (0,)
    assert connection.execute(LOADING).fetchone() == (None,)
    assert mnemo(*arguments).code == 0
    assert connection.execute(COUNT).fetchone() == (30,)
