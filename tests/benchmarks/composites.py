"""The composite encoder at work: how fast it is, and what the sketch index loses of what it makes."""

import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from tests.benchmarks.stage import BITS, Connection, Stage, only, set_to
from tests.benchmarks.timing import timed

_BATCH = 1_000
_DIMENSION = 384
_LONG = 50
_LOSS = 0.01
_EFFORTS = (200, 400)
_SEARCH = (
    "select s.key, s.distance"
    " from mnemo.search(%(hdv)s, 10, %(collection)s, %(context)s, exact => %(exact)s) s"
)
_QUESTION = (
    "select s.key, s.distance from mnemo.search_text(%(text)s, 10, 'composite', %(context)s,"
    " exact => %(exact)s, embedding => %(embedding)s::real[], hdv => %(hdv)s) s"
)

Found = list[tuple[str, int]]
Said = tuple[str | None, list[float] | None]
"""A question's text and embedding."""


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
    stored = [
        Memory(
            data.texts[place],
            key=str(place),
            context=data.contexts[place],
            session=data.sessions[place][1],
            embedding=data.embeddings[place],
            attributes={"speaker": data.speakers[place]},
        )
        for place in range(len(data.texts))
    ]
    index = await _Index.of(stage, stored, data.embeddings.shape[1])
    asked = questions(data, CompositeEncoder(how, SEED, BITS), data.statistics())
    answers = [{str(place) for place in question.answers} for question in data.questions]
    contexts = [question.context for question in data.questions]
    none: list[str | None] = [None] * len(asked)
    said: list[Said] = [(question.text, None) for question in data.questions]
    about = f"{len(asked)} questions of locomo6, {len(stored):,} turns"
    return [
        *index.compare("in a conversation", asked, answers, contexts, about),
        *index.compare("over all conversations", asked, answers, none, about),
        index.questions("in a conversation", asked, said, answers, contexts),
        index.questions("over all conversations", asked, said, answers, none),
    ]


async def _synsets(stage: Stage, how: Encoding, folder: Path, options: Options) -> list[Row]:
    """Store WordNet, and ask by part of a text, and by embeddings of synsets that are not stored."""
    texts, embeddings = synsets(folder, options.rows)
    sample = options.scaled(500, 20)
    held = sorted(random.Random(3).sample(range(len(texts)), sample))
    kept = sorted(set(range(len(texts))) - set(held))
    stored = [Memory(texts[place], key=str(place), embedding=embeddings[place]) for place in kept]
    index = await _Index.of(stage, stored, embeddings.shape[1])
    known = Statistics(len(kept), Counter(term for place in kept for term in Words.of(texts[place]).terms))
    values = (role_values(how.roles, texts[place], {}, None) for place in kept)
    speakers = {value for each in values for value in each.get("speaker", [])}
    encoder = CompositeEncoder(how, SEED, BITS)
    chosen = random.Random(4).sample(kept, sample)
    by_words = [
        encoder.encode_query(Words.of(text), known, roles=named(text, speakers))
        for text in shortened([texts[place] for place in chosen])
    ]
    by_meaning = [
        encoder.encode_query(Words.of(""), known, embedding=quantise(embeddings[place])) for place in held
    ]
    nearest = np.argmax(embeddings[held] @ embeddings[kept].T, axis=1)
    none: list[str | None] = [None] * sample
    about = f"{sample} questions, {len(kept):,} synsets"
    words: list[Said] = [(text, None) for text in shortened([texts[place] for place in chosen])]
    meant: list[Said] = [(None, embeddings[place].tolist()) for place in held]
    own, near = [{str(place)} for place in chosen], [{str(kept[at])} for at in nearest]
    return [
        *index.compare("by 70 % of the words", np.stack(by_words), own, none, about),
        *index.compare("by what means about the same", np.stack(by_meaning), near, none, about),
        index.questions("by 70 % of the words", np.stack(by_words), words, own, none),
        index.questions("by what means about the same", np.stack(by_meaning), meant, near, none),
    ]


