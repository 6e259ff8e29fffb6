"""What the database is told, and that its own defaults are the same."""

import re
from pathlib import Path

import pytest

from engine.config import Settings
from engine.config.database import database_settings
from engine.config.presets import PRESETS


def test_only_given_values_go_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_settings(Settings()) == {}
    monkeypatch.setenv("MNEMO_LIFECYCLE__HOT_THRESHOLD", "0.8")
    monkeypatch.setenv("MNEMO_SEARCH__K", "20")
    given = database_settings(Settings(ingest={"content_max_bytes": 500}))
    assert given == {"hot_threshold": 0.8, "content_max_bytes": 500}
    assert database_settings(Settings(preset="aggressive", lifecycle={"half_life_days": 3})) == {
        **PRESETS["aggressive"]["lifecycle"],
        "half_life_days": 3.0,
        "hot_threshold": 0.8,
    }


def test_the_database_starts_with_the_same_defaults() -> None:
    script = (Path(__file__).parents[2] / "sql" / "install.sql").read_text(encoding="utf-8")
    rows = {name: float(value) for name, value in re.findall(r"\('(\w+)', ([\d.]+), '", script)}
    settings = Settings()
    ours = {**settings.lifecycle.model_dump(), "content_max_bytes": settings.ingest.content_max_bytes}
    shared = rows.keys() & ours.keys()
    assert "half_life_days" in shared
    assert {name: rows[name] for name in shared} == {name: ours[name] for name in shared}
