"""The composite encoder at work: how fast it is, and what the sketch index loses of what it makes."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import Memory, Mnemo
from engine.database.parameters import PackedBits
from engine.demo.docstrings import docstrings
from engine.encoders import Batch, Composite, CompositeEncoder, Encoding, Statistics, Words
from engine.encoders.roles import role_values
from engine.encoders.weights import WHOLE
from engine.hypervector import Hypervectors, quantise
from tests.benchmarks.conversations import SEED, Conversations, named, questions
from tests.benchmarks.data import shortened, synsets
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Connection, Stage, only
from tests.benchmarks.timing import timed

_BATCH = 1_000
_DIMENSION = 384
_LONG = 50
_FLOOR = 0.99
_SEARCH = (
    "select s.distance from mnemo.search(%(hdv)s, 10, %(collection)s, %(context)s, exact => %(exact)s) s"
)


async def composites(stage: Stage, options: Options) -> list[Row]:
    """Measure encoding in Python and in SQL and, where the data is, recall through the sketch index."""
    dsn = stage.database()
    how = Encoding.of(only(stage.connect(dsn), "select mnemo.encoding()"))
    rows = [encoding(how, options), await _in_sql(stage, dsn, options)]
    if options.data is not None:
        rows += await _conversations(stage, how, options.data, options)
        rows += await _synsets(stage, how, options.data, options)
    return rows


def encoding(how: Encoding, options: Options) -> Row:
    """Encode texts with ready embeddings, float32, in batches; each follows two others of its session."""
    rows = options.scaled(10_000, 200)
    if options.data is None:
        texts = [text.partition("\n")[0] for _, text in docstrings()][:rows]
        embeddings = np.random.default_rng(1).standard_normal((len(texts), _DIMENSION), np.float32)
    else:
        texts, embeddings = synsets(options.data, rows)
    encoder = CompositeEncoder(how, SEED, BITS)
    seconds = []
    known: Counter[str] = Counter()
    for start in range(0, len(texts), _BATCH):
        began = time.perf_counter()
        some = texts[max(0, start - len(how.before)) : start + _BATCH]
        words = [Words.of(text) for text in some]
        quantised = list(quantise(embeddings[max(0, start - len(how.before)) : start + _BATCH]))
        known.update(term for text in words for term in text.terms)
        first = min(start, len(how.before))
        wanted = [
            Composite(
                [(at, WHOLE), *((at - d, share) for d, share in enumerate(how.before, 1) if at >= d)],
                role_values(how.roles, some[at], {}, None),
            )
            for at in range(first, len(some))
        ]
        encoder.encode(Batch(words, quantised, wanted, Statistics(start + len(some), known)))
        seconds.append(time.perf_counter() - began)
    rate = len(texts) / sum(seconds)
    last = len(texts[-_BATCH:]) / statistics.median(seconds[1:] or seconds)
    return Row(
        "composites from text and embedding",
        rate,
        "/s",
        f"{len(texts):,} of {len(' '.join(texts).split()) / len(texts):.0f} words, two before each,"
        f" in batches of {_BATCH}; the median batch {last:,.0f}/s; all processors",
        3_000,
    )


async def _in_sql(stage: Stage, dsn: str, options: Options) -> Row:
    """Encode texts of 50 words in SQL, in a collection that knows their words."""
    texts = [text for _, text in docstrings() if len(text.split()) >= _LONG][: options.scaled(500, 20)]
    texts = [" ".join(text.split()[:_LONG]) for text in texts]
    async with Mnemo.open(dsn) as mnemo:
        await mnemo.remember_many([Memory(text) for text in texts])
    connection = stage.connect(dsn)
    connection.execute("vacuum analyze")
    seconds = [
        timed(lambda: connection.execute("select mnemo.encode_text(%s)", (text,), prepare=True))  # noqa: B023
        for text in texts[:100]
    ]
    warm = seconds[10:]
    return Row(
        "mnemo.encode_text of 50 words",
        statistics.median(warm) * 1000,
        "ms",
        f"p50 of {len(warm)} after 10; p95 {np.percentile(warm, 95) * 1000:.1f} ms",
        20,
        at_least=False,
    )


async def _conversations(stage: Stage, how: Encoding, folder: Path, options: Options) -> list[Row]:
    """Store locomo6 and ask within each conversation, and over all of them."""
    data = Conversations(folder, 1 if options.quick else None)
    dsn = stage.database()
    stored = [
        Memory(
            text,
            context=context,
            session=session,
            embedding=embedding,
            attributes={"speaker": speaker},
        )
        for text, context, (_, session), embedding, speaker in zip(
            data.texts, data.contexts, data.sessions, data.embeddings, data.speakers, strict=True
        )
    ]
    async with Mnemo.open(dsn) as mnemo:
        await mnemo.create_collection("talk", dimension=data.embeddings.shape[1])
        await mnemo.remember_many(stored, collection="talk")
    asked = questions(data, CompositeEncoder(how, SEED, BITS), data.statistics())
    connection = stage.connect(dsn)
    connection.execute("vacuum analyze")
    contexts = [question.context for question in data.questions]
    about = f"{len(asked)} questions of locomo6, {len(stored):,} turns"
    return [
        _kept(connection, "talk", asked, contexts, f"{about}, each in its conversation"),
        _kept(connection, "talk", asked, None, f"{about}, over all conversations"),
    ]


async def _synsets(stage: Stage, how: Encoding, folder: Path, options: Options) -> list[Row]:
    """Store WordNet, and ask by part of a text, and by embeddings of synsets that are not stored."""
    texts, embeddings = synsets(folder, options.rows)
    sample = options.scaled(500, 20)
    held = sorted(random.Random(3).sample(range(len(texts)), sample))
    kept = sorted(set(range(len(texts))) - set(held))
    dsn = stage.database()
    async with Mnemo.open(dsn) as mnemo:
        await mnemo.create_collection("synsets", dimension=embeddings.shape[1])
        stored = [Memory(texts[place], embedding=embeddings[place]) for place in kept]
        await mnemo.remember_many(stored, collection="synsets", bulk=True)
    connection = stage.connect(dsn)
    connection.execute("vacuum analyze")
    counts = Counter(term for place in kept for term in Words.of(texts[place]).terms)
    known = Statistics(len(kept), counts)
    speakers = {
        value for place in kept for value in role_values(how.roles, texts[place], {}, None).get("speaker", [])
    }
    encoder = CompositeEncoder(how, SEED, BITS)
    words = shortened([texts[place] for place in random.Random(4).sample(kept, sample)])
    by_words = [encoder.encode_query(Words.of(text), known, roles=named(text, speakers)) for text in words]
    by_meaning = [
        encoder.encode_query(Words.of(""), known, embedding=quantise(embeddings[place])) for place in held
    ]
    about = f"among {len(kept):,} synsets"
    return [
        _kept(
            connection,
            "synsets",
            np.stack(by_words),
            None,
            f"{sample} texts without 30 % of their words {about}",
        ),
        _kept(connection, "synsets", np.stack(by_meaning), None, f"{sample} embeddings of others {about}"),
    ]


def _kept(
    connection: Connection, collection: str, asked: Hypervectors, contexts: Sequence[str] | None, about: str
) -> Row:
    """Ask at default settings through the index and by comparing all; what is as near counts as found."""
    within = [None] * len(asked) if contexts is None else contexts
    found, truth = (
        [
            _ask(connection, collection, query, context, exact)
            for query, context in zip(asked, within, strict=True)
        ]
        for exact in (False, True)
    )
    recall = float(np.mean([_share(mine, all_) for mine, all_ in zip(found, truth, strict=True)]))
    where = "in a context" if contexts else "over a collection"
    return Row(f"recall@10 of the sketch index {where}", round(recall, 4), "", about, _FLOOR)


def _ask(
    connection: Connection, collection: str, query: NDArray[np.uint8], context: str | None, exact: bool
) -> list[int]:
    given = {"hdv": PackedBits.of(query), "collection": collection, "context": context, "exact": exact}
    return [row[0] for row in connection.execute(_SEARCH, given, prepare=True, binary=True).fetchall()]


def _share(distances: Sequence[int], truth: Sequence[int]) -> float:
    return sum(distance <= truth[-1] for distance in distances) / len(truth)
