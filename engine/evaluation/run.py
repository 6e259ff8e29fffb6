"""The work of an evaluation: ask every question in every way, and compare."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from engine.config import Settings
from engine.errors import InvalidArgument
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.corpus import Corpus, Task
from engine.evaluation.metrics import NDCG_DEPTH, Scores, score
from engine.evaluation.peers import Bm25, Cosine, Places, fuse
from engine.evaluation.questions import Question
from engine.evaluation.rankings import answer, rehearsal
from engine.evaluation.report import ALL, METRICS, Difference, Report, Row
from engine.evaluation.words import language_of, library, stemmed, words
from engine.mnemo import Mnemo

Method = Literal["recall", "search", "cosine", "bm25", "bm25-stemmed", "rrf"]
METHODS: tuple[Method, ...] = get_args(Method)
_OURS: tuple[Literal["recall", "search"], ...] = ("recall", "search")
_NO_GROUP = "(none)"

Peer = Callable[[Task], Places]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `methods` None: all that can be measured; a method named that cannot be is an error.

    `limit`: so many questions, drawn by `seed`. `missing`: what to do about keys that no memory has.
    `language`: of the stemmed BM25, 'auto' to guess it, 'none' to leave it out.
    """

    collection: str = "memories"
    k: int = 10
    methods: tuple[Method, ...] | None = None
    exact: bool = False
    by: Literal["category", "context"] = "category"
    limit: int | None = None
    missing: Literal["stop", "ignore"] = "stop"
    language: str = "auto"
    seed: int = 0
    resamples: int = 2000


class Reporter(Protocol):
    """Told how the work goes on."""

    def phase(self, phase: str, done: int, total: int | None) -> None:
        """A phase begins, so many of its questions done already."""

    def advance(self, records: int) -> None:
        """So many more questions are done."""

    def note(self, message: str) -> None:
        """What is left out, and why."""


@dataclass(frozen=True, slots=True)
class _Asked:
    scores: list[Scores]
    latencies_ms: list[float]


async def evaluate(
    mnemo: Mnemo,
    settings: Settings,
    questions: Sequence[Question],
    plan: Plan,
    reporter: Reporter,
    embeddings: Mapping[str, NDArray[np.float32]] | None = None,
) -> Report:
    """Ask every question in every way. Nothing is written: no answer counts as an access.

    `embeddings`, float32[d] by key, stand in for the int8 ones that the collection keeps.

    Raises:
        UnknownCollection: there is none of that name.
        InvalidArgument, InvalidEmbedding: this cannot be measured; names the line where there is one.
        MnemoError: an optional package is missing.
    """
    if not 1 <= plan.k <= settings.search.max_k:
        raise InvalidArgument(f"k must be between 1 and {settings.search.max_k}, not {plan.k}")
    corpus = await Corpus.read(mnemo, plan.collection, embeddings or {})
    drawn = _drawn(questions, plan)
    tasks, ignored = await corpus.tasks(drawn, plan.missing)
    methods, peers, language = _chosen(corpus, tasks, plan, reporter)
    depth = max(plan.k, NDCG_DEPTH)
    asked = {method: _Asked([], []) for method in methods}
    reporter.phase("asking", 0, len(tasks))
    unreachable: set[str] = set()
    async with rehearsal(mnemo, settings) as quiet:
        for task in tasks:
            for method in methods:
                if method in _OURS:
                    found = await answer(quiet, method, task.question, plan.collection, depth, plan.exact)
                    ranking, took_ms = [hit.memory_id for hit in found], found.latency_ms
                    unreachable.update(found.unreachable)
                else:
                    started = time.perf_counter()
                    places = peers[method](task)[:depth]
                    took_ms = (time.perf_counter() - started) * 1000
                    ranking = [corpus.ids[place] for place in places]
                asked[method].scores.append(score(ranking, task.answers, plan.k))
                asked[method].latencies_ms.append(took_ms)
            reporter.advance(1)
    for tier in sorted(unreachable):
        reporter.note(f"{tier} could not be read: memories there were not found")
    await asyncio.sleep(0)
    bootstrap = Bootstrap([task.question.context for task in tasks], seed=plan.seed, resamples=plan.resamples)
    return Report(
        collection=plan.collection,
        memories=len(corpus.ids),
        k=plan.k,
        by=plan.by,
        seed=plan.seed,
        resamples=plan.resamples,
        language=language,
        contexts=len({task.question.context for task in tasks}),
        ignored_keys=ignored,
        left_out=len(drawn) - len(tasks),
        rows=_rows(asked, tasks, plan, bootstrap),
        differences=_differences(asked, bootstrap),
    )


