"""The command in this process and in one of its own, away from the settings of the machine."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.cli.process import run

PROGRAM = [sys.executable, "-c", "from engine.cli import main; main()"]
PATIENCE_S = 120


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from the machine; a fixed width; an empty working directory."""
    for name in [name for name in os.environ if name.startswith("MNEMO_") and name != "MNEMO_TEST_DSN"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mnemo(environment: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command in this process."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(list(arguments))
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    loggers = [logging.getLogger(name) for name in ("engine", "adapters")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield call
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


@pytest.fixture
def mnemo_process(environment: None) -> Run:
    """Runs the command in a process of its own."""

    def call(*arguments: str) -> Outcome:
        done = subprocess.run(
            [*PROGRAM, *arguments], capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
