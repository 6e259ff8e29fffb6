"""mnemo.recall ranks by what its context's last recalls predict, and shows each term (H5)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory
from tests.support.locks import sessions
from tests.support.memories import Draft, Vectors, bit_text, remember_all

START = datetime(2031, 5, 1, 12, tzinfo=UTC)
BITS = 1_024
Rows = list[tuple[Any, ...]]


class Task:
    """A context "task": a query, and memories near, far and last at 100, 101 and 102 bits from it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.query = np.random.default_rng(1).integers(0, 256, BITS // 8, np.uint8)
        distances = {"near": 100, "far": 101, "last": 102}
        drafts = [Draft(n, flipped(self.query, d), context="task") for n, d in distances.items()]
        self.near, self.far, self.last = remember_all(connection, drafts)

    def at(self, minutes: float) -> None:
        now = START + timedelta(minutes=minutes)
        self.connection.execute("select set_config('mnemo.clock', %s, false)", [now.isoformat()])

    def recall(self, k: int, context: str | None = "task", **options: Any) -> list[UUID]:
        return [row[0] for row in self.rows(k, context, **options)]

    def rows(
        self, k: int, context: str | None = "task", function: str = "recall", exact: bool = False
    ) -> Rows:
        return self.connection.execute(
            f"select memory_id, distance, similarity, score, score_terms from mnemo.{function}"  # noqa: S608
            "(%s::varbit, %s, context => %s, exact => %s)".encode(),
            [bit_text(self.query), k, context, exact],
        ).fetchall()

    def used_together(self, *ids: UUID, context: str | None = "task") -> None:
        """Log a recall of these and learn from the whole log."""
        self.connection.execute(
            "insert into mnemo.access_log (at, memory_ids, context) values (mnemo.now(), %s, %s)",
            [list(ids), context],
        )
        self.fold()

    def fold(self) -> None:
        self.connection.execute("select mnemo.fold_accesses()")


def flipped(vector: Vectors, bits: int) -> Vectors:
    mask = np.zeros(8 * vector.size, np.uint8)
    mask[:bits] = 1
    return vector ^ np.packbits(mask)


@pytest.fixture
def task(database_factory: DatabaseFactory) -> Iterator[Task]:
    with psycopg.connect(database_factory(BITS, 256), autocommit=True) as opened:
        made = Task(opened)
        made.at(0)
        yield made


def test_h5_recalled_twice_in_a_context_the_partner_rises(task: Task) -> None:
    assert task.recall(2) == [task.near, task.far]
    assert task.connection.execute("select tenant, context from mnemo.access_log").fetchall() == [
        ("default", "task")
    ]
    task.connection.execute("truncate mnemo.access_log")
    for minute in (0, 1):
        task.at(minute)
        task.used_together(task.near, task.last)
    assert task.recall(2) == [task.near, task.last], "the last is not among the two nearest, and competes"
    rows = task.rows(3)
    assert [row[0] for row in rows] == [task.near, task.last, task.far]
    # Each twice with the other: 0.1 and again 0.1 of what was missing; the decay of a minute is small.
    for memory, distance, similarity, score, terms in rows:
        assert similarity == 1 - distance / BITS
        assert terms["similarity"] == similarity
        assert terms["strength"] == 0
        assert terms["prediction"] == pytest.approx(0 if memory == task.far else 0.02 * 0.19, rel=1e-3)
        assert score == pytest.approx(sum(terms.values()), abs=1e-15)
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)
    assert task.recall(3) == task.recall(3), "the same again"


