"""What an evaluation found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.evaluation.bootstrap import CONFIDENCE, Interval, Unit
from engine.evaluation.metrics import NDCG_DEPTH

METRICS = ("recall", "ndcg", "reciprocal_rank", "hit")
ALL = "all"


def titles(k: int) -> dict[str, str]:
    """Return what people call the metrics."""
    return {
        "recall": f"recall@{k}",
        "ndcg": f"nDCG@{NDCG_DEPTH}",
        "reciprocal_rank": "MRR",
        "hit": f"hit@{k}",
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One method over one group of questions; `scores` by metric. `unit`: what the bootstrap drew."""

    group: str
    method: str
    questions: int
    scores: Mapping[str, Interval]
    unit: Unit
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A method less a peer, question by question, by metric."""

    method: str
    peer: str
    scores: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of group 'all' come first. `ignored_keys`, `left_out`: what could not be asked."""

    collection: str
    memories: int
    k: int
    by: str
    seed: int
    resamples: int
    language: str | None
    contexts: int
    ignored_keys: int
    left_out: int
    rows: Sequence[Row]
    differences: Sequence[Difference]

    def group(self, name: str) -> list[Row]:
        """Return the rows of one group, a row for each method."""
        return [row for row in self.rows if row.group == name]

    @property
    def groups(self) -> list[str]:
        """The groups in order, 'all' first."""
        return list(dict.fromkeys(row.group for row in self.rows))

    def as_json(self) -> dict[str, Any]:
        """Return it all as one JSON object."""
        return {
            "collection": self.collection,
            "memories": self.memories,
            "questions": self.rows[0].questions,
            "contexts": self.contexts,
            "k": self.k,
            "by": self.by,
            "language": self.language,
            "ignored_keys": self.ignored_keys,
            "questions_left_out": self.left_out,
            "bootstrap": {
                "confidence": CONFIDENCE,
                "resamples": self.resamples,
                "seed": self.seed,
                "drawn": self.rows[0].unit,
            },
            "rows": [
                {
                    "group": row.group,
                    "method": row.method,
                    "questions": row.questions,
                    "drawn": row.unit,
                    **_intervals(row.scores),
                    "p50_ms": round(row.p50_ms, 3),
                }
                for row in self.rows
            ],
            "differences": [
                {"method": one.method, "peer": one.peer, **_intervals(one.scores)} for one in self.differences
            ],
        }


def _intervals(scores: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: [round(value, 4) for value in scores[name]] for name in METRICS}
