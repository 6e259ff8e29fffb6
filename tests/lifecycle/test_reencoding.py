"""What moves takes along the hypervector with both sides; a plain model says who stands beside whom."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from engine import Mnemo
from engine.config import Settings
from engine.memory import MemoryId
from engine.worker import JobService, serve
from tests.conftest import Connection, DatabaseFactory
from tests.support.invariants import check_invariants
from tests.support.locks import sessions

LATER = "2030-06-01T00:00:00Z"
_REMEMBER: LiteralString = (
    "select mnemo.remember(%s, hdv => %s::varbit, embedding => %s::real[], context => %s::text,"
    " session => %s::text, occurred_at => %s, collection => %s, key => %s, importance => 0.75)"
)
_DUE: LiteralString = "select array_agg(d.id) from mnemo.due_for_encoding(1000) d"
_MEMORIES: LiteralString = (
    "select m.id, m.hdv, m.encoded, a.tier, m.bucket from mnemo.memory m"
    " join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment"
)
# Shares before and after of the collections below; None: never encoded anew.
SHARES = {
    "memories": ((112, 80), (48, 64)),
    "wide": ((10,), (0, 7, 200)),
    "bound": ((112, 80), (48, 64)),
    "backward": ((112, 80), (0,)),
    "words": None,
}


@dataclass(frozen=True)
class Told:
    """A memory as it was told, and the place of its arrival."""

    id: MemoryId
    place: int
    tenant: str
    collection: str
    context: str | None
    session: str | None
    minute: int
    content: str
    embedding: list[float] | None
    given: bool

    @property
    def scope(self) -> tuple[Any, ...]:
        """Return what its neighbours have in common with it."""
        return self.tenant, self.collection, self.context, self.session


def around(memory: Told, all_of_them: list[Told]) -> list[tuple[Told, int]]:
    """Return who counts in a memory's hypervector after it moved, and for how much."""
    shares = SHARES[memory.collection]
    assert shares is not None
    line = sorted((m for m in all_of_them if m.scope == memory.scope), key=lambda m: (m.minute, m.place))
    at = line.index(memory)
    members = [(memory, 256)]
    for side, step in zip(shares, (-1, 1), strict=True):
        for distance, share in enumerate(side, 1):
            if share and 0 <= at + step * distance < len(line):
                members.append((line[at + step * distance], share))
    return members


def is_encoded_anew(memory: Told) -> bool:
    """Whether a memory gets another hypervector when it moves."""
    shares = SHARES[memory.collection]
    return not memory.given and memory.context is not None and shares is not None and any(shares[1])


@pytest.fixture
def dsn(database_factory: DatabaseFactory) -> str:
    """A database with a collection of each kind, in which nothing happens by itself."""
    made = database_factory(1_024, 256)
    with psycopg.connect(made, autocommit=True) as db:
        db.execute(
            "select mnemo.create_collection('wide', encoding =>"
            ' \'{"before": [10], "after": [0, 7, 200], "roles": {}}\')'
        )
        db.execute("select mnemo.create_collection('bound', bind_context => true)")
        db.execute("select mnemo.create_collection('backward', encoding => '{\"after\": [0]}')")
        db.execute("select mnemo.create_collection('words', encoder => 'lexical')")
    return made


@pytest.fixture
def db(dsn: str) -> Iterator[Connection]:
    """An autocommit connection at the first day; what must always hold is checked at the end."""
    with psycopg.connect(dsn, autocommit=True) as opened:
        opened.execute("select set_config('mnemo.clock', '2030-01-01T00:00:00Z', false)")
        yield opened
        check_invariants(opened)


def later(dsn: str) -> str:
    """Return the connection string of a time when everything leaves the hot tier."""
    return f"{dsn} options='-c mnemo.clock={LATER}'"


