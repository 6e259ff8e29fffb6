"""A process with no configuration of its own, and a way to give it a file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _bare_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MNEMO_")]:
        monkeypatch.delenv(name)
    for folder in ("home", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def write_file() -> Callable[[str], Path]:
    """Writes ./mnemo.yaml."""

    def write(text: str) -> Path:
        path = Path.cwd() / "mnemo.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