def test_h5_off_and_elsewhere_a_recall_is_a_search(task: Task) -> None:
    """Unlearned: by switch, by weight, asked for exactly, out of the window, in another context or tenant."""
    elsewhere = remember_all(
        task.connection,
        [Draft("x", flipped(task.query, bits), context="elsewhere") for bits in (103, 104, 105)],
    )
    for _ in range(9):
        task.used_together(task.near, task.last)
    connection, nearest = task.connection, [task.near, task.far, task.last]
    learned = [task.near, task.last, task.far]
    assert task.recall(3) == learned
    assert task.recall(3, None) == learned, "the context that all hits share"
    assert task.recall(6, None)[:3] == nearest, "they share none"
    assert task.recall(3, exact=True) == nearest
    assert [row[0] for row in task.rows(3, function="search")] == nearest
    assert task.recall(3, "elsewhere") == elsewhere
    connection.execute("set mnemo.learning = off")
    assert [(row[0], row[3], row[4]) for row in task.rows(3)] == [
        (row[0], row[2], {"similarity": row[2]}) for row in task.rows(3, function="search")
    ]
    connection.execute("reset mnemo.learning")
    connection.execute("update mnemo.setting set value = 0 where name = 'prediction_weight'")
    assert task.recall(3) == nearest
    connection.execute("update mnemo.setting set value = 0.02 where name = 'prediction_weight'")
    task.at(60)
    assert task.recall(3) == nearest, "an hour later nothing is predicted"
    task.at(0)
    connection.execute("set mnemo.tenant = 'other'")
    theirs = remember_all(connection, [Draft("y", flipped(task.query, n), context="task") for n in (9, 10)])
    assert task.recall(3) == theirs
    connection.execute("reset mnemo.tenant")
    assert task.recall(3) == learned


def test_h5_filter_collection_and_context_hold_for_the_predicted_too(task: Task) -> None:
    connection = task.connection
    connection.execute("select mnemo.create_collection('other')")
    strange = remember_all(
        connection,
        [
            Draft("other collection", flipped(task.query, 102), context="task", collection="other"),
            Draft("filtered", flipped(task.query, 102), context="task", attributes={"no": 1}),
            Draft("other context", flipped(task.query, 102), context="moved"),
        ],
    )
    for _ in range(9):
        task.used_together(task.near, task.last, *strange)
    found = connection.execute(
        "select memory_id from mnemo.recall(%s::varbit, 2, context => 'task', filter => %s)",
        [bit_text(task.query), '{"no": {"$exists": false}}'],
    ).fetchall()
    assert [row[0] for row in found] == [task.near, task.last]
    connection.execute("select mnemo.forget(%s)", [task.last])
    assert task.recall(2)[0] == task.near
    assert task.last not in task.recall(10)


def test_h5_strength_counts_when_it_is_given_weight(task: Task) -> None:
    connection = task.connection
    task.used_together(task.near)
    connection.execute("update mnemo.setting set value = 0.5 where name = 'strength_weight'")
    connection.execute(
        "update mnemo.activity set ltp = case when id = %s then 1 else 0.2 end, ltp_at = mnemo.now()",
        [task.last],
    )
    rows = task.rows(3)
    assert [row[0] for row in rows] == [task.last, task.near, task.far]
    assert [row[4]["strength"] for row in rows] == pytest.approx([0.5, 0.1, 0.1])
    assert all(row[3] == pytest.approx(sum(row[4].values())) for row in rows)


def test_h5_recalls_never_wait_for_each_other_nor_for_what_is_being_learned(task: Task) -> None:
    task.used_together(task.near, task.last)
    statement = "select count(*) from mnemo.recall(%s::varbit, 3, context => 'task')"
    with sessions(task.connection.info.dsn, 3) as (first, second, folder):
        for session in (first, second, folder):
            session.run("select set_config('synchronous_commit', 'remote_apply', true)")
            session.run("select set_config('mnemo.clock', %s, false)", START.isoformat())
        assert first.run(statement, bit_text(task.query)) == 3
        folder.run("select mnemo.fold_accesses() from mnemo.recall(%s::varbit, 3)", bit_text(task.query))
        waiting = second.start(statement, bit_text(task.query))
        assert waiting.result() == 3
        assert first.run(statement, bit_text(task.query)) == 3
        assert first.run("show synchronous_commit") == "remote_apply"
        for session in (first, second, folder):
            session.rollback()
