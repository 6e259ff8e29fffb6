"""Where settings come from: environment, file, preset."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from engine.config.presets import PRESETS
from engine.errors import InvalidConfiguration

PREFIX = "MNEMO_"
NESTED = "__"
FILE_NAME = "mnemo.yaml"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one source, and the words that name it in an error."""

    origin: str
    values: Mapping[str, Any]


class _Source(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("these sources give all their values at once")


class EnvironmentSource(_Source):
    """``MNEMO_DSN`` and the other keys of the root, ``MNEMO_GROUP__KEY`` for those of a group."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.root_keys = frozenset(settings_cls.model_fields)

    def __call__(self) -> dict[str, Any]:
        return read_environment(os.environ, self.root_keys)


class FileSource(_Source):
    """The YAML file that the layers above name, else the first of the default places that exists."""

    def __call__(self) -> dict[str, Any]:
        path = find_file(self.current_state)
        return {} if path is None else {**read_file(path), "config": path}


class PresetSource(_Source):
    """The defaults of the preset that a layer above names."""

    def __call__(self) -> dict[str, Any]:
        return read_preset(self.current_state)


def variable(*keys: str) -> str:
    """The environment variable of a setting: ``variable("search", "k")`` is ``MNEMO_SEARCH__K``."""
    return PREFIX + NESTED.join(keys).upper()


def read_environment(environ: Mapping[str, str], root_keys: frozenset[str]) -> dict[str, Any]:
    """Settings among the variables of a process; empty ones count as absent.

    A name without ``__`` that is no key of the root is left alone: it may belong to a command-line flag.
    """
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or not value:
            continue
        group, nested, key = name.removeprefix(PREFIX).lower().partition(NESTED)
        if nested:
            inner = values.setdefault(group, {})
            if isinstance(inner, dict):
                inner[key] = value
        elif group in root_keys:
            values[group] = value
    return values


def find_file(stronger: Mapping[str, Any]) -> Path | None:
    """The configuration file to read, given the values of the stronger layers."""
    named = stronger.get("config")
    if named is not None:
        return Path(named).expanduser()
    places = (Path.cwd() / FILE_NAME, Path.home() / ".config" / "mnemo" / FILE_NAME)
    return next((place for place in places if place.is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """The keys of a YAML file, without those set to null.

    Raises InvalidConfiguration where the file cannot be read, is not YAML or is not a group of keys.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except OSError as error:
        raise InvalidConfiguration([f"config = {path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise InvalidConfiguration([f"{path}: is not UTF-8 text"]) from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidConfiguration([f"{path}{line}: is not valid YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise InvalidConfiguration([f"{path}: is not valid YAML: {error}"]) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidConfiguration([f"{path}: must hold keys and values, such as `tenant: default`"])
    if "config" in values:
        raise InvalidConfiguration([f"config: cannot be set in the file it would name (from {path})"])
    return _without_nulls(values)


def read_preset(stronger: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the preset that the stronger layers name; none for an unknown name."""
    name = stronger.get("preset")
    return next(
        (
            {group: dict(keys) for group, keys in PRESETS[preset].items()}
            for preset in PRESETS
            if preset == name
        ),
        {},
    )


def layers(given: Mapping[str, Any], root_keys: frozenset[str]) -> list[Layer]:
    """All layers apart, strongest first: what an error needs to say where a value came from."""
    found = [Layer("an argument", given), Layer("environment", read_environment(os.environ, root_keys))]
    path = find_file({**found[1].values, **given})
    if path is not None:
        found.append(Layer(str(path), read_file(path)))
    preset = next((layer.values["preset"] for layer in found if "preset" in layer.values), None)
    found.append(Layer(f"preset {preset}", read_preset({"preset": preset})))
    return found


class _StrictLoader(yaml.SafeLoader):
    """YAML without its trap: a key given twice is an error, not a silent choice of the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _without_nulls(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(key): _without_nulls(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
