"""docs/configuration.md says what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from engine.config import Settings
from engine.config.example import example_yaml
from engine.config.presets import PRESETS

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_page_shows_the_example_as_generated() -> None:
    assert f"```yaml\n{example_yaml()}```" in PAGE


def test_the_example_holds_every_key_with_its_default() -> None:
    values = yaml.safe_load(re.sub(r"^( *)#(\w+:)", r"\1\2", example_yaml(), flags=re.MULTILINE))
    assert values == Settings().model_dump(exclude={"config"})


def test_the_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(example_yaml(), encoding="utf-8")
    assert Settings(config=path, preset="aggressive").search.ef_search == 40


@pytest.mark.parametrize("group", PRESETS["moderate"])
def test_the_page_shows_the_presets(group: str) -> None:
    for key in PRESETS["moderate"][group]:
        values = " | ".join(f"{PRESETS[preset][group][key]:,}".removesuffix(".0") for preset in PRESETS)
        assert f"| `{group}.{key}` | {values} |" in PAGE
