"""`mnemo events`: how far behind, what came last, what died, and again."""

import json

from tests.cli.conftest import Run, environment, mnemo
from tests.events.conftest import Bus

__all__ = ["environment", "mnemo"]


def test_events(bus: Bus, mnemo: Run) -> None:
    bus.connection.execute("select set_config('mnemo.clock', '', false)")
    bus.subscribe(max_attempts=1)
    seq = bus.publish({"n": 1}, "a")
    bus.publish({"n": 2}, "b\x1b[31m")
    batch = bus.claim(1)
    while batch is not None and seq not in batch.seqs:
        bus.complete(batch)
        batch = bus.claim(1)
    assert batch is not None
    bus.complete(batch, [], {seq: "no\tgood"})

    lag = mnemo("events", "--dsn", bus.dsn)
    assert (lag.code, lag.err) == (0, "")
    assert lag.out.split("\n")[0].split() == [
        "subscription", "backlog", "oldest", "leased", "parked", "dead", "topics",
    ]  # fmt: skip
    assert lag.out.split("\n")[1].split()[0] == "g"
    (row,) = json.loads(mnemo("events", "lag", "g", "--json", "--dsn", bus.dsn).out)["lag"]
    assert (row["subscription"], row["parked"], row["dead"]) == ("g", 0, 1)

    tail = mnemo("events", "tail", "--dsn", bus.dsn)
    assert "\x1b" not in tail.out
    assert len(tail.out.strip().split("\n")) == 3
    (last,) = json.loads(mnemo("events", "tail", "--most", "1", "--json", "--dsn", bus.dsn).out)["events"]
    assert last["payload"] == {"n": 2}

    dead = mnemo("events", "dead", "--dsn", bus.dsn)
    assert "no good" in dead.out
    again = mnemo("events", "replay", "g", "--dsn", bus.dsn)
    assert (again.code, again.err) == (0, "mnemo: 1 dead letters will be delivered again\n")
    assert json.loads(mnemo("events", "dead", "g", "--json", "--dsn", bus.dsn).out) == {"dead": []}

    unknown = mnemo("events", "dead", "nobody", "--dsn", bus.dsn)
    assert (unknown.code, "unknown subscription 'nobody'" in unknown.err) == (1, True)
    assert mnemo("events", "replay", "--dsn", bus.dsn).code == 2
    assert mnemo("events", "tail", "g", "--dsn", bus.dsn).code == 2
