"""Every mistake is told in the user's words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config import Settings
from engine.errors import InvalidConfiguration

WriteFile = Callable[[str], Path]


def problems(**given: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidConfiguration) as caught:
        Settings(**given)
    text = str(caught.value)
    assert all(line in text for line in caught.value.problems)
    assert "pydantic" not in text
    assert "Input should" not in text
    return caught.value.problems


def test_all_problems_at_once_each_with_key_value_range_and_origin(
    write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file("preset: agressive\npool: {min_size: -1}\nlogging: {level: loud}\n")
    monkeypatch.setenv("MNEMO_SEARCH__K", "0")
    assert set(problems(install={"bits": 1000})) == {
        "install.bits = 1000: must be a whole number from 1024 to 32768 in steps of 64 (from an argument)",
        "search.k = 0: must be a whole number from 1 to 4096 (from MNEMO_SEARCH__K)",
        f"pool.min_size = -1: must be a whole number from 0 to 1000 (from {path})",
        f"logging.level = loud: must be one of debug, info, warning, error (from {path})",
        f"preset = agressive: must be one of conservative, moderate, aggressive (from {path})",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lifecycle": {"warm_threshold": 0.7}}, "must be below lifecycle.hot_threshold, which is 0.7"),
        ({"install": {"bits": 1024, "sketch_bits": 2048}}, "must not be above bits, which is 1024"),
        ({"pool": {"min_size": 5, "max_size": 4}}, "must not be below min_size, which is 5"),
        ({"search": {"k": 50, "max_k": 40}}, "must not be above max_k, which is 40"),
    ],
)
def test_settings_that_contradict_each_other(given: dict[str, Any], message: str) -> None:
    (line,) = problems(**given)
    assert message in line


def test_a_default_that_is_contradicted_says_it_is_the_default() -> None:
    assert problems(lifecycle={"hot_threshold": 0.2}) == (
        "lifecycle.warm_threshold = 0.3: must be below lifecycle.hot_threshold, which is 0.2"
        " (from the default)",
    )


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("search", "k", "ten"),
        ("search", "k", True),
        ("search", "max_k", 4097),
        ("search", "ef_search", 1001),
        ("install", "bits", 64),
        ("install", "bits", 16390),
        ("install", "sketch_bits", 100),
        ("embedded", "port", 80),
        ("embedded", "shared_buffers", "lots"),
        ("pool", "timeout_seconds", 0),
        ("ingest", "content_max_bytes", 10_000_000),
        ("archive", "endpoint_url", "localhost:9000"),
        ("archive", "endpoint_url", "https://key:secret@host"),
        ("archive", "sse", "rot13"),
        ("archive", "concurrency", 0),
        ("archive", "multipart_mb", 1),
        ("lifecycle", "hot_threshold", 1),
        ("lifecycle", "half_life_days", float("nan")),
        ("lifecycle", "potentiation", float("inf")),
    ],
)
def test_values_out_of_range_are_refused(group: str, key: str, value: object) -> None:
    assert any(
        line.startswith(f"{group}.{key} = {value}: must be ") for line in problems(**{group: {key: value}})
    )


def test_unknown_keys_are_refused_with_a_suggestion(
    write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file("sarch: {k: 3}\nsearch: {efsearch: 3}\n1: 2\n")
    monkeypatch.setenv("MNEMO_POOOL__MAX_SIZE", "3")
    found = problems()
    assert f"sarch: unknown key; did you mean search? (from {path})" in found
    assert f"search.efsearch: unknown key; did you mean search.ef_search? (from {path})" in found
    assert "poool: unknown key; did you mean pool? (from MNEMO_POOOL__MAX_SIZE)" in found
    assert any(line.startswith("1: unknown key; known are") for line in found)


def test_a_value_where_a_group_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_POOL", "10")
    (line,) = problems()
    assert (
        line == "pool = 10: must be a group of the keys min_size, max_size, timeout_seconds (from MNEMO_POOL)"
    )


@pytest.mark.parametrize(
    "dsn", ["postgresql+asyncpg://ada:secret@db/mnemo", "host=db password='secret", "secret"]
)
def test_a_bad_dsn_never_shows_its_password(dsn: str) -> None:
    (line,) = problems(dsn=dsn)
    assert line.startswith("dsn: must be a connection string")
    assert "secret" not in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"search: {k: 1\n", "is not valid YAML"),
        (b"search: {k: 1}\nsearch: {k: 2}\n", "line 2: is not valid YAML: search is given twice"),
        (b"- 1\n", "must hold keys and values"),
        (b"tenant: \xff\n", "is not UTF-8 text"),
        (b"tenant: \x01\n", "is not valid YAML"),
        (b"config: other.yaml\n", "cannot be set in the file it would name"),
    ],
)
def test_a_file_that_cannot_be_understood(text: bytes, message: str) -> None:
    path = Path.cwd() / "mnemo.yaml"
    path.write_bytes(text)
    (line,) = problems()
    assert message in line
    assert str(path) in line


def test_a_named_file_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_CONFIG", "/nowhere/mnemo.yaml")
    assert problems() == ("config = /nowhere/mnemo.yaml: cannot be read: No such file or directory",)
