"""Numbers at their limits: strengths that decay for ages, settings that would overflow, impossible times."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import DatabaseFactory
from tests.support.invariants import check_invariants


@pytest.fixture
def connection(database_factory: DatabaseFactory) -> Any:
    with psycopg.connect(database_factory(1_024, 256), autocommit=True) as opened:
        yield opened
        opened.execute("reset mnemo.clock")
        check_invariants(opened)


def value(connection: psycopg.Connection[Any], query: str, *arguments: Any) -> Any:
    row = connection.execute(query.encode(), arguments).fetchone()
    return row and row[0]


def test_strength_decays_for_thousands_of_years_and_memories_still_work(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("select mnemo.configure('{\"half_life_days\": 0.00001}')")
    remember = "select mnemo.remember(%s, key => %s, importance => %s)"
    strong = value(connection, remember, "strong", "strong", 1)
    for importance in (1e-310, 1e-60, 1e-13, 0):
        value(connection, remember, "weak", "weak", importance)
    for clock in ("2100-01-01", "4000-01-01", "9999-01-01"):
        value(connection, "select set_config('mnemo.clock', %s, false)", clock)
        assert value(connection, "select max(strength) from mnemo.memories") < 1e-15
        assert value(connection, "select mean_strength from mnemo.tier_stats where tier = 'hot'") < 1e-15
        # Stored as a real, what is left of the strength decays on.
        assert value(connection, remember, "strong", "strong", 0) == strong
        assert value(connection, "select mnemo.demote(array[%s]::uuid[])", strong) == 1
        assert value(connection, "select mnemo.promote(array[%s]::uuid[])", strong) == 1
    assert value(connection, "select mnemo.reinforce(%s)", strong) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["half_life_days", "content_max_bytes", "potentiation", "hot_threshold"])
def test_a_setting_is_refused_or_can_be_worked_with(connection: psycopg.Connection[Any], name: str) -> None:
    memory = value(connection, "select mnemo.remember('x', importance => 1)")
    connection.execute("select mnemo.configure('{\"warm_threshold\": 0.000001}')")
    taken = 0
    for exponent in (-300, -20, -6, -5, 0, 4, 9, 18, 300):
        with connection.transaction(force_rollback=True):
            try:
                connection.execute("select mnemo.configure(%s)", [Jsonb({name: 10.0**exponent})])
            except psycopg.Error as error:
                if error.sqlstate != "MN002":
                    raise
                continue
            taken += 1
            value(connection, "select mnemo.remember('y', importance => 1, tier => 'warm')")
            value(connection, "select mnemo.reinforce(%s)", memory)
            value(connection, "select mnemo.demote(array[%s]::uuid[])", memory)
            assert value(connection, "select max(strength) from mnemo.memories") == pytest.approx(1)
    assert taken >= 2


@pytest.mark.parametrize("time", ["infinity", "-infinity", "4000-01-01 BC", "20000-01-01"])
def test_a_time_that_clients_cannot_read_is_refused(connection: psycopg.Connection[Any], time: str) -> None:
    with pytest.raises(psycopg.Error, match="occurred_at must lie in the years 1 to 9999") as refused:
        connection.execute("select mnemo.remember('x', occurred_at => %s::timestamptz)", [time])
    assert refused.value.sqlstate == "MN002"
