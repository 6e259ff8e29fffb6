"""A small database for each test of the bus, and how its tests speak to it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from tests.conftest import DatabaseFactory

START = datetime(2027, 1, 1, tzinfo=UTC)


class Batch(NamedTuple):
    """The events that a claim returned, as rows."""

    events: list[Any]

    @property
    def leases(self) -> dict[int, int]:
        """The lanes and their leases."""
        return {event.lane: event.lease for event in self.events}

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events."""
        return [event.seq for event in self.events]

    @property
    def payloads(self) -> list[Any]:
        """The payloads of the events."""
        return [event.payload for event in self.events]


class Bus:
    """The SQL functions of the bus on one connection, with a clock that stands still until it is set."""

    def __init__(self, dsn: str, *, autocommit: bool = True) -> None:
        self.dsn = dsn
        self.connection = psycopg.connect(dsn, autocommit=autocommit)

    def value(self, query: str, *arguments: Any) -> Any:
        """Return the first column of the first row."""
        row = self.connection.execute(query.encode(), arguments).fetchone()
        return row and row[0]

    def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Return all rows, as named tuples."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query.encode(), arguments).fetchall()

    def at(self, seconds: float) -> None:
        """Set the clock to so many seconds after the start."""
        self.value("select set_config('mnemo.clock', %s, false)", str(START + timedelta(seconds=seconds)))

    def publish(self, payload: Any, context: str | None = "c", topic: str = "memory.write") -> Any:
        """Publish one event."""
        return self.value("select mnemo.publish(%s, %s, %s)", topic, Jsonb(payload), context)

    def subscribe(self, name: str = "g", topics: Sequence[str] = ("memory.write",), **options: Any) -> Any:
        """Make a subscription."""
        given = "".join(f", {option} => %s" for option in options)
        return self.value(f"select mnemo.subscribe(%s, %s{given})", name, list(topics), *options.values())

    def claim(self, most: int = 100, name: str = "g") -> Batch | None:
        """Lease events; None when there are none."""
        events = self.rows("select * from mnemo.claim_events(%s, %s)", name, most)
        return Batch(events) if events else None

    def complete(
        self,
        batch: Batch,
        done: Sequence[int] | None = None,
        failed: dict[int, str] | None = None,
        *,
        keep: bool = False,
        name: str = "g",
    ) -> None:
        """Settle a batch: by default all of it is done."""
        for lane, lease in batch.leases.items():
            mine = [event.seq for event in batch.events if event.lane == lane]
            errors = {seq: error for seq, error in (failed or {}).items() if seq in mine}
            self.value(
                "select mnemo.complete_events(%s, %s, %s, %s::bigint[], %s::bigint[], %s::text[], %s)",
                name,
                lane,
                lease,
                mine if done is None else [seq for seq in done if seq in mine],
                list(errors),
                list(errors.values()),
                keep,
            )

    def drain(self, name: str = "g", most: int = 100) -> list[Any]:
        """Claim and complete until there is nothing more; return the payloads."""
        got: list[Any] = []
        while (batch := self.claim(most, name)) is not None:
            got += batch.payloads
            self.complete(batch, name=name)
        return got

    def lag(self, name: str = "g") -> Any:
        """Return the row of mnemo.bus_lag."""
        return self.rows("select * from mnemo.bus_lag where subscription = %s", name)[0]


class Buses:
    """Connections to one database, closed when the test ends."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._opened: list[Bus] = []

    def open(self, *, autocommit: bool = True) -> Bus:
        """Open a connection; without autocommit it is in a transaction from its first statement on."""
        self._opened.append(Bus(self.dsn, autocommit=autocommit))
        return self._opened[-1]

    def close(self) -> None:
        """Close them all."""
        for bus in self._opened:
            bus.connection.close()


@pytest.fixture
def buses(database_factory: DatabaseFactory) -> Iterator[Buses]:
    """Connections to a fresh database."""
    made = Buses(database_factory(1_024, 256))
    yield made
    made.close()


@pytest.fixture
def bus(buses: Buses) -> Bus:
    """One connection, and a subscription g to memory.write."""
    opened = buses.open()
    opened.at(0)
    opened.subscribe()
    return opened
