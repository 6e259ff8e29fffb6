"""Precedence, presets and places of the settings."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.config import Search, Settings
from engine.config.presets import PRESETS, Preset
from engine.errors import InvalidConfiguration, MnemoError

WriteFile = Callable[[str], Path]


def test_defaults_need_neither_file_nor_environment() -> None:
    settings = Settings()
    assert settings.dsn is None
    assert settings.tenant is None
    assert (settings.install.bits, settings.install.sketch_bits) == (16384, None)
    assert (settings.search.k, settings.search.ef_search, settings.search.max_k) == (10, 100, 4096)
    assert settings.lifecycle.warm_threshold < settings.lifecycle.hot_threshold


def test_each_layer_wins_over_the_weaker_ones(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file("preset: aggressive\nsearch: {k: 20, ef_search: 60}\ningest: {batch_rows: 20}\n")
    monkeypatch.setenv("MNEMO_SEARCH__EF_SEARCH", "70")
    monkeypatch.setenv("MNEMO_INGEST__BATCH_ROWS", "30")
    settings = Settings(ingest={"batch_rows": 40})
    assert settings.ingest.batch_rows == 40
    assert settings.search.ef_search == 70
    assert settings.search.k == 20
    assert settings.lifecycle.half_life_days == PRESETS["aggressive"]["lifecycle"]["half_life_days"]
    assert settings.pool.max_size == 10


def test_preset_of_the_environment_wins_over_that_of_the_file(
    write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file("preset: aggressive\n")
    monkeypatch.setenv("MNEMO_PRESET", "conservative")
    assert Settings().search.ef_search == PRESETS["conservative"]["search"]["ef_search"]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_set_the_same_keys(preset: Preset) -> None:
    settings = Settings(preset=preset)
    chosen = settings.model_dump(exclude_unset=True, exclude={"preset"})
    assert chosen == PRESETS[preset]
    assert {g: set(keys) for g, keys in chosen.items()} == {g: set(k) for g, k in PRESETS["moderate"].items()}


def test_moderate_spells_out_the_defaults() -> None:
    assert Settings(preset="moderate").model_dump(exclude={"preset"}) == Settings().model_dump(
        exclude={"preset"}
    )


def test_none_empty_and_null_mean_not_given(write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file("tenant: file\nsearch:\npool: {max_size: null}\n")
    monkeypatch.setenv("MNEMO_TENANT", "")
    assert Settings(tenant=None).tenant == "file"
    assert Settings().pool.max_size == 10


def test_file_is_found_in_the_documented_places(
    write_file: WriteFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = Path.home() / ".config" / "mnemo" / "mnemo.yaml"
    home.parent.mkdir(parents=True)
    home.write_text("tenant: home\n")
    assert (Settings().tenant, Settings().config) == ("home", home)
    local = write_file("tenant: here\n")
    assert (Settings().tenant, Settings().config) == ("here", local)
    named = tmp_path / "named.yaml"
    named.write_text("tenant: named\n")
    monkeypatch.setenv("MNEMO_CONFIG", str(named))
    assert Settings().tenant == "named"
    assert Settings(config=local).tenant == "here"


def test_unrelated_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_TEST_DSN", "postgresql://elsewhere")
    assert Settings() == Settings(tenant=None)


def test_paths_expand_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_DATA_DIR", "~/mnemo")
    assert Settings().data_dir == Path.home() / "mnemo"


def test_settings_are_immutable_and_hide_the_dsn() -> None:
    settings = Settings(dsn="postgresql://ada:secret@db/mnemo", search=Search(k=5))
    assert settings.search.k == 5
    assert "secret" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.search.k = 6


def test_error_is_one_of_ours() -> None:
    with pytest.raises(MnemoError):
        Settings(tenant="a\x00b")
    with pytest.raises(InvalidConfiguration, match="tenant"):
        Settings(tenant="t" * 201)
