"""Which blocks are read, and what stays in memory: against plain Python."""

from collections import OrderedDict
from itertools import pairwise
from uuid import uuid4

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.archive.cache import Cache
from engine.archive.fetching import Segment, _runs
from engine.archive.planning import BlockRange, Candidate, deviation, plan_reads
from engine.hypervector import random_hypervector

BLOCK_ROWS = {1: 8, 2: 32}

candidates = st.lists(
    st.builds(
        Candidate, segment=st.sampled_from([1, 2]), row=st.integers(0, 3000), distance=st.integers(0, 9000)
    ),
    max_size=60,
    unique_by=lambda one: (one.segment, one.row),
)


@given(candidates, st.integers(0, 8))
def test_without_a_limit_every_candidate_is_read_once(found: list[Candidate], gap: int) -> None:
    ranges = plan_reads(found, BLOCK_ROWS, k=10, spread=100, gap=gap, reads=None)
    for one in found:
        block = one.row // BLOCK_ROWS[one.segment]
        assert sum(r.segment == one.segment and r.first <= block <= r.last for r in ranges) == 1
    # Nothing is read for nobody, and nothing that could be one request is two.
    wanted = {(one.segment, one.row // BLOCK_ROWS[one.segment]) for one in found}
    for r in ranges:
        assert {(r.segment, r.first), (r.segment, r.last)} <= wanted
        inside = sorted(
            block for segment, block in wanted if segment == r.segment and r.first <= block <= r.last
        )
        assert all(b - a <= gap + 1 for a, b in pairwise(inside))
        assert not any(
            segment == r.segment and (0 < r.first - block <= gap + 1 or 0 < block - r.last <= gap + 1)
            for segment, block in wanted
        )


@given(candidates, st.integers(1, 6))
def test_the_most_promising_ranges_are_read_first(found: list[Candidate], reads: int) -> None:
    everything = plan_reads(found, BLOCK_ROWS, k=3, spread=200, gap=2, reads=None)
    chosen = plan_reads(found, BLOCK_ROWS, k=3, spread=200, gap=2, reads=reads)
    segments = len({one.segment for one in found})
    most = int(np.ceil(reads * np.sqrt(segments)))
    assert chosen == everything[:most]


def test_a_range_of_many_good_candidates_comes_before_one_of_a_single_best() -> None:
    crowd = [Candidate(1, row, 1000) for row in range(8)]
    alone = [Candidate(1, 800, 990), Candidate(1, 1600, 5000)]
    ranges = plan_reads([*alone, *crowd], BLOCK_ROWS, k=10, spread=200, gap=0, reads=2)
    assert ranges == [BlockRange(1, 0, 0), BlockRange(1, 100, 100)]


def test_the_deviation_is_that_of_sketches() -> None:
    bits, sketch_bits = 4096, 1024
    rows = np.stack([random_hypervector(f"{n}", bits) for n in range(1500)])
    query = random_hypervector("query", bits)
    true = np.bitwise_count(rows ^ query).sum(axis=1, dtype=np.int64)
    part = np.bitwise_count((rows ^ query)[:, : sketch_bits // 8]).sum(axis=1, dtype=np.int64)
    errors = part * (bits / sketch_bits) - true
    assert abs(errors.std() / deviation(bits, sketch_bits) - 1) < 0.1
    assert deviation(1024, 1024) == 0


@given(
    st.lists(st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 9), st.integers(0, 40))),
)
def test_the_cache_keeps_what_was_used_last(steps: list[tuple[str, int, int]]) -> None:
    cache = Cache(100)
    model: OrderedDict[int, int] = OrderedDict()
    for what, key, size in steps:
        match what:
            case "put":
                cache.put(key, f"{key} {size}", size)
                model.pop(key, None)
                model[key] = size
                while sum(model.values()) > 100:
                    model.popitem(last=False)
            case "get":
                expected = f"{key} {model[key]}" if key in model else None
                assert cache.get(key) == expected
                if key in model:
                    model.move_to_end(key)
            case _:
                cache.drop(key)
                model.pop(key, None)
        assert cache.held == sum(model.values()) <= 100


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = Cache(100)
    cache.put("small", 1, 60)
    cache.put("large", 2, 101)
    assert (cache.get("small"), cache.get("large")) == (1, None)


def test_row_groups_share_requests_where_they_lie_close_or_would_be_many() -> None:
    group = 100_000
    segment = Segment(
        1_000_001, uuid4(), 0, "", "", 0, 8, b"", 1024,
        [n * 3 * group for n in range(100)], [group] * 100, b"", b"",
    )  # fmt: skip
    assert _runs(segment, [], False) == []
    assert _runs(segment, [1, 2, 50], False) == [[1], [2], [50]]
    # Eight would be too many: the closest share one.
    many = _runs(segment, [0, 9, 10, 21, 32, 43, 54, 55], False)
    assert many == [[0], [9, 10], [21], [32], [43], [54, 55]]
    apart = Segment(
        1, uuid4(), 0, "", "", 0, 8, b"", 1024, [n * 5_000_000 for n in range(9)], [9] * 9, b"", b""
    )
    assert len(_runs(apart, list(range(9)), False)) == 9
    touching = Segment(
        1, uuid4(), 0, "", "", 0, 8, b"", 1024, [n * group for n in range(9)], [group] * 9, b"", b""
    )
    assert _runs(touching, [1, 2, 4], False) == [[1, 2], [4]]
