"""A database's schema as text: what two databases must have in common to be the same Mnemo."""

from pathlib import Path

import psycopg
from psycopg import sql

_HELPERS = """
create function pg_temp.grants(acl aclitem[], owner oid) returns text language sql as $$
  select string_agg(format('%s=%s', who, what), ', ' order by who)
  from (select case when grantee = 0 then 'public' when grantee = owner then 'owner'
               else pg_get_userbyid(grantee) end as who,
               string_agg(privilege_type || case when is_grantable then '*' else '' end, ' '
                          order by privilege_type) as what
        from aclexplode(acl) group by 1) g
$$;
create function pg_temp.kind("char") returns text language sql as $$
  select case $1 when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
    when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' end
$$;
create function pg_temp.routine("char") returns text language sql as $$
  select case $1 when 'f' then 'function' when 'p' then 'procedure' when 'a' then 'aggregate'
    else 'window' end
$$;
create function pg_temp.type_kind("char") returns text language sql as $$
  select case $1 when 'c' then 'composite' when 'd' then 'domain' when 'e' then 'enum' when 'r' then 'range'
    else 'other' end
$$;
"""
# Longer tables are told apart by a digest of their rows.
_ROWS_SHOWN = 40


def snapshot(dsn: str, *, bodies: bool = False) -> str:
    """Return everything in schema mnemo but the version table's row, one line an object.

    With `bodies`, a digest of every function's body too: enough to compare, too restless for a golden.
    """
    text = (Path(__file__).parent / "catalog.sql").read_text(encoding="utf-8")
    parts = []
    with psycopg.connect(dsn) as connection:
        connection.execute("set local search_path = ''")
        connection.execute(_HELPERS)
        for section in text.split("-- section: ")[1:]:
            title, _, query = section.partition("\n")
            if title != "bodies" or bodies:
                lines = [row[0] for row in connection.execute(query.encode()).fetchall()]
                parts.append("\n".join([f"== {title}", *lines]))
        parts.append("\n".join(["== rows", *_rows(connection)]))
        connection.rollback()
    return "\n\n".join(parts) + "\n"


def _rows(connection: psycopg.Connection) -> list[str]:
    # What was done to a database, and by whom, is its own.
    tables = connection.execute(
        "select c.relname from pg_class c where c.relnamespace = 'mnemo'::regnamespace"
        " and c.relkind = 'r' and c.relname not in ('alembic_version', 'audit', 'audit_head') order by 1"
    ).fetchall()
    return [line for (table,) in tables for line in _rows_of(connection, table)]


def _rows_of(connection: psycopg.Connection, table: str) -> list[str]:
    # Times and random ids differ from installation to installation.
    columns = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " and atttypid not in ('timestamptz'::regtype, 'uuid'::regtype) order by attnum",
        [f"mnemo.{table}"],
    ).fetchall()
    listed = sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns)
    rows = sql.SQL("select row({}) ::text as line from mnemo.{}").format(listed, sql.Identifier(table))
    count, digest = connection.execute(
        sql.SQL(
            'select count(*), md5(string_agg(line, chr(10) order by line collate "C")) from ({}) r'
        ).format(rows)
    ).fetchone() or (0, None)
    if count > _ROWS_SHOWN:
        return [f"{table}: {count} rows, digest {digest}"]
    shown = connection.execute(sql.SQL('select line from ({}) r order by line collate "C"').format(rows))
    return [f"{table}: {line}" for (line,) in shown.fetchall()]