@dataclass(frozen=True)
class _Index:
    """A stored collection, to be asked through its sketch index and without."""

    connection: Connection

    @classmethod
    async def of(cls, stage: Stage, memories: Sequence[Memory], dimension: int) -> "_Index":
        """Store memories in a database of their own."""
        dsn = stage.database()
        async with Mnemo.open(dsn) as mnemo:
            await mnemo.create_collection("composite", dimension=dimension)
            await mnemo.remember_many(memories, collection="composite", bulk=True)
        connection = stage.connect(dsn)
        connection.execute("vacuum analyze")
        return cls(connection)

    def compare(
        self,
        name: str,
        asked: Hypervectors,
        answers: Sequence[set[str]],
        contexts: Sequence[str | None],
        about: str,
    ) -> list[Row]:
        """Ask at default settings and with more candidates; what is as near as the tenth counts as found."""
        truth = self._ask(asked, contexts, True)
        found = self._ask(asked, contexts, False)
        exact, sketched = (_recall(each, answers) for each in (truth, found))
        overlaps, recalls = [], []
        for effort in _EFFORTS:
            set_to(self.connection, "mnemo.ef_search", effort)
            wider = self._ask(asked, contexts, False)
            overlaps.append(f"{_overlap(wider, truth):.3f} with {effort} candidates")
            recalls.append(f"{_recall(wider, answers):.4f} with {effort} candidates")
        self.connection.execute("reset mnemo.ef_search")
        return [
            Row(
                f"recall lost by the sketch index, {name}",
                round(exact - sketched, 4),
                "",
                f"recall@10 {sketched:.4f}, {', '.join(recalls)}, exact {exact:.4f}; {about}",
                _LOSS,
                at_least=False,
            ),
            Row(
                f"the ten nearest found by it, {name}",
                round(_overlap(found, truth), 4),
                "",
                ", ".join(overlaps),
                1 - _LOSS,
            ),
        ]

    def questions(
        self,
        name: str,
        asked: Hypervectors,
        said: Sequence[Said],
        answers: Sequence[set[str]],
        contexts: Sequence[str | None],
    ) -> Row:
        """Ask as mnemo.recall_text does, second stage and all, through the index and without."""
        asking = list(zip(asked, said, contexts, strict=True))

        def recall(every: bool) -> float:
            return _recall(
                [self._say(hdv, *words, context, every) for hdv, words, context in asking], answers
            )

        exact, sketched = recall(True), recall(False)
        return Row(
            f"recall lost by the sketch index to questions, {name}",
            round(exact - sketched, 4),
            "",
            f"recall@10 {sketched:.4f}, exact {exact:.4f}; mnemo.search_text at default settings",
            _LOSS,
            at_least=False,
        )

    def _say(
        self,
        hdv: Hypervectors,
        text: str | None,
        embedding: list[float] | None,
        context: str | None,
        exact: bool,
    ) -> Found:
        said = {"text": text, "embedding": embedding, "hdv": PackedBits.of(hdv), "context": context}
        return self.connection.execute(
            _QUESTION, {**said, "exact": exact}, prepare=True, binary=True
        ).fetchall()

    def _ask(self, asked: Hypervectors, contexts: Sequence[str | None], exact: bool) -> list[Found]:
        given = {"collection": "composite", "exact": exact}
        return [
            self.connection.execute(
                _SEARCH, {**given, "hdv": PackedBits.of(query), "context": context}, prepare=True, binary=True
            ).fetchall()
            for query, context in zip(asked, contexts, strict=True)
        ]


def _recall(found: Sequence[Found], answers: Sequence[set[str]]) -> float:
    shares = [
        len({key for key, _ in hits} & wanted) / len(wanted)
        for hits, wanted in zip(found, answers, strict=True)
    ]
    return statistics.fmean(shares)


def _overlap(found: Sequence[Found], truth: Sequence[Found]) -> float:
    shares = [
        sum(distance <= best[-1][1] for _, distance in hits) / len(best)
        for hits, best in zip(found, truth, strict=True)
    ]
    return statistics.fmean(shares)
