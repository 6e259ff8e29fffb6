"""The benchmark runs, and writes what a program can read."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main


@pytest.mark.slow
def test_a_quick_run_writes_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--output", str(tmp_path)]) == 0
    written = json.loads(next(tmp_path.glob("*.json")).read_text(encoding="utf-8"))
    assert next(tmp_path.glob("*.png")).stat().st_size > 0
    printed = capsys.readouterr().out
    for row in written["rows"]:
        assert row["name"] in printed
        assert row["value"] > 0
        assert (row["verdict"] != "") == (row["target"] is not None)
    assert written["settings"]["fsync"] == "on"
    assert len(written["curves"]) == 4
    assert all(len(curve["recall"]) == len(curve["p50_ms"]) for curve in written["curves"])
