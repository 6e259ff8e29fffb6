"""What the archive finds by how much it keeps and reads: bits of a sketch, candidates, requests, gaps."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.archive.format import BLOCK_ROWS, ORDER_BITS, order_rows
from engine.archive.planning import Candidate, deviation, plan_reads
from engine.config import Settings
from engine.encoders import Batch, Composite, CompositeEncoder, Encoding, Statistics, Words
from engine.encoders.roles import role_values
from engine.encoders.weights import WHOLE
from engine.hypervector import Hypervectors, quantise
from engine.schema.parameters import ARCHIVE_BITS
from tests.benchmarks.archiving import grown
from tests.benchmarks.conversations import SEED, named
from tests.benchmarks.data import Corpus, shortened, synsets
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage, only

_SKETCHES = (512, 768, 1_024, 1_536)
_CANDIDATES = (40, 100, 200)
_READS = (6, 10, 12)
_GAP, _NARROW = 16, 4
_K = 10
_BATCH = 1_000
_SEGMENT = 1_000_001

_Found = list[list[Candidate]]
"""Of each query the candidates."""


@dataclass(frozen=True, order=True)
class _Plan:
    """One point of the curve; `gap` is in blocks."""

    bits: int
    candidates: int
    reads: int
    gap: int


async def readcurve(stage: Stage, corpus: Corpus, options: Options) -> list[Row]:
    """Measure every plan on the corpus of the archive section and, where the data is, some on composites."""
    settings = Settings().archive
    chosen = _Plan(ARCHIVE_BITS, settings.candidates, settings.reads, settings.gap_blocks)
    narrow = _Plan(chosen.bits, chosen.candidates, chosen.reads, _NARROW)
    grid = {_Plan(b, c, r, _GAP) for b in _SKETCHES for c in _CANDIDATES for r in _READS}
    stored, note = grown(corpus, options.scaled(100_000, 600))
    asked = {"held back": corpus.queries[: options.scaled(200, 10)]}
    name = "words" if corpus.embeddings is None else "embeddings"
    rows = _Field(name, stored, asked, note).rows(grid | {chosen, narrow}, chosen)
    if options.data is not None:
        how = Encoding.of(only(stage.connect(stage.database()), "select mnemo.encoding()"))
        few = {_Plan(b, chosen.candidates, chosen.reads, chosen.gap) for b in _SKETCHES}
        field = _Field("composites", *_composites(how, options), "synsets")
        rows += field.rows(few | {chosen, narrow}, chosen)
    return rows


class _Field:
    """Rows as a segment holds them, queries of some kinds, and the true neighbours of each."""

    def __init__(
        self, name: str, stored: Hypervectors, queries: Mapping[str, Hypervectors], note: str
    ) -> None:
        """Order the rows, uint8[n, D/8], and find which are no farther than the tenth from each query."""
        order = order_rows(np.ascontiguousarray(stored[:, : ORDER_BITS // 8]))
        self._name, self._note = name, note
        self._stored = np.ascontiguousarray(stored[order])
        self._kinds = {kind: len(each) for kind, each in queries.items()}
        self._queries = np.concatenate(list(queries.values()))
        self._near = list(self._neighbours())

    def rows(self, plans: Iterable[_Plan], chosen: _Plan) -> list[Row]:
        """Measure plans, in order."""
        ordered = sorted(plans)
        most = max(plan.candidates for plan in ordered)
        found = {bits: self._by_sketch(bits, most) for bits in {plan.bits for plan in ordered}}
        return [self._row(plan, found[plan.bits], plan == chosen) for plan in ordered]

    def _row(self, plan: _Plan, found: _Found, chosen: bool) -> Row:
        recalls, requests, megabytes = (np.array(each) for each in zip(*self._ask(plan, found), strict=True))
        figures = f"{requests.mean():.1f} requests for hypervectors, {megabytes.mean():.1f} MB"
        if len(self._kinds) > 1:
            parts = np.split(recalls, np.cumsum(list(self._kinds.values()))[:-1])
            named = zip(self._kinds, parts, strict=True)
            figures += "; " + ", ".join(f"{kind} {part.mean():.3f}" for kind, part in named)
        if chosen:
            asked = ", ".join(f"{count} {kind}" for kind, count in self._kinds.items())
            figures += (
                f"; {len(self._stored):,} rows, {self._note}; queries: {asked};"
                " sketches compared by a scan, their index left out"
            )
        return Row(
            f"recall@{_K} by sketches of {plan.bits:,} bits, {self._name}: {plan.candidates} candidates,"
            f" {plan.reads} reads, gap {plan.gap}{' (chosen)' if chosen else ''}",
            round(float(recalls.mean()), 4),
            "",
            figures,
        )

    def _ask(self, plan: _Plan, found: _Found) -> Iterator[tuple[float, int, float]]:
        """Yield recall against an exact scan, requests and megabytes of each query."""
        for candidates, near in zip(found, self._near, strict=True):
            ranges = plan_reads(
                candidates[: plan.candidates],
                {_SEGMENT: BLOCK_ROWS},
                k=_K,
                spread=deviation(BITS, plan.bits),
                gap=plan.gap,
                reads=plan.reads,
            )
            # Every row read is compared exactly, so what is found is what of the nearest lies in the ranges.
            hits, rows = 0, 0
            for one in ranges:
                first, stop = one.first * BLOCK_ROWS, min((one.last + 1) * BLOCK_ROWS, len(self._stored))
                hits += int(np.count_nonzero((near >= first) & (near < stop)))
                rows += stop - first
            yield min(hits, _K) / _K, len(ranges), rows * BITS / 8e6

    def _neighbours(self) -> Iterator[NDArray[np.int64]]:
        flat = faiss.IndexBinaryFlat(BITS)
        flat.add(self._stored)
        tenth = flat.search(self._queries, _K)[0][:, -1]
        for query, bound in zip(self._queries, tenth.tolist(), strict=True):
            # Those nearer than the radius; ties with the tenth count as found.
            yield flat.range_search(query[None, :], bound + 1)[2]

    def _by_sketch(self, bits: int, most: int) -> _Found:
        """Return what the sketch of each query finds, nearest first, with the database's estimates."""
        flat = faiss.IndexBinaryFlat(bits)
        flat.add(np.ascontiguousarray(self._stored[:, : bits // 8]))
        asked = np.ascontiguousarray(self._queries[:, : bits // 8])
        distances, places = flat.search(asked, min(most, len(self._stored)))
        return [
            [Candidate(_SEGMENT, row, round(d * BITS / bits)) for row, d in zip(*found, strict=True)]
            for found in zip(places.tolist(), distances.tolist(), strict=True)
        ]


def _composites(how: Encoding, options: Options) -> tuple[Hypervectors, dict[str, Hypervectors]]:
    """Return synsets, and queries: 70 % of the words of some, and embeddings of others, not stored."""
    assert options.data is not None
    texts, embeddings = synsets(options.data, options.scaled(50_000, 600))
    dice = np.random.default_rng(3)
    sample = options.scaled(100, 5)
    shuffled = dice.permutation(len(texts))
    held, kept = shuffled[:sample], shuffled[sample:]
    words = [Words.of(texts[place]) for place in kept]
    known = Statistics(len(kept), Counter(term for each in words for term in each.terms))
    roles = [role_values(how.roles, texts[place], {}, None) for place in kept]
    speakers = {value for each in roles for value in each.get("speaker", [])}
    encoder = CompositeEncoder(how, SEED, BITS)
    stored = []
    for start in range(0, len(kept), _BATCH):
        part = slice(start, start + _BATCH)
        wanted = [Composite([(at, WHOLE)], values) for at, values in enumerate(roles[part])]
        batch = Batch(words[part], list(quantise(embeddings[kept[part]])), wanted, known)
        stored.append(encoder.encode(batch))
    by_words = [
        encoder.encode_query(Words.of(text), known, roles=named(text, speakers))
        for text in shortened([texts[place] for place in dice.choice(kept, sample, replace=False)])
    ]
    by_meaning = [
        encoder.encode_query(Words.of(""), known, embedding=vector) for vector in quantise(embeddings[held])
    ]
    return np.concatenate(stored), {"by words": np.stack(by_words), "by meaning": np.stack(by_meaning)}
