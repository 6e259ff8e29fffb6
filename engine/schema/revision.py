"""What a revision script calls: frozen SQL in, statements of the running migration out."""

from pathlib import Path

from alembic import op
from alembic.config import Config

from engine.errors import InstallationMismatch
from engine.schema.files import LOAD_SETTINGS, digest, parse_sums, read, render, sql_files
from engine.schema.parameters import Parameters

SUMS = "SHA256SUMS"
CHANGE = "change.sql"
PARAMETERS_KEY = "mnemo.parameters"

_DROP = """
do $drop$
declare
  v_table regclass;
  v_used  boolean;
begin
  if coalesce(current_setting('mnemo.force_downgrade', true), '') <> 'on' then
    -- A policy must not hide rows from this question: with row_security off Postgres raises instead,
    -- except for an owner on whom none is forced. The tables go, or all of this is rolled back.
    set local row_security = off;
    foreach v_table in array array[to_regclass('mnemo.memory'), to_regclass('mnemo.archived_memory'),
                                   to_regclass('mnemo.vault_item')] loop
      continue when v_table is null;
      if (select c.relforcerowsecurity from pg_class c where c.oid = v_table) then
        execute format('alter table %s no force row level security', v_table);
      end if;
      execute format('select exists (select from %s)', v_table) into v_used;
      if v_used then
        raise exception 'the downgrade would drop stored %: schema mnemo is not empty',
            case when v_table = to_regclass('mnemo.vault_item') then 'vault items' else 'memories' end
          using errcode = 'MN008',
                hint = 'Back them up, then force it: --force, force=True, or set mnemo.force_downgrade = on.';
      end if;
    end loop;
  end if;
  -- The version table must outlive its revision: it steps aside while everything else goes.
  alter schema mnemo rename to mnemo_dropped;
  create schema mnemo;
  alter table mnemo_dropped.alembic_version set schema mnemo;
  drop schema mnemo_dropped cascade;
end
$drop$;
"""

# An upgrade that is printed is made for the widths that its reader names.
_SAME_WIDTHS = """
do $widths$
begin
  if exists (select from mnemo.setting s
             where s.name = 'bits' and s.value <> {bits}
                or s.name = 'sketch_bits' and s.value <> {sketch_bits}) then
    raise exception using errcode = 'MN008', message =
      'this script is for {bits} bits and sketches of {sketch_bits}; the database has others';
  end if;
end
$widths$;
"""


def apply_sql(statements: str) -> None:
    """Run SQL text as it stands, `%` and `:name` included; with --sql, print it instead."""
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(statements.rstrip() + "\n")
    else:
        op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def _frozen_dir(revision: str) -> Path:
    location = _config().get_main_option("script_location")
    assert location is not None
    return Path(location) / "frozen" / revision


def verify_frozen(folder: Path) -> None:
    """Compare every file of a frozen revision with its recorded hash.

    Raises:
        InstallationMismatch: a file is missing, added or changed; the message names it.
    """
    expected = parse_sums((folder / SUMS).read_text(encoding="utf-8"))
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.sql")}
    found = {name: digest(path) for name, path in paths.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise InstallationMismatch(
            f"frozen SQL of revision {folder.name} differs from its {SUMS}: {', '.join(wrong)}"
        )


def apply_frozen(revision: str) -> None:
    """Install everything a first revision froze, with the parameters of this database."""
    folder = _frozen_dir(revision)
    verify_frozen(folder)
    _load(sql_files(folder))


def apply_change(revision: str) -> None:
    """Run a later revision: its hand-written change.sql, the tables it adds, then what it froze beside them.

    A schema file of an earlier revision is kept for the record only: tables that hold rows are altered by
    change.sql, never made anew. One that is new in this revision runs as it stands. Grants come last,
    and always: what is new has none yet.
    """
    folder = _frozen_dir(revision)
    verify_frozen(folder)
    made = {path for earlier in _earlier(folder) for path in parse_sums((earlier / SUMS).read_text("utf-8"))}
    replayed = [
        path
        for path in sql_files(folder)
        if path.name != "install.sql"
        and not (path.parent.name == "schema" and path.relative_to(folder).as_posix() in made)
    ]
    if op.get_context().as_sql:
        apply_sql(render(_SAME_WIDTHS, _parameters()))
    _load([folder / CHANGE, *replayed, *_grants_before(folder)])


def _grants_before(folder: Path) -> list[Path]:
    """Return the newest grants that an earlier revision froze, where this one has left them as they were."""
    if (folder / "grants.sql").is_file():
        return []
    found = [
        earlier for earlier in sorted(_earlier(folder), reverse=True) if (earlier / "grants.sql").is_file()
    ]
    for earlier in found[:1]:
        verify_frozen(earlier)
    return [earlier / "grants.sql" for earlier in found[:1]]


def _earlier(folder: Path) -> list[Path]:
    return [path for path in folder.parent.iterdir() if path.is_dir() and path.name < folder.name]


def drop_installation() -> None:
    """Drop schema mnemo, apart from the version table; refused while memories are stored, unless forced."""
    apply_sql(_DROP)


def _config() -> Config:
    config = op.get_context().config
    assert config is not None
    return config


def _load(paths: list[Path]) -> None:
    parameters = _parameters()
    for setting in LOAD_SETTINGS:
        apply_sql(setting + ";")
    for path in paths:
        apply_sql(read(path, parameters))


def _parameters() -> Parameters:
    parameters = _config().attributes[PARAMETERS_KEY]
    assert isinstance(parameters, Parameters)
    return parameters
