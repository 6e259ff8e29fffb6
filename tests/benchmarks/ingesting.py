"""A large ingest: how much memory its client takes, and what is stored when it is killed half way."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import LiteralString

from tests.benchmarks.data import Corpus
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Connection, Stage
from tests.support.corpus import reworded

_PROGRAM = [sys.executable, "-c", "from engine.cli import main; main()"]
_LOOKS_EVERY_S = 0.2
# Stands between this process and the one measured: a child's peak memory counts from before its exec, when it
# still has the memory of its parent.
_WATCHED = """
import resource, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ingest:
    print(ingest.pid, flush=True)
print(ingest.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
# ru_maxrss counts KiB, on macOS bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024


def ingesting(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Ingest real texts with random words replaced; kill -9 at the half; ingest again."""
    dsn = stage.database()
    connection = stage.connect(dsn)
    count = options.scaled(200_000, 600)
    with tempfile.TemporaryDirectory(prefix="mnemo-bench-") as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number, text in enumerate(reworded(corpus.texts, count)):
                file.write(json.dumps({"content": text, "number": number}) + "\n")
        command = [
            *_PROGRAM,
            "ingest",
            "--dsn",
            dsn,
            "--batch-rows",
            str(options.scaled(1_000, 50)),
            str(path),
        ]
        started = time.perf_counter()
        peaks = [_run(command, connection, stop_at) for stop_at in (count // 2, None)]
        seconds = time.perf_counter() - started
    stored, distinct = _numbers(
        connection, "select count(*), count(distinct attributes -> 'number') from mnemo.memory"
    )
    return [
        Row(
            "client memory of a large ingest",
            max(peaks) / 1e6,
            "MB",
            f"{count:,} rows, one HNSW insertion each, {count / seconds:,.0f} rows/s",
            300,
            at_least=False,
        ),
        Row(
            "its rows stored once, killed -9 at the half and started again",
            100 * (distinct - (stored - distinct)) / count,
            "%",
            f"{stored:,} stored, {distinct:,} different, of {count:,}",
            100,
        ),
    ]


def _run(command: list[str], connection: Connection, stop_at: int | None) -> int:
    """Run an ingest, killed once so many rows are stored; return the most memory it held, in bytes."""
    position = "select coalesce(max(position), 0) from mnemo.ingest"
    with subprocess.Popen(
        [sys.executable, "-c", _WATCHED, *command], stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout is not None
        pid = int(watcher.stdout.readline())
        while stop_at is not None and _numbers(connection, position)[0] < stop_at:
            time.sleep(_LOOKS_EVERY_S)
        if stop_at is not None:
            os.kill(pid, signal.SIGKILL)
        code, peak = map(int, watcher.stdout.readline().split())
    if code != (0 if stop_at is None else -signal.SIGKILL):
        raise RuntimeError(f"the ingest ended with {code}")
    return peak * _UNIT


def _numbers(connection: Connection, query: LiteralString) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)
