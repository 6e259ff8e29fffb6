"""The root of the configuration."""

from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, ValidationError, field_validator
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.config.presets import Preset
from engine.config.problems import describe
from engine.config.sections import (
    Archive,
    Embedded,
    Ingest,
    Install,
    Lifecycle,
    Logging,
    Pool,
    Resilience,
    Search,
    Vault,
    Worker,
)
from engine.config.sources import EnvironmentSource, FileSource, PresetSource, layers
from engine.errors import InvalidConfiguration

_PATH: JsonDict = {"allowed": "a path"}


class Settings(BaseSettings):
    """Every setting of Mnemo, read once and immutable.

    ``Settings()`` reads, strongest first: its keyword arguments, ``MNEMO_*`` variables
    (``MNEMO_SEARCH__K`` is ``search.k``), one YAML file, the preset, the defaults. None, an empty
    variable and a YAML null all mean "not given". The file is ``MNEMO_CONFIG``, else ``./mnemo.yaml``,
    else ``~/.config/mnemo/mnemo.yaml``, else none.

    Raises InvalidConfiguration, which lists every problem at once.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    config: Path | None = Field(
        default=None,
        description="the YAML file in use; not a key of the file itself",
        json_schema_extra=_PATH,
    )
    dsn: str | None = Field(
        default=None,
        repr=False,
        description="database to use, as URI or key=value pairs; null: the embedded server",
        json_schema_extra={"allowed": "a connection string such as postgresql://user@host:5432/name"},
    )
    data_dir: Path | None = Field(
        default=None,
        description="directory of the embedded server; null: the user's data directory",
        json_schema_extra=_PATH,
    )
    tenant: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="whose memories are read and written; null: the one granted to the role, or default",
        json_schema_extra={"allowed": "1 to 200 characters, no control characters"},
    )
    preset: Preset | None = Field(default=None, description="a set of defaults; null: none")
    install: Install = Field(default_factory=Install)
    embedded: Embedded = Field(default_factory=Embedded)
    pool: Pool = Field(default_factory=Pool)
    resilience: Resilience = Field(default_factory=Resilience)
    search: Search = Field(default_factory=Search)
    ingest: Ingest = Field(default_factory=Ingest)
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)
    archive: Archive = Field(default_factory=Archive)
    vault: Vault = Field(default_factory=Vault)
    worker: Worker = Field(default_factory=Worker)
    logging: Logging = Field(default_factory=Logging)

    def __init__(self, **given: Any) -> None:
        given = {key: value for key, value in given.items() if value is not None}
        try:
            super().__init__(**given)
        except ValidationError as error:
            read = layers(given, frozenset(type(self).model_fields))
            raise InvalidConfiguration(describe(error, type(self), read)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The layers, strongest first."""
        return init_settings, EnvironmentSource(cls), FileSource(cls), PresetSource(cls)

    @field_validator("config", "data_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @field_validator("dsn")
    @classmethod
    def _dsn_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                conninfo_to_dict(value)
            except ProgrammingError:
                # libpq's own text may quote the password.
                raise ValueError(
                    "must be a connection string such as postgresql://user@host:5432/name"
                ) from None
        return value