def tell(db: Connection, count: int, seed: int = 1) -> list[Told]:
    """Write memories of two tenants in sessions that interleave, some at one moment, some late."""
    rng = Random(seed)
    told = []
    for place in range(count):
        tenant, collection = rng.choice(["ann", "bob"]), rng.choice(list(SHARES))
        context, session = rng.choice(["x", "y", None]), rng.choice(["s", "t", None])
        minute, given = rng.randrange(count // 8), rng.random() < 0.1
        words = " ".join(
            rng.choice(["tea", "coffee", "猫が好き", "tomorrow"]) + str(rng.randrange(30)) for _ in range(6)
        )
        content = f"{rng.choice(['Ann', 'Bob'])}: {words}"
        embedding = [rng.gauss(0, 1) for _ in range(8)] if rng.random() < 0.7 else None
        db.execute("select set_config('mnemo.tenant', %s, false)", (tenant,))
        row = db.execute(
            _REMEMBER,
            (
                content,
                format(rng.getrandbits(1_024), "01024b") if given else None,
                embedding,
                context,
                session,
                f"2029-01-01 {minute // 60:02}:{minute % 60:02}Z",
                collection,
                f"k{place}",
            ),
        ).fetchone()
        assert row is not None
        told.append(
            Told(row[0], place, tenant, collection, context, session, minute, content, embedding, given)
        )
    return told


def hypervector(db: Connection, memory: Told, all_of_them: list[Told]) -> str:
    """Encode a memory with those that the model says are around it; SQL does the arithmetic."""
    members = around(memory, all_of_them)
    speaker = re.match("[^:]+", memory.content)
    assert speaker is not None
    with db.transaction():
        db.execute("select set_config('mnemo.tenant', %s, true)", (memory.tenant,))
        row = db.execute(
            "select mnemo.bind_context(c, mnemo.encode_members(c, %s::text[],"
            " array(select mnemo.quantise(nullif(e.v, '')::real[]) from unnest(%s::text[])"
            "  with ordinality as e (v, n) order by e.n),"
            " %s::integer[], array['speaker'], array[%s])::varbit, %s) from mnemo.collection(%s) c",
            (
                [m.content for m, _ in members],
                [
                    "" if m.embedding is None else "{" + ",".join(map(str, m.embedding)) + "}"
                    for m, _ in members
                ],
                [share for _, share in members],
                speaker[0].lower(),
                memory.context,
                memory.collection,
            ),
        ).fetchone()
    assert row is not None
    return str(row[0])


def stored(db: Connection) -> dict[UUID, tuple[str, str, str, int]]:
    """Return hypervector, origin, tier and bucket of each memory."""
    return {row[0]: row[1:] for row in db.execute(_MEMORIES).fetchall()}


def check(db: Connection, told: list[Told], before: dict[UUID, tuple[str, str, str, int]]) -> None:
    """Compare every memory with the model."""
    after = stored(db)
    changed = 0
    for memory in told:
        hdv, encoded, tier, bucket = after[memory.id]
        assert (tier, bucket) == ("warm", before[memory.id][3])
        if is_encoded_anew(memory):
            assert (encoded, hdv) == ("c", hypervector(db, memory, told)), memory
            changed += hdv != before[memory.id][0]
        else:
            assert (encoded, hdv) == (before[memory.id][1], before[memory.id][0]), memory
    assert changed > len(told) / 4
    assert db.execute("select from mnemo.pending_hypervector").rowcount == 0


@pytest.mark.parametrize("bulk", [False, True])
async def test_what_moves_is_encoded_with_both_sides(dsn: str, db: Connection, bulk: bool) -> None:
    told = tell(db, 110)
    before = stored(db)
    if bulk:
        db.execute("select mnemo.configure('{\"bulk_move_rows\": 20}')")
    db.execute("select pg_stat_reset()")
    async with Mnemo.open(later(dsn), tenant="somebody") as mnemo:
        done = await mnemo.consolidate()
    assert (done.moved, done.encoded) == (110, sum(map(is_encoded_anew, told)))
    check(db, told, before)
    # Each row was written once: no index is maintained twice.
    db.execute("select pg_stat_force_next_flush()")
    written = db.execute(
        "select sum(n_tup_ins), sum(n_tup_upd) - sum(n_tup_newpage_upd) from pg_stat_user_tables t"
        " join mnemo.segment s on s.relation = t.relname where s.tier = 'warm'"
    ).fetchone()
    assert written == (110, 0)
    assert (await _again(dsn)) == (0, 0)


async def _again(dsn: str) -> tuple[int, int]:
    async with Mnemo.open(later(dsn)) as mnemo:
        done = await mnemo.consolidate()
    return done.moved, done.encoded


async def test_workers_prepare_before_they_consolidate(dsn: str, db: Connection) -> None:
    told = tell(db, 60, seed=2)
    before = stored(db)
    db.execute("update mnemo.job set enabled = false, disabled_reason = 'test' where name <> 'consolidate'")
    workers = [JobService(later(dsn), Settings(), f"w{n}", once=True) for n in range(3)]
    await serve(workers, 30)
    check(db, told, before)


async def test_moved_by_hand_and_by_sql_alone(dsn: str, db: Connection) -> None:
    told = [memory for memory in tell(db, 60, seed=3) if memory.tenant == "ann"]
    before = stored(db)
    half = len(told) // 2
    async with Mnemo.open(dsn, tenant="ann") as mnemo:
        assert await mnemo.demote([m.id for m in told[:half]]) == half
    db.execute("select set_config('mnemo.tenant', 'ann', false)")
    db.execute("select mnemo.demote(%s::uuid[])", ([m.id for m in told[half:]],))
    after = stored(db)
    for memory in told[:half]:
        if is_encoded_anew(memory):
            assert after[memory.id][:2] == (hypervector(db, memory, told), "c")
    # SQL alone only moves.
    assert all(after[m.id][:2] == before[m.id][:2] for m in told[half:])


def prepare(db: Connection) -> int:
    """Prepare all that is due, by SQL alone."""
    row = db.execute(
        "select mnemo.stage_hypervectors(array_agg(s.id), array_agg(s.segment), array_agg(s.place),"
        " array_agg(s.writer), array_agg(mnemo.random_hypervector('made of ' || s.id)::varbit))"
        " from mnemo.surroundings(array(select d.id from mnemo.due_for_encoding(1000) d)) s"
    ).fetchone()
    assert row is not None
    return int(row[0] or 0)


def test_what_changed_since_keeps_its_own_hypervector(dsn: str, db: Connection) -> None:
    told = [memory for memory in tell(db, 60, seed=4) if is_encoded_anew(memory)]
    db.execute("select set_config('mnemo.clock', %s, false)", (LATER,))
    assert prepare(db) == len(told)
    assert db.execute(_DUE).fetchone() == (None,)
    rewritten, changed, forgotten, pinned, *others = told
    made = "mnemo.random_hypervector('made of ' || %s)"
    for memory, action in (
        (
            rewritten,
            "select mnemo.remember('tea again', context => 'x', collection => %s, key => %s,"
            " importance => 0)",
        ),
        (changed, 'select mnemo.set_attributes(%s, \'{"speaker": "Eve"}\')'),
        (forgotten, "select mnemo.forget(%s)"),
        (pinned, "select mnemo.pin(%s)"),
    ):
        db.execute("select set_config('mnemo.tenant', %s, false)", (memory.tenant,))
        named = (memory.collection, f"k{memory.place}") if memory is rewritten else (memory.id,)
        db.execute(action.encode(), named)
    kept = stored(db)
    # It was made of what is no more: what is due now is made anew, and only that.
    assert db.execute(
        "select count(*) from mnemo.pending_hypervector p where p.id = any (%s)",
        ([rewritten.id, forgotten.id],),
    ).fetchone() == (0,)
    db.execute("call mnemo.consolidate()")
    after = stored(db)
    for memory in (rewritten, changed):
        assert after[memory.id][:3] == (*kept[memory.id][:2], "warm")
        assert kept[memory.id][1] == "w"
    assert after[pinned.id][:3] == (*kept[pinned.id][:2], "hot")
    for memory in others:
        assert db.execute(f"select {made}".encode(), (str(memory.id),)).fetchone() == (after[memory.id][0],)
    # Only the pinned one has not moved; it keeps what was made of it for a day.
    assert db.execute("select id from mnemo.pending_hypervector").fetchall() == [(pinned.id,)]
    db.execute("select set_config('mnemo.clock', '2030-06-02T00:00:01Z', false)")
    while db.execute("select mnemo.prune_step()").fetchone() != (0,):
        pass
    assert db.execute("select from mnemo.pending_hypervector").rowcount == 0


def test_preparing_waits_for_nobody_and_leaves_nothing_of_the_forgotten(dsn: str, db: Connection) -> None:
    """Whoever forgets while memories are prepared waits for it, and leaves nothing behind."""
    told = [memory for memory in tell(db, 30, seed=5) if is_encoded_anew(memory)]
    stage: LiteralString = (
        "select mnemo.stage_hypervectors(array_agg(s.id), array_agg(s.segment), array_agg(s.place),"
        " array_agg(s.writer), array_agg(mnemo.random_hypervector('n')::varbit))"
        " from mnemo.surroundings(%s::uuid[]) s"
    )
    first, second = told[:2]
    with sessions(dsn) as (one, other):
        other.run("select set_config('mnemo.tenant', %s, false)", first.tenant)
        assert one.run(stage, [first.id]) == 1
        forgetting = other.start("select mnemo.forget(%s)", first.id)
        assert not forgetting.done()
        one.commit()
        assert forgetting.result() is True
        # Both at once now the other way round: the one being forgotten is passed over.
        assert one.run(stage, [first.id, second.id]) == 1
        one.commit()
        other.commit()
    assert db.execute("select id from mnemo.pending_hypervector").fetchall() == [(second.id,)]


def test_refusals(db: Connection) -> None:
    with pytest.raises(psycopg.Error, match="1023 bits") as refused:
        db.execute(
            "select mnemo.stage_hypervectors(array[gen_random_uuid()], '{0}', '{\"(0,1)\"}', '{1}',"
            " array[%s::varbit])",
            ("0" * 1_023,),
        )
    assert refused.value.sqlstate == "MN001"
