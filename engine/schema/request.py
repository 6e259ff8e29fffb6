"""What one run of the migrations is asked to do, and what came of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psycopg
from alembic.config import Config

from engine.errors import InvalidArgument
from engine.schema.parameters import Parameters

# Names under which a request and its result travel through Alembic's configuration.
REQUEST_KEY = "mnemo.request"
RESULT_KEY = "mnemo.result"


@dataclass(frozen=True, slots=True)
class Request:
    """A server (libpq connection string), the widths wished for, and leave to drop stored memories."""

    dsn: str = ""
    bits: int | None = None
    sketch_bits: int | None = None
    force: bool = False

    @classmethod
    def of(cls, config: Config, arguments: Mapping[str, str]) -> Self:
        """Return the caller's request, or one made of the alembic command's `-x name=value` arguments."""
        request = config.attributes.get(REQUEST_KEY)
        if isinstance(request, cls):
            return request
        unknown = arguments.keys() - {"dsn", "bits", "sketch_bits", "force"}
        if unknown:
            raise InvalidArgument(f"unknown -x argument: {', '.join(sorted(unknown))}")
        return cls(
            dsn=arguments.get("dsn", os.environ.get("MNEMO_DSN", "")),
            bits=_whole("bits", arguments),
            sketch_bits=_whole("sketch_bits", arguments),
            force=arguments.get("force", "") == "true",
        )

    def connect(self) -> psycopg.Connection:
        """Open the connection that the migration runs on."""
        return psycopg.connect(self.dsn, application_name="mnemo migrate")


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """Revisions before and after (None: nothing installed), and the widths of the database in bits."""

    before: str | None
    after: str | None
    parameters: Parameters

    @property
    def changed(self) -> bool:
        """Whether this run moved the database."""
        return self.before != self.after


def _whole(name: str, arguments: Mapping[str, str]) -> int | None:
    if name not in arguments:
        return None
    try:
        return int(arguments[name])
    except ValueError:
        raise InvalidArgument(f"{name} must be a whole number, not {arguments[name]!r}") from None
