"""What lies before a memory in its session: found through the index, whatever the session holds."""

from typing import Any

import psycopg
import pytest

from tests.conftest import DatabaseFactory

_FILL = """
insert into mnemo.memory
    (occurred_at, created_at, segment, bucket, id, tenant, collection, hdv, context, session, key, content)
select timestamptz '2024-01-01' + n * interval '1 minute', now(), 0, mnemo.bucket_of(d.id), d.id,
       'default', 'memories', mnemo.random_hypervector('same'), 'c', case when n % 2 = 0 then 's' end,
       'k' || n, 'memory ' || n
from (select n, mnemo.new_id(1::smallint) as id from generate_series(1, 20000) as n offset 0) as d
"""
_TAILS = """
select t.content from mnemo.session_tails('memories', array['c'], array[%s]::text[],
    array['2024-01-08 00:00:30+00'::timestamptz], array[null]::text[], array['k10078', 'k10079'], 2) as t
order by t.distance
"""


@pytest.mark.parametrize(("session", "expected"), [("s", [10_080, 10_076]), (None, [10_077, 10_075])])
def test_h5_the_last_memories_of_a_session_are_found_without_reading_it(
    database_factory: DatabaseFactory, session: str | None, expected: list[int]
) -> None:
    with psycopg.connect(database_factory(1_024, 256), autocommit=True) as connection:
        connection.execute("drop index mnemo.memory_sketch")
        connection.execute(_FILL)
        connection.execute("analyze mnemo.memory")
        found = connection.execute(_TAILS, (session,)).fetchall()
        row = connection.execute("explain (analyze, buffers, format json)" + _TAILS, (session,)).fetchone()
    assert found == [(f"memory {n}",) for n in expected]
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    # The session lies on a thousand pages.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200
