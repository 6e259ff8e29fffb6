"""What schema mnemo consists of, and what of it is a tenant's."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.conftest import Connection


@dataclass(frozen=True)
class Relation:
    """A table, partition, view or sequence."""

    name: str
    kind: str
    columns: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        """Its name as it is written in SQL."""
        return sql.Identifier("mnemo", self.name)


def relations(connection: Connection) -> list[Relation]:
    """Every relation that holds rows or a number."""
    rows = connection.execute(
        "select c.relname, c.relkind::text, array(select a.attname::text from pg_attribute a"
        " where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)"
        " from pg_class c where c.relnamespace = 'mnemo'::regnamespace"
        " and c.relkind not in ('i', 'I', 'c', 't') order by c.relname"
    )
    return [Relation(name, kind, tuple(columns)) for name, kind, columns in rows]


def held_by(connection: Connection, tenant: str) -> dict[str, int]:
    """How many rows of a tenant each table with a column tenant has."""
    count = sql.SQL("select count(*) from only {} where tenant = %s")
    held = {}
    for each in relations(connection):
        if each.kind == "r" and "tenant" in each.columns:
            row = connection.execute(count.format(each.identifier), [tenant]).fetchone()
            held[each.name] = row[0] if row else 0
    return held


def digest(connection: Connection, but: str) -> dict[str, str]:
    """A digest of the rows of each table, but those of a tenant."""
    parts = []
    tables = [each for each in relations(connection) if each.kind == "r"]
    for each in tables:
        mine = sql.SQL("where tenant <> {}").format(but) if "tenant" in each.columns else sql.SQL("")
        parts.append(
            sql.SQL("select {}, md5(string_agg(t::text, '' order by t::text)) from only {} as t {}").format(
                each.name, each.identifier, mine
            )
        )
    return dict(connection.execute(sql.SQL(" union all ").join(parts)).fetchall())


def text_of(error: psycopg.Error) -> str:
    """All that a client is told of an error."""
    shown = error.diag
    parts = (shown.message_primary, shown.message_detail, shown.message_hint, shown.context,
             shown.constraint_name, shown.table_name, shown.column_name)  # fmt: skip
    return "\n".join(part for part in parts if part)
