"""Why a memory is near to a question, and what a memory's hypervector says of its roles."""

import zlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from tests.conftest import Connection
from tests.support.memories import Draft, remember_all

# Of the oracle's own vectors; a cosine is then known to about 1 / 200.
WIDTH = 40_000
TALK = (
    "Ann: I painted the lake at sunrise",
    "Ben: what a lovely painting, the colours glow",
    "Ann: thank you! I sold it at the gallery in town",
    "Ben: the gallery near the lake?",
    "Ann: yes, they asked for three more paintings",
)
QUESTION = "Which paintings did Ann sell at the gallery?"
# All that the oracle says in numbers of its own, whatever the defaults are.
DEFINITION = {
    "embedding": 256, "words": 320, "query": {"embedding": 256, "words": 640, "roles": 352},
    "roles": {"speaker": 128, "topic": 96}, "before": [112, 80], "after": [48, 64],
    "word": 4, "prefix": 4, "prefix_length": 4, "gram": 1,
}  # fmt: skip
START = datetime(2024, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def value(connection: Connection, query: Any, *arguments: Any) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def drawn(symbol: str) -> NDArray[np.float64]:
    """A random vector of +1 and -1 for a symbol; nothing of how the database draws its own."""
    return np.random.default_rng(zlib.crc32(symbol.encode())).choice([-1.0, 1.0], WIDTH)


def summed(connection: Connection, words: Any, role: str, scale: float) -> NDArray[np.float64]:
    """The weighted sum of words, each (word, kind, weight), of one role."""
    total = np.zeros(WIDTH)
    for word, kind, weight in words:
        parts = connection.execute(
            "select p.symbol, p.weight from mnemo.collection c,"
            " mnemo.word_parts(%s, %s::\"char\", c.encoding) p where c.name = 'talk'",
            [word, kind],
        )
        for symbol, share in parts.fetchall():
            total += scale * weight * share * drawn(f"{role}/{symbol}")
    return total


def meant(embedding: NDArray[np.int8]) -> NDArray[np.float64]:
    """An embedding as a sum of random vectors, of the length 1,024."""
    scaled = 1024 / np.linalg.norm(embedding.astype(np.float64)) * embedding
    return np.stack([drawn(f"axis/{j}") for j in range(embedding.size)], axis=1) @ scaled


def quantised(embedding: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.asarray(np.rint(127 / np.abs(embedding).max() * embedding.astype(np.float64)), np.int8)


def talk(
    connection: Connection, context: str = "c", **definition: Any
) -> tuple[list[UUID], NDArray[np.float32]]:
    """Write the conversation as one batch, with embeddings of 12 dimensions and a topic each."""
    embeddings = np.random.default_rng(1).normal(size=(len(TALK), 12)).astype(np.float32)
    connection.execute(
        "select mnemo.create_collection('talk', 12, encoding => %s, keep_embedding => %s,"
        " bind_context => %s)",
        [Jsonb(DEFINITION),
         definition.get("keep_embedding", True), definition.get("bind_context", False)],
    )  # fmt: skip
    drafts = [
        Draft(text, None, quantised(embeddings[n]).tobytes(), context, "s", START + n * MINUTE,
              {"topic": ["art", "town"][n % 2]}, collection="talk")
        for n, text in enumerate(TALK)
    ]  # fmt: skip
    return remember_all(connection, drafts), embeddings


def explained(connection: Connection, memory: UUID, **given: Any) -> list[Any]:
    return connection.execute(
        "select * from mnemo.explain(%s, %s, embedding => %s::real[], roles => %s, context => %s)",
        [
            given.get("query", QUESTION),
            memory,
            given.get("embedding"),
            Jsonb(given.get("roles", {})),
            given.get("context", "c"),
        ],
    ).fetchall()


@pytest.mark.parametrize(("place", "consolidated"), [(0, False), (2, False), (2, True), (4, True)])
def test_x11_contributions_are_those_of_the_weighted_sum(
    connection: Connection, place: int, consolidated: bool
) -> None:
    ids, embeddings = talk(connection)
    if consolidated:
        connection.execute("update mnemo.memory set encoded = 'c' where id = %s", [ids[place]])
    asked = (embeddings[place] + np.random.default_rng(2).normal(size=12)).astype(np.float32)
    rows = explained(connection, ids[place], embedding=asked.tolist(), roles={"topic": "art"})

    words = "select t.word, t.kind::text, t.weight from mnemo.collection c, mnemo.{} t where c.name = 'talk'"
    question = {
        "words": summed(
            connection,
            connection.execute(words.format("query_words(%s, c, 'c')"), [QUESTION]).fetchall(),
            "",
            640,
        ),
        "meaning": 256 * meant(quantised(asked)),
        # The text names Ann; her role weighs 128, the topic 96, and 352 / 256 of that in a question.
        "role": summed(connection, [("ann", "w", 1024 / np.sqrt(16 + 3))], "speaker", 176)
        + summed(connection, [("art", "w", 1024 / np.sqrt(16 + 3))], "topic", 132),
    }
    shares = {0: 256, -1: 112, -2: 80} | ({1: 48, 2: 64} if consolidated else {})
    memory: dict[tuple[str, int], NDArray[np.float64]] = {}
    for member, share in shares.items():
        if 0 <= place + member < len(TALK):
            told = connection.execute(words.format("text_words(%s, c)"), [TALK[place + member]]).fetchall()
            memory["words", member] = summed(connection, told, "", 320 * share)
            memory["meaning", member] = 256 * share * meant(quantised(embeddings[place + member]))
    speaker, topic = TALK[place][:3].lower(), ["art", "town"][place % 2]
    length = 1024 / np.sqrt(16 + (16 if len(topic) >= 4 else 0) + len(topic))
    memory["role", 0] = summed(connection, [(speaker, "w", 1024 / np.sqrt(16 + 3))], "speaker", 128 * 256)
    memory["role", 0] = memory["role", 0] + summed(connection, [(topic, "w", length)], "topic", 96 * 256)

    whole = np.sum([*question.values()], axis=0), np.sum([*memory.values()], axis=0)
    size = float(np.linalg.norm(whole[0]) * np.linalg.norm(whole[1]))
    found: dict[tuple[str, int], float] = defaultdict(float)
    for part, member, _, cosine, _, _ in rows:
        if member is not None:
            found["words" if part in ("word", "prefix and characters") else part, member] += cosine
    for (part, member), held in memory.items():
        assert found.pop((part, member), 0) == pytest.approx(question[part] @ held / size, abs=0.02), (
            part,
            member,
        )
    assert not found
    measures = {
        part: (cosine, similarity) for part, _, _, cosine, _, similarity in rows if similarity is not None
    }
    expected = float(whole[0] @ whole[1]) / size
    assert measures["estimated"][0] == pytest.approx(expected, abs=0.02)
    assert measures["estimated"][1] == pytest.approx(1 - np.arccos(expected) / np.pi, abs=0.01)
    assert sum(row[4] for row in rows if row[1] is not None) == pytest.approx(1)
    names = {name for part, _, name, *_ in rows if part in ("word", "role")}
    assert names <= {
        "paintings",
        "ann",
        "gallery",
        "the",
        "at",
        "speaker=ann",
        "topic=art",
        "which",
        "did",
        "sell",
    }
    assert ("role", 0, "speaker=ann") in [row[:3] for row in rows]
    if not consolidated:
        # Encoded in the batch whose statistics are still those of now: only chance is between the two.
        stored, query = value(
            connection,
            "select m.hdv, mnemo.encode_query(%s, 'talk', 'c', %s::real[], '{\"topic\": \"art\"}')"
            " from mnemo.memory m where m.id = %s", QUESTION, asked.tolist(), ids[place],
        )  # fmt: skip
        same = sum(a == b for a, b in zip(stored, query, strict=True)) / 16_384
        assert measures["measured"][1] == pytest.approx(same)
        assert same == pytest.approx(measures["estimated"][1], abs=4.5 / (2 * 128))


def test_x11_a_word_that_is_not_there_explains_nothing(connection: Connection) -> None:
    ids, _ = talk(connection)
    rows = explained(connection, ids[3], query="zebra xylophone", context=None)
    assert {row[0] for row in rows} <= {"prefix and characters", "estimated", "measured"}
    assert rows[-2][5] == pytest.approx(0.5, abs=0.02)


def test_x11_what_cannot_be_said_is_said(connection: Connection) -> None:
    ids, embeddings = talk(connection, keep_embedding=False, bind_context=True)
    given = value(
        connection, "select mnemo.remember('Ann: hello', ~mnemo.random_hypervector('x'), context => 'c')"
    )
    connection.execute("select mnemo.create_collection('plain', encoder => 'lexical')")
    plain = value(connection, "select mnemo.remember('hello', collection => 'plain')")
    for memory, context, note in (
        (given, "c", "the hypervector was given with the memory"),
        (plain, "c", "encoder lexical: what the similarity is made of is told of composites only"),
        (ids[0], "else", "the memory is bound with another context than was asked in"),
    ):
        rows = explained(connection, memory, query="Ann: hello", context=context)
        assert [row[0] for row in rows] == ["measured", "note"]
        assert rows[1][2].startswith(note)
    rows = explained(connection, ids[0], embedding=embeddings[0].tolist())
    assert rows[-1][2] == "the collection keeps no embeddings: what meaning adds is not in the estimate"
    assert not [row for row in rows if row[0] == "meaning"]

    ask = "select mnemo.explain('x', %s, collection => %s)"
    for memory, collection, tenant in (
        (given, "talk", "default"),
        (UUID(int=1), None, "default"),
        (given, None, "else"),
        (None, None, "default"),
    ):
        connection.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
        for query, arguments in (
            (ask, [memory, collection]),
            ("select mnemo.probe(%s, 'speaker', k => %s)", [memory, 5]),
        ):
            if (memory, tenant) == (given, "default") and query != ask:
                continue
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(query.encode(), arguments)
            assert refused.value.sqlstate == "MN005"


def test_h4_a_probe_finds_who_spoke_among_fifty(connection: Connection) -> None:
    rng = np.random.default_rng(3)
    words = [
        "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 10))) for _ in range(1_000)
    ]
    names = [f"{a} {b}" for a, b in rng.choice(words, (50, 2))]
    spoken = [str(name) for name in rng.choice(names, 40)]
    drafts = [
        Draft(" ".join(rng.choice(words, rng.integers(5, 40))), None, context="c",
              occurred_at=START + n * MINUTE, attributes={"speaker": name.title()})
        for n, name in enumerate(spoken)
    ]  # fmt: skip
    ids = remember_all(connection, drafts)
    found = [
        value(connection, "select value, z from mnemo.probe(%s, 'speaker', k => 1)", memory) for memory in ids
    ]
    right = [best == name for (best, _), name in zip(found, spoken, strict=True)]
    assert sum(right) > 0.95 * len(ids)
    # A bound value stands far above chance; the best of 50 others does not.
    others = [name for name in names if name != spoken[0]]
    assert min(z for (_, z), fits in zip(found, right, strict=True) if fits) > 6
    values = connection.execute(
        "select * from mnemo.probe(%s, 'speaker', %s, 50)", [ids[0], [spoken[0], *others]]
    )
    best, *rest = values.fetchall()
    assert best[0] == spoken[0]
    assert [row[1] for row in rest] == sorted((row[1] for row in rest), reverse=True)
    assert all(z == pytest.approx((2 * s - 1) * 128) for _, s, z in rest)
    # The same by the item memory, where the user keeps values there.
    for name in {*names}:
        connection.execute("select mnemo.item(%s, mnemo.encode_value(%s))", [name, name])
    assert value(
        connection,
        "select c.name from mnemo.memory m,"
        " mnemo.cleanup(mnemo.unbind(m.hdv, mnemo.random_hypervector('role:speaker'))) c"
        " where m.id = %s", ids[0],
    ) == spoken[0]  # fmt: skip


def test_h4_what_a_probe_refuses(connection: Connection) -> None:
    ids, _ = talk(connection, bind_context=True)
    assert value(connection, "select value from mnemo.probe(%s, 'topic', k => 1)", ids[1]) == "town"
    assert (
        value(
            connection,
            "select value from mnemo.probe(%s, 'topic', array['Art', 'Music', null, '-'], 1)",
            ids[0],
        )
        == "Art"
    )
    for arguments, message in (
        ((ids[0], "mood", 5), "collection 'talk' has no role 'mood'"),
        ((ids[0], None, 5), "collection 'talk' has no role null"),
        ((ids[0], "topic", 0), "k must be between 1 and 1000, not 0"),
    ):
        with pytest.raises(psycopg.Error, match=message) as refused:
            connection.execute("select mnemo.probe(%s, %s, k => %s)", arguments)
        assert refused.value.sqlstate == "MN002"
