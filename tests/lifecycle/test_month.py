"""H2, H3: a simulated month ends, day by day, as the model of the rules says."""

from tests.conftest import DatabaseFactory
from tests.lifecycle.month import Month, Told, live
from tests.lifecycle.world import vector, world
from tests.support.invariants import check_invariants


def test_h2_h3_a_month_goes_as_the_rules_say(database_factory: DatabaseFactory) -> None:
    month = Month(memories=1_200, hours=12)
    told = Told()
    with world(database_factory(1_024, 256)) as w:
        for day in live(w, month, [vector(w.rng) for _ in range(month.memories)]):
            w.compare()
            told = day
        check_invariants(w.connection)
    # The month is one: every rule has acted, and the hot tier holds what is used.
    decay = {"hot to warm, decay", "warm to cold, decay", "hot to warm, capacity"}
    assert decay | {"warm to hot, strength", "cold to warm, strength"} <= told.moves.keys()
    assert told.sizes[-1]["hot"] <= month.hot_rows
    assert told.hit_rate > 0.3
