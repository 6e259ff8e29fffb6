"""Known items: a text found again by part of its words, and by what means about the same."""

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import Memory, Mnemo
from engine.encoders import Batch, Composite, CompositeEncoder, Encoding, LexicalEncoder, Statistics, Words
from engine.encoders.roles import role_values
from engine.encoders.text import spaced
from engine.encoders.weights import WHOLE, idf
from engine.hypervector import Hypervectors, project, quantise
from tests.benchmarks.conversations import SEED, hamming, named
from tests.benchmarks.data import known_items, synsets
from tests.benchmarks.flat import nearest
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage, only

_FEWEST_WORDS = 6
_DEPTH = 10
_RANKED = 50
# Of a thousand questions, two deviations of a share near 0.97.
_NOISE = 0.01


async def known(stage: Stage, options: Options) -> list[Row]:
    """Ask for docstrings through the database, and for synsets of WordNet in this process, where they are."""
    rows = [await _docstrings(stage, options, encoder) for encoder in ("composite", "lexical")]
    if options.data is None:
        return rows
    connection = stage.connect(stage.database())
    how = Encoding.of(only(connection, "select mnemo.encoding()"))
    coverage = float(only(connection, "select mnemo.ranking()")["coverage"])
    return rows + wordnet(options.data, how, coverage, options.rows, options.scaled(1_000, 20))


async def _docstrings(stage: Stage, options: Options, encoder: str) -> Row:
    """Store the demo's corpus and ask for a sample of it by 70 % of the words."""
    texts, chosen, asked = known_items(300 if options.quick else None, options.scaled(1_000, 20))
    async with Mnemo.open(stage.database()) as mnemo:
        await mnemo.create_collection("known", encoder=encoder)
        ids = await mnemo.remember_many([Memory(text) for text in texts], collection="known", bulk=True)
        first = 0
        for place, query in zip(chosen, asked, strict=True):
            hits = (await mnemo.search(query, k=1, collection="known")).hits
            first += hits[0].memory_id == ids[place]
    return Row(
        f"known items found first, {encoder}",
        100 * first / len(chosen),
        "%",
        f"{len(chosen)} of {len(texts)} docstrings, 30 % of their words removed; through mnemo.search",
        95,
    )


@dataclass(frozen=True)
class _Store:
    """Synsets, stored and held back: hypervectors as composites, of words alone, of embeddings alone."""

    composite: Hypervectors
    lexical: Hypervectors
    projected: Hypervectors
    speakers: set[str]


def wordnet(folder: Path, how: Encoding, coverage: float, rows: int | None, sample: int) -> list[Row]:
    """Find synsets by half of a gloss's words, and by the embeddings of others of about the same meaning."""
    texts, embeddings = synsets(folder, rows)
    held = sorted(random.Random(3).sample(range(len(texts)), sample))
    kept = np.setdiff1d(np.arange(len(texts)), held)
    words = [Words.of(texts[place]) for place in kept]
    statistics = Statistics(len(words), Counter(term for text in words for term in text.terms))
    # A synset stands before a colon, as a speaker does, and counts as one.
    roles = [role_values(how.roles, texts[place], {}, None) for place in kept]
    wanted = [Composite([(at, WHOLE)], values) for at, values in enumerate(roles)]
    encoder = CompositeEncoder(how, SEED, BITS)
    store = _Store(
        encoder.encode(Batch(words, list(quantise(embeddings[kept])), wanted, statistics)),
        LexicalEncoder(BITS).encode([texts[place] for place in kept]),
        project(embeddings[kept], SEED, BITS),
        {value for values in roles for value in values.get("speaker", [])},
    )
    return _by_words(
        [texts[place] for place in kept], encoder, statistics, store, coverage, sample
    ) + _by_meaning(embeddings[held], embeddings[kept], encoder, statistics, store)


