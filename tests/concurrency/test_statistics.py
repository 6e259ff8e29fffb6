"""M3: writers of common words never wait for each other, and no count is lost or taken twice."""

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.conftest import DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.locks import Session, sessions

WAIT = 60
WRITE = "select mnemo.remember(%s, mnemo.random_hypervector(%s))"
FOLD = "select mnemo.fold_terms('default', 'memories')"
KNOWN = """
    select array_agg(t.term || ' ' || t.n order by t.term) from (
        select term, sum(n) as n from (
            select term, memories as n from mnemo.term
            union all select u.term, u.n from mnemo.term_log, unnest(terms, counts) as u (term, n)) x
        group by term having sum(n) <> 0) t"""


@pytest.fixture
def three(database_factory: DatabaseFactory) -> Iterator[list[Session]]:
    """Three sessions in transactions on a fresh database; checked when the test ends."""
    dsn = database_factory(1_024, 256)
    with sessions(dsn, 3) as opened:
        yield opened
        for session in opened:
            session.rollback()
    with psycopg.connect(dsn) as connection:
        check_invariants(connection)


def write(session: Session, text: str) -> None:
    session.run(WRITE, text, text)


def known(session: Session) -> Counter[str]:
    found = Counter({word: int(n) for word, n in map(str.split, session.run(KNOWN) or [])})
    session.commit()
    return found


def held(session: Session) -> Counter[str]:
    """Return the model: in how many of the stored memories each word is."""
    texts = session.connection.execute("select content from mnemo.memory").fetchall()
    session.commit()
    return Counter(word for (text,) in texts for word in set(text.split()))


def test_m3_writers_of_one_word_do_not_wait_for_each_other_nor_for_a_fold(three: list[Session]) -> None:
    a, b, c = three
    write(a, "tea one")
    a.commit()
    write(a, "tea two")
    assert a.run(FOLD) == 2
    # The fold is not committed: neither another writer nor another fold waits for it.
    write(b, "tea three")
    assert b.run(FOLD) == 0
    b.commit()
    assert known(c) == Counter({"tea": 2, "one": 1, "three": 1})
    a.commit()
    assert known(c) == held(c) == Counter({"tea": 3, "one": 1, "two": 1, "three": 1})
    assert c.run(FOLD) == 1
    c.commit()
    assert known(c) == held(c)


def test_m3_a_fold_undone_takes_nothing(three: list[Session]) -> None:
    a, b, _ = three
    write(a, "tea")
    a.commit()
    assert a.run(FOLD) == 1
    a.rollback()
    assert b.run(FOLD) == 1
    b.commit()
    assert known(a) == Counter({"tea": 1})


def test_m3_a_recount_waits_for_a_fold_and_misses_no_write_beside_it(three: list[Session]) -> None:
    a, b, c = three
    for text in ("tea", "milk"):
        write(a, text)
    a.commit()
    assert a.run(FOLD) == 2
    recounted = b.start("select mnemo.recount_terms()")
    assert not recounted.done()
    # In flight while the recount looks, and committed before it ends.
    write(c, "coffee")
    a.commit()
    assert recounted.result(WAIT) == 2
    c.commit()
    b.commit()
    assert known(a) == held(a) == Counter({"tea": 1, "milk": 1, "coffee": 1})


def test_m3_two_writers_of_one_key_are_counted_as_one_memory(three: list[Session]) -> None:
    a, b, _ = three
    keyed = "select mnemo.remember(%s, mnemo.random_hypervector('x'), key => 'k')"
    a.run(keyed, "one tea")
    second = b.start(keyed, "two tea")
    assert not second.done()
    a.commit()
    second.result(WAIT)
    b.commit()
    assert known(a) == held(a) == Counter({"two": 1, "tea": 1})


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_m3_a_writer_with_an_old_snapshot_is_not_stopped_by_a_fold(
    three: list[Session], level: IsolationLevel
) -> None:
    a, b, c = three
    write(c, "tea")
    c.run(FOLD)
    # More than writers leave pending; the fold that is not over keeps this one from adding it up.
    write(a, " ".join(f"w{n}" for n in range(5_001)))
    a.commit()
    c.commit()
    b.connection.isolation_level = level
    assert b.run("select cardinality(terms) from mnemo.term_log") == 5_001
    assert a.run(FOLD) == 1
    a.commit()
    write(b, "tea late")
    b.commit()
    assert known(a) == held(a)


def test_m3_much_pending_is_folded_by_writers(three: list[Session]) -> None:
    a, b, _ = three
    for n in range(210):
        write(a, f"tea {n}")
    a.commit()
    assert b.run("select count(*) from mnemo.term_log") == 10
    assert known(b) == held(b)
