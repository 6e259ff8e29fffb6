"""What a database must be before a revision may touch it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection, errors

from engine.errors import InstallationMismatch
from engine.schema.parameters import DEFAULT_BITS, DEFAULT_SKETCH_BITS, Parameters

OLDEST_SERVER = 18
EXTENSIONS: Mapping[LiteralString, tuple[int, ...]] = {"vector": (0, 8), "pgcrypto": (1,)}
EXTENSION_SCHEMA = "public"
# One migration at a time in a database; the number only has to be ours ("mnemo" in ASCII).
MIGRATION_LOCK = 0x6D6E656D6F

# Waiting for another migration may take as long as that one runs; a table in use should not block the
# queue of everyone behind it for long. A role's own statement_timeout is meant for queries.
_WAIT_FOR_MIGRATION = "15min"
_WAIT_FOR_TABLES = "10s"
_SESSION = (
    "set local client_min_messages = warning",
    "set local statement_timeout = 0",
    f"set local lock_timeout = '{_WAIT_FOR_MIGRATION}'",
)

_HOW_TO_GET = {
    "vector": "install pgvector >= 0.8 on the server (https://github.com/pgvector/pgvector)",
    "pgcrypto": "install PostgreSQL's contrib modules on the server (package postgresql-contrib)",
}


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension as the server knows it; None where it is not available or not installed."""

    available: str | None
    installed: str | None
    schema: str | None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What `check` judges, and who asks: server_version_num, encoding, role, extensions by name."""

    version_num: int
    encoding: str
    role: str
    extensions: Mapping[str, Extension]


def read_facts(connection: Connection) -> ServerFacts:
    """Ask the server for its version, the database's encoding and the extensions Mnemo needs."""
    row = connection.execute(
        "select current_setting('server_version_num')::int, pg_encoding_to_char(encoding), current_user"
        " from pg_database where datname = current_database()"
    ).fetchone()
    assert row is not None
    extensions = connection.execute(
        "select n.name, a.default_version, e.extversion, s.nspname"
        " from unnest(%s::text[]) as n (name)"
        " left join pg_available_extensions a on a.name = n.name"
        " left join pg_extension e on e.extname = n.name"
        " left join pg_namespace s on s.oid = e.extnamespace",
        [list(EXTENSIONS)],
    ).fetchall()
    return ServerFacts(row[0], row[1], row[2], {name: Extension(*rest) for name, *rest in extensions})


def check(facts: ServerFacts) -> None:
    """Refuse a server or database that cannot hold Mnemo.

    Raises:
        InstallationMismatch: server too old, encoding not UTF8, an extension missing, too old or elsewhere.
    """
    if facts.version_num < OLDEST_SERVER * 10_000:
        found = f"{facts.version_num // 10_000}.{facts.version_num % 10_000}"
        raise InstallationMismatch(f"the server is PostgreSQL {found}: Mnemo needs {OLDEST_SERVER} or newer")
    if facts.encoding != "UTF8":
        raise InstallationMismatch(
            f"the database's encoding is {facts.encoding}: Mnemo needs UTF8"
            " (create database ... encoding 'UTF8' template template0)"
        )
    for name, oldest in EXTENSIONS.items():
        _check_extension(name, oldest, facts.extensions[name])