def _by_words(
    texts: list[str],
    encoder: CompositeEncoder,
    statistics: Statistics,
    store: _Store,
    coverage: float,
    sample: int,
) -> list[Row]:
    """Ask by half of the words of a gloss, without an embedding."""
    glosses = [text.partition(": ")[2].split() for text in texts]
    dice = random.Random(13)
    long = [at for at, gloss in enumerate(glosses) if len(gloss) >= _FEWEST_WORDS]
    chosen = np.array(dice.sample(long, min(sample, len(long))))
    asked = []
    for at in chosen:
        left = sorted(dice.sample(range(len(glosses[at])), len(glosses[at]) // 2))
        asked.append(" ".join(glosses[at][place] for place in left))
    queries = np.stack(
        [
            encoder.encode_query(Words.of(text), statistics, roles=named(text, store.speakers))
            for text in asked
        ]
    )
    ranked = nearest(store.composite, queries, _RANKED)
    found = {
        "composite": ranked,
        "composite, second stage": np.stack(
            [
                _covering(
                    texts,
                    statistics,
                    coverage,
                    text,
                    places,
                    hamming(query[None], store.composite[places])[0],
                )
                for text, query, places in zip(asked, queries, ranked, strict=True)
            ]
        ),
        "lexical": nearest(store.lexical, LexicalEncoder(BITS).encode(asked), _RANKED),
    }
    own = chosen[:, None]
    within = {name: float((places[:, :_DEPTH] == own).any(axis=1).mean()) for name, places in found.items()}
    return [
        Row(
            f"synset by half of its gloss, {name}",
            round(within[name], 4),
            "",
            f"recall@10 of {len(chosen)} among {len(texts):,}; first {(places[:, 0] == chosen).mean():.3f};"
            " asked without embeddings",
            None if name == "lexical" else within["lexical"] - _NOISE,
        )
        for name, places in found.items()
    ]


def _covering(
    texts: list[str],
    statistics: Statistics,
    weight: float,
    asked: str,
    places: NDArray[np.int64],
    distances: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Rank by similarity and by the share of the question's words held: the second stage without sessions."""
    terms = Words.of(asked).terms
    telling = idf(statistics.memories, np.array([statistics.counts.get(term, 0) for term in terms], np.int64))
    held = np.array([[f" {term} " in spaced(texts[place]) for term in terms] for place in places])
    score = 1 - distances / BITS + weight * (held @ telling) / telling.sum()
    ranked: NDArray[np.int64] = places[np.argsort(-score, kind="stable")]
    return ranked


def _by_meaning(
    asked: NDArray[np.float32],
    kept: NDArray[np.float32],
    encoder: CompositeEncoder,
    statistics: Statistics,
    store: _Store,
) -> list[Row]:
    """Ask by the embeddings of synsets that are not stored; the truth is the exact cosine."""
    cosine = asked @ kept.T
    truth = np.argsort(-cosine, axis=1, kind="stable")[:, :_DEPTH]
    composite = np.stack(
        [encoder.encode_query(Words.of(""), statistics, embedding=quantise(each)) for each in asked]
    )
    ranked = nearest(store.composite, composite, _RANKED)
    again = np.take_along_axis(
        ranked, np.argsort(-np.take_along_axis(cosine, ranked, axis=1), axis=1, kind="stable"), axis=1
    )
    projected = nearest(store.projected, project(asked, SEED, BITS), _DEPTH)
    figures = f"{len(asked)} synsets held back, asked by their embeddings among {len(kept):,}"
    rows = []
    for name, places, target in (
        ("composite", ranked[:, :_DEPTH], True),
        (f"composite, {_RANKED} ranked by embedding", again[:, :_DEPTH], False),
        ("projection", projected, False),
    ):
        overlap = np.mean([np.isin(mine, best).mean() for mine, best in zip(places, truth, strict=True)])
        nearest_one = float((places == truth[:, :1]).any(axis=1).mean())
        alone = float((projected == truth[:, :1]).any(axis=1).mean())
        rows += [
            Row(
                f"nearest in meaning among 10, {name}",
                round(nearest_one, 4),
                "",
                figures,
                alone - _NOISE if target else None,
            ),
            Row(f"10 nearest in meaning among 10, {name}", round(float(overlap), 4), "", figures),
        ]
    return rows
