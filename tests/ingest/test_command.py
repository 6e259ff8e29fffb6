"""The command as a process: killed, interrupted, measured."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pytest

from tests.ingest.conftest import Desk, write_lines
from tests.support.corpus import sentences

MNEMO = [sys.executable, "-c", "from engine.cli import main; main()", "ingest"]


def command(desk: Desk, path: Path | str, *options: str) -> list[str]:
    return [*MNEMO, "--dsn", desk.dsn, str(path), *options]


def run(desk: Desk, path: Path | str, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(desk, path, *options), input=stdin, text=True, capture_output=True)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of 300 rows without keys."""
    return write_lines(tmp_path / "rows.txt", sentences(300))


def end_in_the_middle(desk: Desk, rows: Path, signal_: signal.Signals) -> tuple[int, str]:
    """Start an ingest, hold its sixth batch at a lock of the database, send the signal, and let go."""
    with psycopg.connect(desk.dsn, autocommit=True) as watcher, psycopg.connect(desk.dsn) as holder:
        # The function waits for whoever holds the advisory lock, from the sixth batch on.
        watcher.execute(
            "create function public.hold() returns trigger language plpgsql as $$ begin"
            " if new.position > 50 then perform pg_advisory_xact_lock(42); end if; return new; end $$"
        )
        watcher.execute(
            "create trigger hold before update on mnemo.ingest for each row execute function public.hold()"
        )
        holder.execute("select pg_advisory_lock(42)")
        process = subprocess.Popen(
            command(desk, rows, "--batch-rows", "10"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        waits = "select exists (select from pg_stat_activity where wait_event = 'advisory')"
        while process.poll() is None and not (watcher.execute(waits).fetchone() or (False,))[0]:
            pass
        process.send_signal(signal_)
        # The lock is still held: ending must not need the database to go on.
        _, errors = process.communicate(timeout=60)
        holder.execute("select pg_advisory_unlock(42)")
        watcher.execute("drop trigger hold on mnemo.ingest")
        gone = (
            "select not exists (select from pg_stat_activity"
            " where datname = current_database() and pid <> all (%s))"
        )
        mine = [watcher.info.backend_pid, holder.info.backend_pid]
        while not (watcher.execute(gone, [mine]).fetchone() or (True,))[0]:
            pass
    return process.returncode, errors


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_ended_in_the_middle_and_started_again_each_row_is_there_once(
    desk: Desk, rows: Path, signal_: signal.Signals
) -> None:
    code, errors = end_in_the_middle(desk, rows, signal_)
    assert len(desk.contents()) % 10 == 0
    assert 0 < len(desk.contents()) < 300
    if signal_ is signal.SIGINT:
        assert code == 130
        assert "the same command goes on where this one stopped" in errors
        assert "Traceback" not in errors
    again = run(desk, rows)
    assert again.returncode == 0, again.stderr
    assert re.search(r"\d+ memories stored in .*; \d+ records were read before", again.stdout)
    assert desk.contents() == sorted(sentences(300))
    assert run(desk, rows).stdout == f"nothing to do: the 300 records of {rows} were read before\n"


def test_what_the_user_sees(desk: Desk, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", ['{"text": "a"}', "{", '{"text": "b"}'])
    stopped = run(desk, path)
    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"mnemo: {path}:2: not JSON")
    skipped = run(desk, path, "--on-error", "skip")
    assert skipped.returncode == 0
    assert skipped.stderr.startswith(f"skipped {path}:2: not JSON")
    assert re.fullmatch(r"2 memories stored in .* a second\); 1 bad record skipped\n", skipped.stdout)
    piped = run(desk, "-", "--format", "csv", "--content-field", "body", stdin="body\nfrom a pipe\n")
    assert piped.returncode == 0, piped.stderr
    assert "standard input cannot be read again" in piped.stderr
    assert run(desk, "-").returncode == 2
    assert desk.contents() == ["a", "b", "from a pipe"]


def peak_megabytes(arguments: Iterable[str]) -> float:
    """Run a command and return the most memory that it held."""
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(ran.stdout) * unit / 1e6


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(desk: Desk, tmp_path: Path) -> None:
    few, many = (
        write_lines(
            tmp_path / f"{count}.jsonl",
            (json.dumps({"text": text, "rest": 20 * text * 20}) for text in sentences(count)),
        )
        for count in (300, 3_000)
    )
    small = peak_megabytes(command(desk, few, "--batch-rows", "50", "--bulk"))
    large = peak_megabytes(command(desk, many, "--batch-rows", "50", "--bulk", "--tier", "warm"))
    assert desk.query("select count(*) from mnemo.memory") == [(3_300,)]
    # The file has 95 MB.
    assert many.stat().st_size > 90e6
    assert large < small + 20
    assert large < 300
