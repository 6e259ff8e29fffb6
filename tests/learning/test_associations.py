"""mnemo.learn_accesses and mnemo.predict (H5), against a plain model, on a clock that the tests set."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import psycopg
import pytest

from tests.conftest import Connection, DatabaseFactory
from tests.learning.model import Access, Model
from tests.support.locks import sessions
from tests.support.memories import Draft, remember_all

START = datetime(2031, 5, 1, tzinfo=UTC)
BITS = 1_024
LEARN = (
    "select mnemo.learn_accesses(array_agg(row(at, ids, tenant, context)::mnemo.access_log order by n))"
    " from jsonb_to_recordset(%s::jsonb)"
    " as x (n integer, at timestamptz, ids uuid[], tenant text, context text)"
)


@pytest.fixture
def connection(database_factory: DatabaseFactory) -> Iterator[Connection]:
    with psycopg.connect(database_factory(BITS, 256), autocommit=True) as opened:
        yield opened


def remember(connection: Connection, count: int, context: str | None, tenant: str = "default") -> list[UUID]:
    connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
    vectors = np.random.default_rng(count).integers(0, 256, (count, BITS // 8), np.uint8)
    ids = remember_all(connection, [Draft("x", one, context=context) for one in vectors])
    connection.execute("reset mnemo.tenant")
    return ids


def learn(connection: Connection, accesses: list[Access], *, contexts: bool = True) -> None:
    rows = [
        {
            "n": n,
            "at": one.at.isoformat(),
            "ids": [str(i) for i in one.ids],
            "tenant": one.tenant,
            "context": one.context if contexts else None,
        }
        for n, one in enumerate(accesses)
    ]
    connection.execute(LEARN.encode(), [psycopg.types.json.Jsonb(rows)])


def predicted(
    connection: Connection, tenant: str, context: str, now: datetime, window: timedelta, k: int = 1_000
) -> list[tuple[UUID, float]]:
    with connection.transaction():
        connection.execute("select set_config('mnemo.tenant', %s, true)", [tenant])
        connection.execute("select set_config('mnemo.clock', %s, true)", [now.isoformat()])
        return connection.execute(
            'select memory_id, prediction from mnemo.predict(%s, %s, "window" => %s)', [context, k, window]
        ).fetchall()


def same(found: dict[UUID, float], expected: dict[UUID, float]) -> bool:
    # Weights decay to nothing, which both may call something else.
    kept = {one: value for one, value in expected.items() if value > 1e-9}
    return {o: v for o, v in found.items() if v > 1e-9} == pytest.approx(kept, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_h5_associations_and_predictions_are_those_of_the_model(connection: Connection, seed: int) -> None:
    """Several tenants and contexts, batches of any size, recalls minutes to weeks apart."""
    dice = random.Random(seed)
    places = [("default", "a"), ("default", "b"), ("other", "a")]
    ids = {(t, c): remember(connection, 9, c, t) for t, c in places}
    connection.execute("update mnemo.setting set value = 100 where name = 'association_partners'")
    model, now = Model(), START
    for _ in range(12):
        batch = []
        for _ in range(dice.choice([1, 2, 9])):
            now += timedelta(seconds=dice.choice([1, 90, 2_000, 5_000, 86_400 * 9]))
            where = dice.choice(places)
            hits = tuple(dice.sample(ids[where], dice.randint(1, 8)))
            batch.append(Access(now, hits, *where))
        model.learn(batch)
        dice.shuffle(batch)
        # Without a context given, the one that the memories share counts.
        learn(connection, batch, contexts=dice.random() < 0.5)
        for tenant, context in places:
            for window in (timedelta(hours=1), timedelta(days=30)):
                found = predicted(connection, tenant, context, now + timedelta(seconds=7), window)
                expected = model.predict(tenant, context, now + timedelta(seconds=7), window)
                assert same(dict(found), expected)
                assert [value for _, value in found] == sorted((v for _, v in found), reverse=True)
                assert all(0 <= value <= 1 for _, value in found)
    rows = connection.execute("select tenant, context, a, b, weight, at from mnemo.association").fetchall()
    expected_rows = {
        (*where, *pair): w for where, pairs in model.weights.items() for pair, w in pairs.items()
    }
    assert {row[:4]: row[5] for row in rows} == {key: at for key, (_, at) in expected_rows.items()}
    assert {row[:4]: row[4] for row in rows} == pytest.approx({k: w for k, (w, _) in expected_rows.items()})


def test_h5_only_the_strongest_partners_are_kept(connection: Connection) -> None:
    ids = remember(connection, 8, "c")
    connection.execute("update mnemo.setting set value = 3 where name = 'association_partners'")
    connection.execute("update mnemo.setting set value = 2 where name = 'focus_memories'")
    # Each partner of the first memory is recalled with it more often than the one before; hours lie between.
    accesses = [
        Access(START + timedelta(hours=2 * (10 * partner + times)), (ids[0], ids[partner]), "default", "c")
        for partner in range(1, 8)
        for times in range(partner)
    ]
    learn(connection, accesses)
    kept: dict[UUID, list[UUID]] = dict(
        connection.execute(
            "select a, array_agg(b order by weight desc) from mnemo.association group by a"
        ).fetchall()
    )
    assert kept[ids[0]] == [ids[7], ids[6], ids[5]]
    assert all(len(partners) <= 3 for partners in kept.values())
    assert connection.execute("select memory_ids from mnemo.focus").fetchone() == ([ids[0], ids[7]],)


def test_h5_what_nobody_renews_fades_and_what_is_forgotten_vanishes(connection: Connection) -> None:
    a, b, c = remember(connection, 3, "c")
    learn(connection, [Access(START, (a, b, c), "default", "c")])
    hour, week = timedelta(hours=1), timedelta(days=7)
    # Of three accessed together each is predicted by the other two.
    assert dict(predicted(connection, "default", "c", START, hour)) == pytest.approx(
        dict.fromkeys((a, b, c), 0.19)
    )
    half = 1 - (1 - 0.1 / 2) ** 2
    # The access itself fades over the window too; with a very long one only the half-life counts.
    late = dict(predicted(connection, "default", "c", START + week, timedelta(days=7_000_000)))
    assert late == pytest.approx(dict.fromkeys((a, b, c), half), rel=1e-4)
    assert predicted(connection, "default", "c", START + hour, hour) == []
    for tenant, context in (("other", "c"), ("default", "d")):
        assert predicted(connection, tenant, context, START, hour) == []
    connection.execute("select mnemo.forget(%s)", [b])
    assert dict(predicted(connection, "default", "c", START, hour)) == pytest.approx({a: 0.19, c: 0.19})
    # Learned from later, a log that names it does not bring it back.
    learn(connection, [Access(START + hour / 2, (b, c), "default", "c")])
    assert set(dict(predicted(connection, "default", "c", START + hour / 2, hour))) == {a, c}
    # A memory that left the context is not predicted in it any more.
    connection.execute("update mnemo.memory set context = 'd' where id = %s", [c])
    assert set(dict(predicted(connection, "default", "c", START, hour))) == {a}


def test_h5_recalls_of_no_common_context_teach_nothing(connection: Connection) -> None:
    mixed = remember(connection, 1, "c") + remember(connection, 2, "d") + remember(connection, 3, None)
    learn(connection, [Access(START, tuple(mixed), "default", "c")], contexts=False)
    learn(connection, [Access(START, tuple(mixed[3:]), "default", "c")], contexts=False)
    # A log of another tenant's memories: whoever wrote it.
    learn(connection, [Access(START, tuple(mixed[1:3]), "other", "d")])
    assert connection.execute("select count(*) from mnemo.association").fetchone() == (0,)
    assert connection.execute("select count(*) from mnemo.focus").fetchone() == (0,)
    connection.execute("select mnemo.learn_accesses('{}')")
    connection.execute("select mnemo.learn_accesses(null)")


def test_h5_two_folds_of_one_context_wait_for_each_other_and_never_deadlock(
    connection: Connection,
) -> None:
    ids = {context: remember(connection, 4, context) for context in "pq"}
    connection.execute("update mnemo.setting set value = 1 where name = 'association_partners'")

    def batch(order: str, minute: int) -> list[Access]:
        at = START + timedelta(minutes=minute)
        return [
            Access(at + timedelta(seconds=n), tuple(ids[context]), "default", context)
            for n, context in enumerate(order)
        ]

    with sessions(connection.info.dsn) as (first, second):
        learn(first.connection, batch("pq", 1))
        rows = psycopg.types.json.Jsonb(
            [
                {"n": n, "at": a.at.isoformat(), "ids": [str(i) for i in a.ids], "tenant": "default",
                 "context": a.context}
                for n, a in enumerate(batch("qp", 2))
            ]
        )  # fmt: skip
        later = second.start(LEARN, rows)
        assert not later.done()
        learn(first.connection, batch("qp", 1))
        first.commit()
        later.result()
        second.commit()
    assert connection.execute("select count(*) from mnemo.association").fetchone() == (8,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("mnemo.predict('c', 0)", "k must be between 1 and 1000, not 0"),
        ("mnemo.predict('c', null)", "k must be between 1 and 1000, not null"),
        ("mnemo.predict('c', 10, '-1 s')", "window must be positive, not -00:00:01"),
        ("mnemo.prefetch(null)", "a prefetch needs a context"),
    ],
)
def test_h5_bad_input_is_named(module_connection: Connection, call: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as refused:
        module_connection.execute(f"select * from {call}".encode())  # noqa: S608
    assert refused.value.sqlstate == "MN002"
