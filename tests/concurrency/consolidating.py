"""A database whose memories are due to move, and consolidations stopped at a point of their way."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo

from tests.support.invariants import check_invariants
from tests.support.locks import Session, sessions

Connection = psycopg.Connection[tuple[Any, ...]]
WAIT = 60
DUE = 20
FRESH = 5

_LOCK: LiteralString = "(hashtext('mnemo.injection_point'), hashtext(%s))"
_REMEMBER: LiteralString = (
    "select mnemo.remember(%s || n, mnemo.random_hypervector(%s || n), key => %s || n, importance => %s,"
    " tier => %s) from generate_series(1, %s) n"
)
BULK: LiteralString = "select mnemo.demote_in_bulk('hot')"
ROWS: LiteralString = "select mnemo.demote_step('hot')"
MERGE: LiteralString = "select mnemo.merge_step()"
RECALL: LiteralString = (
    "select count(*) from mnemo.recall(mnemo.random_hypervector('d1'), 100, exact => true)"
)


def at(dsn: str, day: int, **settings: str) -> str:
    """Return a connection string to the same database on a day of January 2030."""
    given = {"mnemo.clock": f"2030-01-{day:02}T00:00:00Z", "deadlock_timeout": "100ms", **settings}
    return make_conninfo(dsn, options=" ".join(f"-c {name}={value}" for name, value in given.items()))


class Stage:
    """On day 11: hot memories d1 to d20, due; f1 to f5, not; and w1 to w5 in warm."""

    def __init__(self, dsn: str, db: Connection, opened: Sequence[Session]) -> None:
        self.dsn = dsn
        self.db = db
        self.sessions = opened
        self._held: LiteralString | None = None

    def value(self, query: LiteralString, *arguments: Any) -> Any:
        """Run a statement and commit; return its first row's first column."""
        row = self.db.execute(query, arguments).fetchone()
        return row and row[0]

    def id_of(self, key: str) -> Any:
        """Return the id of a key, whatever happened to its memory."""
        return self.value("select id from public.known where key = %s", key)

    def tiers(self) -> dict[str, str]:
        """Return key -> tier of all memories there are."""
        return dict(self.db.execute("select key, tier from mnemo.memories").fetchall())

    def moves(self) -> list[str]:
        """Return the keys that moved, in order of key, each as often as it did."""
        query: LiteralString = (
            "select k.key from mnemo.move_log l join public.known k on k.id = l.memory_id order by 1"
        )
        return [key for (key,) in self.db.execute(query).fetchall()]

    def stop(self, session: Session, point: LiteralString, query: LiteralString) -> "Future[Any]":
        """Start a statement and return once it waits at a point."""
        self.value("select pg_advisory_lock" + _LOCK, point)
        self._held = point
        session.run("select set_config('mnemo.injection_point', %s, false)", point)
        future = session.start(query)
        waits: LiteralString = "select wait_event = 'advisory' from pg_stat_activity where pid = %s"
        assert not future.done(), future.result()
        assert self.value(waits, session.connection.info.backend_pid)
        return future

    def go_on(self) -> None:
        """Let it go on."""
        self.value("select pg_advisory_unlock" + _LOCK, self._held)


@contextmanager
def stage(dsn: str, count: int = 2, **settings: float) -> Iterator[Stage]:
    """Yield a stage with so many sessions; the invariants are checked at its end."""
    with psycopg.connect(at(dsn, 1), autocommit=True) as db:
        db.execute('select mnemo.configure(\'{"bulk_move_rows": 10, "move_batch_rows": 100}\')')
        for prefix, importance, tier, rows in (
            ("d", 0.75, "hot", DUE), ("f", 1, "hot", FRESH), ("w", 0.6, "warm", FRESH)
        ):  # fmt: skip
            db.execute(_REMEMBER, [prefix, prefix, prefix, importance, tier, rows])
        db.execute("create table public.known as select key, id from mnemo.memory_key")
        for name, value in settings.items():
            db.execute("update mnemo.setting set value = %s where name = %s", [value, name])
    with psycopg.connect(at(dsn, 11), autocommit=True) as db:
        with sessions(at(dsn, 11), count) as opened:
            made = Stage(dsn, db, opened)
            yield made
            for session in opened:
                session.rollback()
        check_invariants(db)


def seal(made: Stage, count: int) -> None:
    """Move what is due into so many sealed partitions."""
    made.value("select mnemo.configure('{\"bulk_move_rows\": 2}')")
    made.db.execute("update mnemo.setting set value = %s where name = 'bulk_move_most'", [DUE // count])
    for _ in range(count):
        assert made.value(BULK) == DUE // count
