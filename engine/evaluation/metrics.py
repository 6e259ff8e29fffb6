"""What a ranked answer is worth, given the memories that answer the question. All between 0 and 1."""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

NDCG_DEPTH = 10


class Scores(NamedTuple):
    """The worth of one answer."""

    recall: float
    ndcg: float
    reciprocal_rank: float
    hit: float


def score(ranking: Sequence[UUID], answers: Collection[UUID], k: int) -> Scores:
    """Return the worth of a ranking, best first, in which no memory comes twice; `answers` is not empty.

    Recall and hit look at the first k, nDCG at the first 10, the reciprocal rank at all that is given.
    """
    ranks = [rank for rank, found in enumerate(ranking, 1) if found in answers]
    within = sum(rank <= k for rank in ranks)
    gained = sum(_gain(rank) for rank in ranks if rank <= NDCG_DEPTH)
    possible = sum(_gain(rank) for rank in range(1, min(len(answers), NDCG_DEPTH) + 1))
    return Scores(
        recall=within / len(answers),
        ndcg=gained / possible,
        reciprocal_rank=1 / ranks[0] if ranks else 0.0,
        hit=float(within > 0),
    )


def _gain(rank: int) -> float:
    # Järvelin and Kekäläinen (2002), with an answer worth 1.
    return 1 / math.log2(rank + 1)
