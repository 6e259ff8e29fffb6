"""The commented mnemo.yaml, made from the settings themselves: ``python -m engine.config.example``."""

from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.config.problems import allowed
from engine.config.settings import Settings
from engine.config.sources import variable


def example_yaml() -> str:
    """Every key of the file with its default, meaning, range and environment variable.

    The keys are commented out: a default written into the file would hide the preset.
    """
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        if name == "config":
            continue
        group = field.annotation
        if not (isinstance(group, type) and issubclass(group, BaseModel)):
            lines += _entry((name,), field)
            continue
        lines += ["", f"# {group.__doc__}", f"{name}:"]
        for key, inner in group.model_fields.items():
            lines += [f"  {line}" for line in _entry((name, key), inner)]
    return "\n".join(lines).strip() + "\n"


def _entry(keys: tuple[str, ...], field: FieldInfo) -> list[str]:
    return [
        f"# {field.description}",
        f"# {allowed(field)}; {variable(*keys)}",
        f"#{keys[-1]}: {_plain(field.default)}",
    ]


def _plain(value: Any) -> str:
    return yaml.safe_dump(value).removesuffix("...\n").strip()


if __name__ == "__main__":
    print(example_yaml(), end="")
