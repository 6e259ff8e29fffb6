"""Random publishers, commits, rollbacks and failing consumers against what must hold of every history."""

import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from tests.events.conftest import Batch, Bus, Buses

CONTEXTS = [None, *"abcdefgh"]


@dataclass
class History:
    """What was published and delivered, as a plain program sees it."""

    open: dict[int, list[tuple[str | None, int]]] = field(default_factory=lambda: defaultdict(list))
    # Event number -> context, and the numbers that were committed before it was published.
    context: dict[int, str | None] = field(default_factory=dict)
    before: dict[int, frozenset[int]] = field(default_factory=dict)
    committed: set[int] = field(default_factory=set)
    done: list[int] = field(default_factory=list)

    def publish(self, publisher: int, number: int, context: str | None) -> None:
        """Note an event of a transaction under way."""
        self.before[number] = frozenset(
            other for other in self.committed | {n for _, n in self.open[publisher]}
            if context is not None and self.context[other] == context
        )  # fmt: skip
        self.context[number] = context
        self.open[publisher].append((context, number))

    def end(self, publisher: int, *, commits: bool) -> None:
        """Note how a transaction ended."""
        if commits:
            self.committed |= {number for _, number in self.open[publisher]}
        del self.open[publisher]

    def check(self, *, once: bool, dead: set[int]) -> None:
        """Fail where an event is missing, invented, doubled, or before one it could have known of."""
        assert set(self.done) | dead == self.committed
        assert not set(self.done) & dead
        if once:
            assert len(self.done) == len(set(self.done))
        first = {number: place for place, number in reversed(list(enumerate(self.done)))}
        for number, place in first.items():
            for earlier in self.before[number] - dead:
                assert first[earlier] < place, (earlier, number)


def settle(bus: Bus, batch: Batch, rng: random.Random, history: History, failing: float) -> None:
    """Work on a batch as a consumer does: in order, not past a failure of the same context."""
    done: list[int] = []
    failed: dict[int, str] = {}
    parked: set[str] = set()
    upto = rng.randint(0, len(batch.events)) if failing and rng.random() < 0.2 else len(batch.events)
    for event in batch.events[:upto]:
        if event.context in parked:
            continue
        if rng.random() < failing:
            failed[event.seq] = "unlucky"
            parked |= {event.context} - {None}
        else:
            history.done.append(event.payload)
            done.append(event.seq)
    bus.complete(batch, done, failed)


@pytest.mark.parametrize("failing", [0.0, 0.15])
@pytest.mark.parametrize("seed", range(3))
def test_random_histories(buses: Buses, seed: int, failing: float) -> None:
    rng = random.Random(seed)
    history = History()
    publishers = [buses.open(autocommit=False) for _ in range(4)]
    consumers = [buses.open() for _ in range(3)]
    consumers[0].at(0)
    consumers[0].subscribe("g", max_attempts=4)
    held: dict[int, Batch] = {}
    now = clock = 0.0
    for bus in (*publishers, *consumers):
        bus.at(0)
        bus.connection.commit()

    for number in range(1_000):
        match rng.choices(["publish", "end", "claim", "settle", "time", "die"], [50, 18, 14, 14, 3, 1])[0]:
            case "publish":
                who, context = rng.randrange(4), rng.choice(CONTEXTS)
                publishers[who].publish(number, context)
                history.publish(who, number, context)
            case "end" if history.open:
                who = rng.choice(sorted(history.open))
                commits = rng.random() < 0.8
                (publishers[who].connection.commit if commits else publishers[who].connection.rollback)()
                history.end(who, commits=commits)
            case "claim":
                who = rng.randrange(3)
                if who not in held and (batch := consumers[who].claim(rng.choice([1, 3, 50]))) is not None:
                    held[who] = batch
            case "settle" if held:
                who = rng.choice(sorted(held))
                settle(consumers[who], held.pop(who), rng, history, failing)
            case "time":
                now += rng.choice([0.1, 1.0, 5.0])
                # A lease that ends is another way to fail.
                now = now if failing else 0.0
            case "die" if failing and held:
                # What it has done, nobody knows.
                who = rng.choice(sorted(held))
                history.done += held.pop(who).payloads[:1]
                now += 30
        if now > clock:
            clock = now
            for bus in consumers:
                bus.at(now)
            held = {w: b for w, b in held.items() if still_leased(consumers[w], b)}

    for who in list(history.open):
        publishers[who].connection.commit()
        history.end(who, commits=True)
    for who, batch in held.items():
        settle(consumers[who], batch, rng, history, 0)
    for _ in range(40):
        now += 31
        consumers[0].at(now)
        history.done += consumers[0].drain()
    assert consumers[0].lag()[2:6] == (0, None, 0, 0)
    dead = {row.payload for row in consumers[0].rows("select payload from mnemo.dead_letters")}
    # Done by one that then died: it counts as done, however it ended.
    history.check(once=not failing, dead=dead - set(history.done))


def still_leased(bus: Bus, batch: Batch) -> bool:
    """Say whether a consumer may still settle what it claimed."""
    held = "select count(*) from mnemo.event_cursor where leased_until > mnemo.now() and lease = any (%s)"
    return bool(bus.value(held, list(batch.leases.values())) == len(batch.leases))