def _check_extension(name: str, oldest: tuple[int, ...], extension: Extension) -> None:
    version = extension.installed or extension.available
    if version is None:
        raise InstallationMismatch(f"extension {name} is not available on this server: {_HOW_TO_GET[name]}")
    if _numbers(version) < oldest:
        needed = ".".join(map(str, oldest))
        upgrade = f"run: alter extension {name} update" if extension.installed else _HOW_TO_GET[name]
        raise InstallationMismatch(f"extension {name} is version {version}, needed is >= {needed}: {upgrade}")
    if extension.schema not in (None, EXTENSION_SCHEMA):
        raise InstallationMismatch(
            f"extension {name} is installed in schema {extension.schema}, needed is {EXTENSION_SCHEMA}"
            f" (alter extension {name} set schema {EXTENSION_SCHEMA})"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def prepare(connection: Connection) -> None:
    """Take the migration lock, check the server, create extensions and schema; all in the open transaction.

    Raises:
        InstallationMismatch: the server cannot hold Mnemo, or the role may not make what is missing.
    """
    for statement in _SESSION:
        connection.execute(statement)
    connection.execute("select pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
    connection.execute(f"set local lock_timeout = '{_WAIT_FOR_TABLES}'")
    facts = read_facts(connection)
    check(facts)
    for name in EXTENSIONS:
        if facts.extensions[name].installed is None:
            _create_extension(connection, name, facts.role)
    _create_schema(connection, facts.role)


def _create_extension(connection: Connection, name: LiteralString, role: str) -> None:
    try:
        connection.execute(f"create extension {name} with schema {EXTENSION_SCHEMA}")
    except errors.InsufficientPrivilege as error:
        raise InstallationMismatch(
            f"extension {name} is missing and role {role} may not create it:"
            f" have a superuser run: create extension {name} with schema {EXTENSION_SCHEMA}"
        ) from error


def _create_schema(connection: Connection, role: str) -> None:
    if connection.execute("select to_regnamespace('mnemo')").fetchone() == (None,):
        try:
            connection.execute("create schema mnemo")
        except errors.InsufficientPrivilege as error:
            database = connection.info.dbname
            raise InstallationMismatch(
                f"role {role} may not create schema mnemo: grant create on database {database} to {role}"
            ) from error
    may_create = connection.execute("select has_schema_privilege('mnemo', 'create')").fetchone()
    if may_create != (True,):
        raise InstallationMismatch(
            f"role {role} may not create anything in schema mnemo: migrate as its owner"
        )


def recorded_parameters(connection: Connection) -> Parameters | None:
    """Return the widths this database was installed with; None where nothing is installed.

    Raises:
        InstallationMismatch: a table in the place of Mnemo's has no widths.
    """
    if connection.execute("select to_regclass('mnemo.setting')").fetchone() == (None,):
        return None
    rows: dict[str, int] = dict(
        connection.execute(
            "select name, value::int from mnemo.setting where name in ('bits', 'sketch_bits')"
        ).fetchall()
    )
    if len(rows) < 2:
        raise InstallationMismatch(
            "mnemo.setting names no bits and sketch_bits: it is not a table of Mnemo's"
        )
    return Parameters(rows["bits"], rows["sketch_bits"])


def settle_parameters(recorded: Parameters | None, bits: int | None, sketch_bits: int | None) -> Parameters:
    """Join what was asked for with what is recorded; the defaults fill a first installation.

    Raises:
        InstallationMismatch: a width was asked for that is not the recorded one; the message has both.
        InvalidArgument: a width is not possible.
    """
    if recorded is None:
        chosen = DEFAULT_BITS if bits is None else bits
        sketch = min(DEFAULT_SKETCH_BITS, chosen) if sketch_bits is None else sketch_bits
        return Parameters(chosen, sketch)
    for name, asked, kept in (
        ("bits", bits, recorded.bits),
        ("sketch_bits", sketch_bits, recorded.sketch_bits),
    ):
        if asked is not None and asked != kept:
            raise InstallationMismatch(
                f"{name} = {asked} was asked for, but this database was installed with {name} = {kept}:"
                " it cannot be changed later"
            )
    return recorded


# The checks of `prepare`, for a script that runs without this program.
OFFLINE_PRELUDE = f"""
{"; ".join(_SESSION)};
select pg_advisory_xact_lock({MIGRATION_LOCK});
set local lock_timeout = '{_WAIT_FOR_TABLES}';
do $check$
begin
  if current_setting('server_version_num')::int < {OLDEST_SERVER}0000 then
    raise exception 'the server is PostgreSQL %: Mnemo needs {OLDEST_SERVER} or newer',
      current_setting('server_version') using errcode = 'MN008';
  end if;
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'the database''s encoding is %: Mnemo needs UTF8',
      current_setting('server_encoding') using errcode = 'MN008';
  end if;
end
$check$;
create extension if not exists vector with schema {EXTENSION_SCHEMA};
create extension if not exists pgcrypto with schema {EXTENSION_SCHEMA};
create schema if not exists mnemo;
"""
