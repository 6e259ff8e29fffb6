"""What each limit lets through, what it refuses, and what it says."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.conftest import Connection
from tests.quotas.archiving import value

_START = datetime(2030, 1, 1, tzinfo=UTC)


def at(db: Connection, seconds: float) -> None:
    """Set the clock so many seconds after the first."""
    db.execute(
        "select set_config('mnemo.clock', %s, false)", [(_START + timedelta(seconds=seconds)).isoformat()]
    )


def write(db: Connection, count: int = 1, content: str = "word") -> None:
    """Write so many memories in one batch."""
    with db.transaction():
        db.execute("select mnemo.open_staging()")
        db.execute(
            "insert into pg_temp.memory_staging (ordinal, content, hdv, collection, importance, tier)"
            " select n, %s, mnemo.random_hypervector(n::text), 'memories', 0.8, 'hot'"
            " from generate_series(1, %s) n",
            [content, count],
        )
        db.execute("select mnemo.remember_staged()")


def refusal(error: psycopg.Error) -> tuple[str | None, str | None, str | None]:
    return error.sqlstate, error.diag.message_primary, error.diag.message_detail


def test_a_tenant_without_a_quota_has_no_limit_and_is_not_counted(db: Connection) -> None:
    write(db, 5)
    assert db.execute("select from mnemo.quota").rowcount == 0
    assert db.execute("select from mnemo.tenant_usage").rowcount == 0
    assert value(db, "select mnemo.remove_quota('default')") is False
    assert db.execute("select from mnemo.recount_usage('default')").rowcount == 0


def test_memories_up_to_the_limit_and_not_one_more(db: Connection) -> None:
    write(db, 2)
    db.execute("select mnemo.set_quota('default', memories => 4)")
    write(db, 1)
    with pytest.raises(psycopg.Error) as refused:
        write(db, 2)
    assert refusal(refused.value) == (
        "MN016",
        "tenant 'default' has a quota of 4 memories: 3 are used and 2 more were asked for",
        "Nothing was stored; forgetting others makes room.",
    )
    write(db, 1)
    assert db.execute("select memories, memories_limit from mnemo.tenant_usage").fetchall() == [(4, 4)]
    assert value(db, "select count(*) from mnemo.memory") == 4


def test_a_limit_below_what_is_there_lets_only_less_in(db: Connection) -> None:
    db.execute("select mnemo.remember('a text', key => 'a'), mnemo.remember('b text', key => 'b')")
    db.execute("select mnemo.set_quota('default', memories => 1, bytes => 1)")
    with pytest.raises(psycopg.Error, match="memories: 2 are used and 1 more"):
        db.execute("select mnemo.remember('c')")
    with pytest.raises(psycopg.Error, match=r"bytes: [0-9]+ are used and 5 more"):
        db.execute("select mnemo.remember('a text more', key => 'a')")
    db.execute("select mnemo.remember('a', key => 'a')")
    with pytest.raises(psycopg.Error, match="bytes"):
        db.execute("select mnemo.set_attributes(id, '{\"more\": 1}') from mnemo.memory_key where key = 'a'")
    db.execute("select mnemo.forget(id) from mnemo.memory_key")
    assert db.execute("select memories, bytes from mnemo.tenant_usage").fetchall() == [(0, 0)]


def test_bytes_are_those_of_what_was_stored(db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', bytes => 1000000)")
    db.execute(
        "select mnemo.remember('naïve', embedding => '{1, 2, 3}', context => 'cc', session => 's',"
        " key => 'kkk', attributes => '{\"n\":1}')"
    )
    stored = 1_024 // 8 + len("naïve".encode()) + 3 + 2 + 1 + 3 + len('{"n": 1}')
    assert value(db, "select bytes from mnemo.tenant_usage") == stored


def test_writes_fill_up_again_evenly(db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', writes_per_minute => 7)")
    at(db, 0)
    for _ in range(7):
        write(db)
    with pytest.raises(psycopg.Error) as refused:
        write(db)
    assert refusal(refused.value) == (
        "MN016",
        "tenant 'default' has a quota of 7 writes_per_minute: 7 are used and 1 more were asked for",
        "There is room for them in 8.6 s.",
    )
    at(db, 8.6)
    assert value(db, "select writes_left from mnemo.tenant_usage") == 1
    write(db)
    with pytest.raises(psycopg.Error, match="7 are used"):
        write(db)
    at(db, 68.6)
    write(db, 7)
    with pytest.raises(psycopg.Error, match="7 are used"):
        write(db)


def test_more_at_once_than_a_minute_has_can_never_pass_and_says_so(db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', writes_per_minute => 1500)")
    with pytest.raises(psycopg.Error) as refused:
        write(db, 1_501)
    assert refusal(refused.value)[2] == "So many at once never fit: write at most 1500 at a time."
    write(db, 1_500)


def test_forgetting_costs_no_write_and_is_never_refused(db: Connection) -> None:
    db.execute("select mnemo.remember('a')")
    db.execute("select mnemo.set_quota('default', memories => 0, bytes => 0, writes_per_minute => 0)")
    with pytest.raises(psycopg.Error, match="a quota of 0 writes_per_minute"):
        db.execute("select mnemo.remember('b')")
    assert value(db, "select mnemo.forget_many(array_agg(id)) from mnemo.memory") == 1


def test_a_clock_that_went_back_locks_nobody_out_for_longer_than_a_minute(db: Connection) -> None:
    db.execute("select mnemo.set_quota('default', writes_per_minute => 2)")
    at(db, 1_000_000)
    write(db, 2)
    at(db, 0)
    with pytest.raises(psycopg.Error, match="2 are used"):
        write(db)


def test_tenants_have_quotas_of_their_own(db: Connection) -> None:
    db.execute("select mnemo.set_quota('a', memories => 1)")
    write(db, 3)
    db.execute("set mnemo.tenant = 'a'")
    write(db)
    with pytest.raises(psycopg.Error, match="tenant 'a' has a quota of 1 memories"):
        write(db)
    assert value(db, "select memories_used from mnemo.quota where tenant = 'a'") == 1


@pytest.mark.parametrize(
    "call",
    [
        "select mnemo.set_quota('a', memories => -1)",
        "select mnemo.set_quota('', memories => 1)",
        "select mnemo.set_quota(null, memories => 1)",
        "select mnemo.set_residency('a', '{}')",
        "select mnemo.set_residency('a', '{/directory}')",
        "select mnemo.set_residency('a', array['file:///eu/../us'])",
        "select mnemo.set_residency('a', array[null])",
        "select mnemo.set_residency('', array['s3://eu'])",
    ],
)
def test_what_is_no_quota_is_refused(db: Connection, call: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        db.execute(call.encode())
    assert refused.value.sqlstate == "MN002"
