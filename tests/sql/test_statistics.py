"""M3: what is known of words equals a count of what is stored, whatever was written or forgotten."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.encoders.text import fold, tokens
from tests.conftest import Connection
from tests.support.memories import Draft, remember_all, stage

Terms = Counter[tuple[str, str]]
NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
WORDS = ["the", "a", "café", "Straße", "東京都", "река", "👍", "don't", "7", "naïve", "HDV", "海"]
HDV = np.zeros(128, np.uint8)
SPEAKERS = ("Ann", "Bob Lee", "Zoë", None)


@dataclass
class Stored:
    """What a memory is: the statistics follow from it."""

    content: str
    attributes: dict[str, Any] = field(default_factory=dict)
    moment: datetime = NOW


def terms_of(memory: Stored) -> set[tuple[str, str]]:
    """Return (role, term): the different words, and the values of speaker, topic and occurred_at."""
    words, pairs = tokens(memory.content)
    found = {("", word) for word in (*words, *pairs)}
    speaker = memory.attributes.get("speaker")
    if speaker is None and ": " in memory.content:
        speaker = memory.content.split(":")[0]
    topics = memory.attributes.get("topic", [])
    given = [("speaker", speaker)] if speaker else []
    given += [("topic", topic) for topic in (topics if isinstance(topics, list) else [topics])]
    found |= {(role, fold(str(value)[:200])) for role, value in given}
    return found | {("occurred_at", memory.moment.strftime(f)) for f in ("%Y", "%Y %m", "%Y %m %d")}


def expected(memories: dict[str, Stored]) -> tuple[int, int, Terms]:
    """Return memories, words and in how many memories each term is, of a model of what is stored."""
    words = sum(sum(count.total() for count in tokens(memory.content)) for memory in memories.values())
    return len(memories), words, Counter(term for m in memories.values() for term in terms_of(m))


_TOTAL = """
    select coalesce(sum(memories), 0)::int, coalesce(sum(words), 0)::int
    from (select tenant, collection, memories, words from mnemo.corpus
          union all select tenant, collection, memories, words from mnemo.term_log) x
    where tenant = %s and collection = %s"""
_TERMS = """
    select role, term, sum(n)::int
    from (select tenant, collection, role, term, memories as n from mnemo.term
          union all select tenant, collection, u.role, u.term, u.n
          from mnemo.term_log, unnest(roles, terms, counts) as u (role, term, n)) x
    where tenant = %s and collection = %s group by role, term having sum(n) <> 0"""


def counted(connection: Connection, collection: str, tenant: str = "default") -> tuple[int, int, Terms]:
    """Return the same as the database knows it: what is added up and what is pending."""
    total = connection.execute(_TOTAL, [tenant, collection]).fetchone()
    rows = connection.execute(_TERMS, [tenant, collection]).fetchall()
    assert total is not None
    return total[0], total[1], Counter({(role, term): n for role, term, n in rows})


class World:
    """Random operations on a database, and on a model of it."""

    def __init__(self, connection: Connection, dice: random.Random) -> None:
        self.connection = connection
        self.dice = dice
        self.memories: dict[str, Stored] = {}
        self.made = 0

    def memory(self) -> Stored:
        speaker = self.dice.choice(SPEAKERS)
        attributes: dict[str, Any] = {"speaker": speaker} if speaker and self.dice.random() < 0.5 else {}
        if self.dice.random() < 0.3:
            attributes["topic"] = self.dice.choice(["Tea", ["tea", 7, True, "x" * 300], []])
        content = " ".join(self.dice.choices(WORDS, k=self.dice.randint(1, 9)))
        return Stored((f"{self.dice.choice(SPEAKERS[:3])}: " if not attributes else "") + content, attributes)

    def key(self, known: float = 0.4) -> str:
        if self.memories and self.dice.random() < known:
            return self.dice.choice(sorted(self.memories))
        self.made += 1
        return f"k{self.made}"

    def remember(self) -> None:
        key, memory = self.key(), self.memory()
        self.connection.execute(
            "select mnemo.remember(%s, %s::varbit, attributes => %s::jsonb, key => %s, collection => 'c')",
            [memory.content, "1" * 1024, json.dumps(memory.attributes), key],
        )
        self.memories[key] = memory

    def drafts(self, count: int) -> list[Draft]:
        """Make a batch in which keys come twice and again; its model is stored at once."""
        made = []
        for _ in range(count):
            key, memory = self.key(0.5), self.memory()
            self.memories[key] = memory
            made.append(
                Draft(
                    memory.content, None, attributes=memory.attributes, key=key, collection="c", tier="warm"
                )
            )
        return made

    def batch(self) -> None:
        remember_all(self.connection, self.drafts(self.dice.randint(1, 30)))

    def undone(self) -> None:
        before = dict(self.memories)
        with self.connection.transaction(force_rollback=True):
            remember_all(self.connection, self.drafts(10))
            self.forget()
        self.memories = before

    def attributes(self) -> None:
        if self.memories:
            key = self.dice.choice(sorted(self.memories))
            changed = self.memory().attributes
            self.connection.execute(
                "select mnemo.set_attributes(id, %s::jsonb) from mnemo.memories"
                " where collection = 'c' and key = %s",
                [json.dumps(changed), key],
            )
            self.memories[key] = Stored(self.memories[key].content, changed)

    def forget(self) -> None:
        keys = self.dice.sample(sorted(self.memories), min(len(self.memories), self.dice.randint(0, 4)))
        self.connection.execute(
            "select mnemo.forget_many(array(select id from mnemo.memories"
            " where collection = 'c' and key = any (%s)))",
            [keys],
        )
        for key in keys:
            del self.memories[key]

    def expire(self) -> None:
        self.connection.execute(
            "update mnemo.activity set expires_at = mnemo.now() where collection = 'c' and id in"
            " (select id from mnemo.activity where collection = 'c' order by id limit 2)"
        )
        self.connection.execute("select mnemo.expire_step()")
        left = self.connection.execute("select key from mnemo.memory where collection = 'c'").fetchall()
        self.memories = {key: self.memories[key] for (key,) in left}

    def fold(self) -> None:
        self.connection.execute("select mnemo.fold_terms_step()")

    def recount(self) -> None:
        row = self.connection.execute("select mnemo.recount_terms('c')").fetchone()
        assert row == (len(self.memories),)


@pytest.mark.parametrize("seed", range(2))
def test_m3_statistics_are_a_count_of_what_is_stored(small: Connection, seed: int) -> None:
    small.execute("select set_config('mnemo.clock', %s, false)", [NOW.isoformat()])
    small.execute(
        "select mnemo.create_collection('c', encoding =>"
        ' \'{"roles": {"speaker": 128, "topic": 9, "occurred_at": 7}}\')'
    )
    world = World(small, random.Random(seed))
    # The load writes keys again that a portion before it wrote, into a table that is not in place yet.
    with small.transaction():
        into = small.execute("select mnemo.begin_bulk_load('warm')::text").fetchone()
        for _ in range(2):
            stage(small, world.drafts(40))
            small.execute("select mnemo.remember_staged(%s::regclass)", into)
        small.execute("select mnemo.finish_bulk_load('warm')")
    assert counted(small, "c") == expected(world.memories)
    steps = [
        world.remember, world.remember, world.batch, world.undone, world.attributes, world.forget,
        world.expire, world.fold, world.recount,
    ]  # fmt: skip
    for _ in range(60):
        world.dice.choice(steps)()
        assert counted(small, "c") == expected(world.memories)
    small.execute("select mnemo.forget_many(array(select id from mnemo.memories))")
    small.execute("select mnemo.fold_terms_step()")
    # Nothing is left of what was forgotten.
    left = small.execute("select (select count(*) from mnemo.term), (select count(*) from mnemo.term_log)")
    assert left.fetchone() == (0, 0)
    assert counted(small, "c") == (0, 0, Counter())


def test_m3_tenants_and_collections_are_apart(small: Connection) -> None:
    small.execute("select mnemo.create_collection('other')")
    small.execute("select mnemo.create_collection('plain', encoder => 'lexical')")
    for tenant, collection, text in (
        ("a", "memories", "tea"),
        ("b", "memories", "coffee"),
        ("a", "other", "milk"),
        ("a", "plain", "salt"),
    ):
        small.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
        small.execute("select mnemo.remember(%s, collection => %s)", [text, collection])
    small.execute("select mnemo.fold_terms('a', 'memories')")
    for _ in range(2):
        assert counted(small, "memories", "a") == (1, 1, Counter({("", "tea"): 1}))
        assert counted(small, "memories", "b") == (1, 1, Counter({("", "coffee"): 1}))
        assert counted(small, "other", "a") == (1, 1, Counter({("", "milk"): 1}))
        assert counted(small, "plain", "a") == (0, 0, Counter())
        small.execute("select set_config('mnemo.tenant', 'a', false)")
        row = small.execute("select * from mnemo.term_counts('memories', '{tea,coffee,milk}')").fetchone()
        assert row == (1, 1, [1, 0, 0])
        small.execute("select mnemo.recount_terms('memories'), mnemo.decay_terms('other', 0)")
        assert counted(small, "other", "a") == (0, 0, Counter())
        small.execute("select mnemo.recount_terms('other')")


@pytest.mark.parametrize("length", [3, 4_000])
def test_m3_counts_are_asked_in_any_number_pending_or_not(small: Connection, length: int) -> None:
    texts = [" ".join(f"w{(n * k) % length}" for k in range(1, 30)) for n in range(40)]
    remember_all(small, [Draft(text, HDV) for text in texts[:20]])
    small.execute("select mnemo.fold_terms_step()")
    remember_all(small, [Draft(text, HDV) for text in texts[20:]])
    held = Counter(word for text in texts for word in set(text.split()))
    asked = [f"w{n}" for n in range(length)] + ["w0", "never"]
    row = small.execute("select * from mnemo.term_counts('memories', %s)", [asked]).fetchone()
    assert row == (40, 40 * 29, [held[word] for word in asked])


def test_m3_decay_keeps_what_is_common_and_recounting_undoes_it(small: Connection) -> None:
    contents = ["common"] * 8 + ["rare common"]
    remember_all(small, [Draft(content, HDV, key=f"k{n}") for n, content in enumerate(contents)])
    assert small.execute("select mnemo.decay_terms(factor => 0.5)").fetchone() == (1,)
    assert counted(small, "memories") == (4, 5, Counter({("", "common"): 4}))
    # Forgotten after a decay: nothing falls below nothing, and no word is kept.
    small.execute("select mnemo.forget_many(array(select id from mnemo.memories where key < 'k7'))")
    small.execute("select mnemo.fold_terms_step()")
    assert counted(small, "memories") == (0, 0, Counter())
    small.execute("select mnemo.recount_terms()")
    assert counted(small, "memories") == (2, 3, Counter({("", "common"): 2, ("", "rare"): 1}))


def test_m3_the_view_says_what_is_known(small: Connection) -> None:
    contents = ["tea tea milk", "tea", "Ann: tea"]
    remember_all(small, [Draft(content, HDV) for content in contents])
    small.execute("select mnemo.fold_terms_step()")
    small.execute("select mnemo.remember('water')")
    row = small.execute("select * from mnemo.corpus_stats").fetchone()
    assert row == ("default", "memories", 4, 7, 1.75, 3, 1, 1, ["tea", "ann", "milk"])


def test_m3_a_context_is_looked_at_no_further_than_its_sample(small: Connection) -> None:
    small.execute(
        "insert into mnemo.memory (occurred_at, created_at, segment, bucket, id, tenant, collection, context,"
        " content, hdv) select now(), now(), 0, mnemo.bucket_of(id), id, 'default', 'memories', 'c',"
        " 'word' || n, mnemo.random_hypervector('x')"
        " from (select n, mnemo.new_id((n % 1024)::smallint) as id from generate_series(1, 600) n) x"
    )
    try:
        small.execute(
            "select pg_stat_force_next_flush(),"
            " pg_stat_reset_single_table_counters('mnemo.memory_hot'::regclass)"
        )
        row = small.execute(
            "select * from mnemo.context_counts('memories', 'c', '{word}', '{w}', 100)"
        ).fetchone()
        assert row == (100, [0])
        small.execute("select pg_stat_force_next_flush()")
        read = small.execute(
            "select seq_scan, idx_tup_fetch from pg_stat_all_tables where relname = 'memory_hot'"
        ).fetchone()
        assert read == (0, 100)
    finally:
        small.execute("truncate mnemo.memory")