def _drawn(questions: Sequence[Question], plan: Plan) -> Sequence[Question]:
    if plan.limit is None or plan.limit >= len(questions):
        return questions
    places = random.Random(plan.seed).sample(range(len(questions)), plan.limit)
    return [questions[place] for place in sorted(places)]


def _chosen(
    corpus: Corpus, tasks: Sequence[Task], plan: Plan, reporter: Reporter
) -> tuple[list[Method], dict[str, Peer], str | None]:
    """Return the methods that can be measured, the peers among them, and the language of their stems."""
    wanted = METHODS if plan.methods is None else plan.methods
    peers: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    language = None

    if {"cosine", "rrf"} & set(wanted):
        if corpus.embeddings is None:
            absent["cosine"] = f"collection '{corpus.collection}' keeps no embeddings"
        elif any(task.question.embedding is None for task in tasks):
            absent["cosine"] = "not every question has an embedding"
        else:
            peers["cosine"] = _by_cosine(Cosine(corpus.embeddings))
    if {"bm25", "bm25-stemmed", "rrf"} & set(wanted):
        library()
        peers["bm25"] = _by_words(Bm25(corpus.contents, words))
        language = language_of(corpus.contents) if plan.language == "auto" else plan.language
        language = None if language == "none" else language
        if language is None:
            absent["bm25-stemmed"] = "no language is known whose words could be stemmed"
        else:
            peers["bm25-stemmed"] = _by_words(Bm25(corpus.contents, stemmed(language)))
    if "cosine" in peers and "bm25" in peers:
        peers["rrf"] = _by_fusion(peers["cosine"], peers.get("bm25-stemmed", peers["bm25"]))
    elif "cosine" in absent:
        absent["rrf"] = absent["cosine"]

    for method in wanted:
        if method in absent and plan.methods is not None:
            raise InvalidArgument(f"{method} cannot be measured: {absent[method]}")
        if method in absent:
            reporter.note(f"{method} is left out: {absent[method]}")
    return [method for method in wanted if method not in absent], peers, language


def _by_cosine(cosine: Cosine) -> Peer:
    def rank(task: Task) -> Places:
        assert task.question.embedding is not None
        return cosine.rank(task.question.embedding, task.candidates)

    return rank


def _by_words(bm25: Bm25) -> Peer:
    return lambda task: bm25.rank(task.question.text, task.candidates)


def _by_fusion(first: Peer, second: Peer) -> Peer:
    return lambda task: fuse([first(task), second(task)])


def _rows(
    asked: Mapping[Method, _Asked], tasks: Sequence[Task], plan: Plan, bootstrap: Bootstrap
) -> list[Row]:
    named = [getattr(task.question, plan.by) for task in tasks]
    groups = np.array([_NO_GROUP if name is None else name for name in named])
    chosen = {ALL: np.ones(len(tasks), np.bool_)}
    if any(name is not None for name in named):
        chosen |= {str(name): groups == name for name in sorted(set(groups), key=_natural)}
    return [
        Row(
            group=group,
            method=method,
            questions=int(which.sum()),
            scores={metric: bootstrap.interval(_values(of, metric), which) for metric in METRICS},
            unit=bootstrap.unit(which),
            p50_ms=float(np.median(np.array(of.latencies_ms)[which])),
        )
        for group, which in chosen.items()
        for method, of in asked.items()
    ]


def _differences(asked: Mapping[Method, _Asked], bootstrap: Bootstrap) -> list[Difference]:
    """Compare each of ours with the peer that finds most."""
    peers = [method for method in asked if method not in _OURS]
    if not peers:
        return []
    best = max(peers, key=lambda method: float(_values(asked[method], "recall").mean()))
    return [
        Difference(
            method,
            best,
            {
                metric: bootstrap.interval(_values(asked[method], metric) - _values(asked[best], metric))
                for metric in METRICS
            },
        )
        for method in asked
        if method in _OURS
    ]


def _values(asked: _Asked, metric: str) -> NDArray[np.float64]:
    return np.array([getattr(scores, metric) for scores in asked.scores], np.float64)


def _natural(name: str) -> tuple[bool, int, str]:
    return (not name.isdigit(), int(name) if name.isdecimal() else 0, name)
