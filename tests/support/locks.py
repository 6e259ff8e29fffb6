"""Two sessions that meet: statements run in threads, awaited by what the server says of them."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


class Session:
    """A connection in a transaction, whose statements may block."""

    def __init__(self, connection: Connection, threads: ThreadPoolExecutor, observer: Connection) -> None:
        self.connection = connection
        self._threads = threads
        self._observer = observer

    def run(self, query: LiteralString, *arguments: Any) -> Any:
        """Run a statement that must not block; return its first row's first column."""
        row = self.connection.execute(query, arguments).fetchone()
        return row and row[0]

    def start(self, query: LiteralString, *arguments: Any) -> "Future[Any]":
        """Start a statement and return once it waits for a lock, or is done."""
        future = self._threads.submit(self.run, query, *arguments)
        waiting = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        while not future.done():
            if self._observer.execute(waiting, [self.connection.info.backend_pid]).rowcount:
                break
        return future

    def commit(self) -> None:
        """End the transaction."""
        self.connection.commit()

    def rollback(self) -> None:
        """Undo the transaction."""
        self.connection.rollback()


@contextmanager
def sessions(dsn: str, count: int = 2) -> Iterator[list[Session]]:
    """Yield sessions to one database; at the end what is left open is rolled back."""
    observer = psycopg.connect(dsn, autocommit=True)
    opened = [psycopg.connect(dsn) for _ in range(count)]
    try:
        with ThreadPoolExecutor(count) as threads:
            try:
                yield [Session(connection, threads, observer) for connection in opened]
            finally:
                # A test that failed may have left a statement waiting.
                for connection in opened:
                    connection.cancel_safe()
    finally:
        for connection in [*opened, observer]:
            connection.close()
