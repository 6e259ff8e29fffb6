"""The command, for tests of it here, and files of questions."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.cli.conftest import environment, mnemo

__all__ = ["CORPORA", "environment", "mnemo", "write_lines"]

CORPORA = Path(__file__).parent / "corpora"


def write_lines(path: Path, rows: Iterable[Any]) -> str:
    """Write rows as JSON lines, texts as they are; return the path as text."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)
