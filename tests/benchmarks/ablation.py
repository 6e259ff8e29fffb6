"""What each part of a composite is worth: recall on locomo6 without it, with half and twice of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.composite import CompositeEncoder
from engine.encoders.weights import Encoding
from engine.evaluation.bootstrap import Bootstrap
from tests.benchmarks.conversations import (
    SEED,
    Conversations,
    encode,
    hamming,
    questions,
    ranks,
    recalls,
)
from tests.benchmarks.parts import Parts, Pieces
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS

WIDEST = 32_768
"""Encoded in so many components, every setting is drawn twice at the default width."""
_WIDTHS = (2_048, 4_096, 8_192, 16_384, 32_768)
_CANDIDATES = 100
_AT_ONCE = 4

Scores = NDArray[np.float64]
Change = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of the table: recall@10 of each question, at write and consolidated, float64[2, n]."""

    group: str
    name: str
    scores: Scores


def ablation(data: Conversations, how: Encoding, sketch_bits: int) -> tuple[list[Row], str]:
    """Measure every line; return rows and the table of docs/recall.md."""
    settings = [("", "as configured", how), *variations(how)]
    found = [np.zeros((2, len(data.questions))) for _ in settings]
    widths = {bits: np.zeros((2, len(data.questions))) for bits in _WIDTHS}
    statistics = data.statistics()
    for name in data.names:
        parts = Parts(data, name, statistics)
        for first in range(0, len(settings), _AT_ONCE):
            pieces = parts.measure([each[2] for each in settings[first : first + _AT_ONCE]], bits=WIDEST)
            for at, scores in enumerate(recall(data, pieces, BITS)):
                found[first + at][:, pieces.questions] = scores
            if first == 0:
                for bits in _WIDTHS:
                    widths[bits][:, pieces.questions] = recall(data, pieces, bits)[0]
    lines = [Line(group, name, scores) for (group, name, _), scores in zip(settings, found, strict=True)]
    lines[1:1] = [Line("width", f"D = {bits:,}", scores) for bits, scores in widths.items()]
    lines += list(_sketch(data, how, sketch_bits))
    bootstrap = Bootstrap([question.context for question in data.questions])
    return _rows(lines, bootstrap), _table(lines, bootstrap)


