"""Memories to the archive and back; what a client would write to a store and verify is taken on trust."""

from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

_KEYS = (
    "select array_agg(i.database || '/segments/' || s.attempt || '/' || o.name order by o.name)"
    " from mnemo.identity i, mnemo.segment s, unnest(array['a.npy', 'b.parquet', 'c.json']) as o (name)"
    " where i.is_current and s.attempt = %s"
)


def value(connection: Connection, query: str, *arguments: Any) -> Any:
    """Return the first column of the first row; None without one."""
    row = connection.execute(query.encode(), arguments).fetchone()
    return row and row[0]


def prepare(connection: Connection) -> None:
    """Let archive() and restore() be called on this database."""
    connection.execute("select mnemo.attach_store('file:///objects')")
    connection.execute(
        "create table public.original (attempt uuid, row_number integer, id uuid, occurred_at timestamptz,"
        ' content text, attributes jsonb, embedding bytea, encoded "char", hash bytea, hdv varbit)'
    )


def begin(connection: Connection) -> tuple[Any, int] | None:
    """Begin an export of the open cold segment and note its objects as verified; None: nothing may leave."""
    segment = value(connection, "select mnemo.segment_of_tier('cold')")
    attempt = value(connection, "select attempt from mnemo.begin_export('me', %s)", segment)
    keys = value(connection, _KEYS, attempt)
    connection.execute(
        "select mnemo.note_objects(%s, %s, '{1, 1, 1}', array_fill(sha256(''), '{3}'))", [attempt, keys]
    )
    connection.execute("select mnemo.note_stored(%s, %s)", [attempt, keys])
    return attempt, segment


def read(connection: Connection, attempt: Any, segment: int) -> None:
    """Read the rows of an export, as its worker does; in the transaction that finishes it."""
    connection.execute(
        b"create temporary table mnemo_exported on commit drop as"
        b" select (row_number() over (order by m.id))::integer - 1 as row_number, e.bucket, e.id, m.tenant,"
        b" m.collection, e.place, e.writer from mnemo.export_sketches(%d) e"
        b" join mnemo.memory m using (bucket, id)" % segment
    )
    connection.execute("alter table pg_temp.mnemo_exported owner to mnemo_owner")
    connection.execute(
        "insert into public.original select %s, e.row_number, m.id, m.occurred_at, m.content, m.attributes,"
        " m.embedding, m.encoded, mnemo.content_hash(m), m.hdv"
        " from pg_temp.mnemo_exported e join mnemo.memory m using (bucket, id)",
        [attempt],
    )


def finish(connection: Connection, attempt: Any) -> int:
    """Put the archived segment in the place of what was read; return how many memories it has."""
    keys = value(connection, _KEYS, attempt)
    done: int = value(
        connection,
        "select mnemo.finish_export(%s, row(null, null, null, null, %s, %s, %s, 128, 32, '',"
        " 1024, '{0}', '{1}', '', '', '{}')::mnemo.archive)",
        attempt,
        *keys,
    )
    return done


def archive(connection: Connection, ids: list[Any]) -> int:
    """Archive memories, and whatever else is in the open cold segment; return how many there were."""
    connection.execute("select mnemo.demote(%s, 'cold')", [ids])
    begun = begin(connection)
    assert begun is not None
    attempt, segment = begun
    with connection.transaction():
        read(connection, attempt, segment)
        return finish(connection, attempt)


def restore(connection: Connection, ids: list[Any]) -> list[Any]:
    """Bring archived memories back into the warm tier; return their ids."""
    with connection.transaction():
        connection.execute("select mnemo.open_fetched()")
        connection.execute("grant select on pg_temp.mnemo_fetched to mnemo_api")
        connection.execute(
            "insert into pg_temp.mnemo_fetched"
            " select r.attempt, o.row_number, o.id, o.occurred_at, o.content, o.attributes, o.embedding,"
            " o.encoded, o.hash, o.hdv"
            " from mnemo.archived_memory a join mnemo.archive r using (segment)"
            " join public.original o on o.attempt = r.attempt and o.row_number = a.row_number"
            " where a.id = any (%s)",
            [ids],
        )
        back: list[Any] = value(connection, "select mnemo.restore_memories('warm')")
    return back