def variations(how: Encoding) -> list[tuple[str, str, Encoding]]:
    """Return what is tried: (group, name, encoding)."""
    off: dict[str, Change] = {
        "embeddings": {"embedding": 0, "query_embedding": 0},
        "words": {"words": 0, "query_words": 0},
        "beginnings of words": {"prefix": 0},
        "threes of letters": {"gram": 0},
        "beginnings and threes": {"prefix": 0, "gram": 0},
        "neighbours before": {"before": ()},
        "neighbours after": {"after": ()},
        "neighbours": {"before": (), "after": ()},
        "speaker": {"roles": {}},
        "context sample": {"context_sample": 0},
        "speaker and context sample": {"roles": {}, "context_sample": 0},
        "rarity in memories": {"document_idf": 0},
        "rarity in questions": {"query_idf": 0},
        "rarity": {"document_idf": 0, "query_idf": 0},
    }
    doubled = {role: 2 * weight for role, weight in how.roles.items()}
    halved = {role: weight // 2 for role, weight in how.roles.items()}
    # Half of a weight of 1 is twice the weights beside it.
    beside = {"word": 2 * how.word, "prefix": 2 * how.prefix}
    scaled = {
        "words in memories": _scaled(how, "words"),
        "words in questions": _scaled(how, "query_words"),
        "beginnings of words": _scaled(how, "prefix"),
        "threes of letters": (beside, {"gram": 2 * how.gram}),
        "neighbours before": _shares(how, "before"),
        "neighbours after": _shares(how, "after"),
        "speaker in memories": ({"roles": halved, "query_roles": 2 * how.query_roles},
                                {"roles": doubled, "query_roles": how.query_roles // 2}),
        "speaker in questions": _scaled(how, "query_roles"),
        "saturation": _scaled(how, "saturation"),
        "context sample": _scaled(how, "context_sample"),
        "powers of rarity": ({"document_idf": how.document_idf // 2, "query_idf": how.query_idf // 2},
                             {"document_idf": 2 * how.document_idf, "query_idf": min(6, 2 * how.query_idf)}),
    }  # fmt: skip
    return [("without", name, _with(how, change)) for name, change in off.items()] + [
        (group, name, _with(how, change))
        for name, changes in scaled.items()
        for group, change in zip(("half", "double"), changes, strict=True)
    ]


def _scaled(how: Encoding, name: str) -> tuple[Change, Change]:
    return {name: getattr(how, name) // 2}, {name: 2 * getattr(how, name)}


def _shares(how: Encoding, side: str) -> tuple[Change, Change]:
    shares = getattr(how, side)
    return {side: tuple(share // 2 for share in shares)}, {side: tuple(2 * share for share in shares)}


def _with(how: Encoding, change: Mapping[str, Any]) -> Encoding:
    return replace(how, **change)


def recall(data: Conversations, pieces: Pieces, bits: int) -> Scores:
    """Return recall@10 float64[encodings, 2, questions] at a width, the mean over all draws."""
    draws = [_recall(data, pieces, distances) for distances in pieces.of(bits)]
    return np.asarray(np.mean(draws, axis=0), np.float64)


def _recall(data: Conversations, pieces: Pieces, distances: NDArray[np.int64]) -> Scores:
    turns = distances.shape[-1]
    # The place decides between equals, as in an order by distance, then arrival.
    ordered = distances * turns + np.arange(turns)
    nearest = np.argpartition(ordered, 9, axis=-1)[..., :10]
    scores = np.empty(distances.shape[:3])
    for at, question in enumerate(pieces.questions):
        answers = np.searchsorted(pieces.turns, data.questions[question].answers)
        scores[..., at] = np.isin(nearest[..., at, :], answers).sum(axis=-1) / len(answers)
    return scores


def _sketch(data: Conversations, how: Encoding, sketch_bits: int) -> Iterator[Line]:
    """Yield recall through candidates by sketch beside the exact one, in a context and anywhere."""
    made = encode(data, how, bits=BITS)
    everything = np.arange(len(data.texts))
    anywhere = questions(
        data, CompositeEncoder(replace(how, context_sample=0), SEED, BITS), data.statistics()
    )
    for name, asked, within in (
        ("in the conversation", made.questions, None),
        ("in all conversations", anywhere, everything),
    ):
        exact, sketched = [], []
        for turns in (made.written, made.consolidated):
            exact.append(recalls(data, _ranked(data, turns, asked, within, 0)))
            sketched.append(recalls(data, _ranked(data, turns, asked, within, sketch_bits)))
        yield Line("exact", name, np.array(exact))
        yield Line("sketch", name, np.array(sketched))


def _ranked(
    data: Conversations,
    turns: NDArray[np.uint8],
    asked: NDArray[np.uint8],
    within: NDArray[np.intp] | None,
    sketch_bits: int,
) -> list[NDArray[np.intp]]:
    if within is None and not sketch_bits:
        return ranks(data, turns, asked)
    found = []
    for question, query in zip(data.questions, asked, strict=True):
        places = data.places[question.context] if within is None else within
        if sketch_bits:
            short = hamming(query[None, : sketch_bits // 8], turns[places, : sketch_bits // 8])[0]
            places = places[np.sort(np.argsort(short, kind="stable")[:_CANDIDATES])]
        found.append(places[np.argsort(hamming(query[None], turns[places])[0], kind="stable")[:10]])
    return found


def _rows(lines: Sequence[Line], bootstrap: Bootstrap) -> list[Row]:
    base = lines[0].scores
    rows = []
    for line in lines:
        written, consolidated = line.scores.mean(axis=1)
        low = [bootstrap.interval(line.scores[side] - base[side]) for side in (0, 1)]
        rows.append(
            Row(
                f"{line.group}: {line.name}" if line.group else line.name,
                round(float(written), 4),
                "at write",
                f"consolidated {consolidated:.4f}; against the default "
                + ", ".join(
                    f"{100 * each.mean:+.2f} [{100 * each.low:+.2f}, {100 * each.high:+.2f}]" for each in low
                ),
            )
        )
    return rows


def _table(lines: Sequence[Line], bootstrap: Bootstrap) -> str:
    """Return the tables of docs/recall.md: what is lost in points, with 95 % intervals."""
    base = lines[0].scores

    def gain(line: Line, side: int) -> str:
        points = bootstrap.interval(100 * (line.scores[side] - base[side]))
        return f"{points.mean:+.1f} ({points.low:+.1f} to {points.high:+.1f})"

    def recalls_of(line: Line) -> list[str]:
        return [f"{scores.mean():.3f}" for scores in line.scores]

    text = ["| without | at write | | consolidated | |", "| --- | --- | --- | --- | --- |"]
    for line in (line for line in lines if line.group in ("", "without")):
        written, consolidated = recalls_of(line)
        changes = ["", ""] if line is lines[0] else [gain(line, 0), gain(line, 1)]
        name = "nothing: the defaults" if line is lines[0] else line.name
        text.append(f"| {name} | {written} | {changes[0]} | {consolidated} | {changes[1]} |")
    text += ["", "| weight | halved, at write | consolidated | doubled, at write | consolidated |"]
    text.append("| --- | --- | --- | --- | --- |")
    halves = {line.name: line for line in lines if line.group == "half"}
    for line in (line for line in lines if line.group == "double"):
        cells = [gain(each, side) for each in (halves[line.name], line) for side in (0, 1)]
        text.append(f"| {' | '.join([line.name, *cells])} |")
    text += ["", "| | at write | consolidated |", "| --- | --- | --- |"]
    for line in (line for line in lines if line.group in ("width", "exact", "sketch")):
        name = line.name if line.group == "width" else f"{line.group}, {line.name}"
        text.append(f"| {' | '.join([name, *recalls_of(line)])} |")
    return "\n".join(text) + "\n"
