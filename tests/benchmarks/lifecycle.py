"""A simulated month of 100,000 memories: what each tier holds, how often hot answers, what moves."""

import itertools
import time

import numpy as np

from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage
from tests.lifecycle.month import Month, Told, live
from tests.lifecycle.world import World
from tests.support.memories import Vectors


def month(stage: Stage, options: Options) -> list[Row]:
    """Live through a month in the database and in the model; say whether they are one."""
    shape = Month(
        memories=options.scaled(100_000, 1_200),
        days=options.scaled(30, 2),
        hours=options.scaled(6, 12),
        recalls=options.scaled(600, 20),
        hits=10,
        half_life_days=12,
        first_tier="warm",
    )
    world = World(stage.connect(stage.database(), timezone="UTC"), seed=1)
    told = Told()
    began = time.perf_counter()
    for day, told in enumerate(live(world, shape, _vectors(shape.memories), bulk=True), 1):
        print(f"day {day}: {told.sizes[-1]}, hot answers {told.hit_rate:.3f}", flush=True)
    seconds = time.perf_counter() - began
    wrong = len(world.differing()) + len(set(world.moves()) ^ set(world.model.moves))
    updates, heap_only = _use(world, shape)
    moves = sum(told.moves.values())
    sizes = ", ".join(f"{rows:,} {tier}" for tier, rows in told.sizes[-1].items())
    return [
        Row(
            f"a month of {shape.memories:,} memories: accesses that meet the hot tier",
            100 * told.hit_rate,
            "%",
            f"{told.accesses:,} accesses by a Zipf law, at most {shape.hot_rows:,} hot; at the end {sizes}",
        ),
        Row(
            "a month: moves",
            moves,
            "",
            f"{_shown(told)}; a consolidation each {shape.hours} h, all of it in {seconds:.0f} s",
        ),
        Row(
            "a month: memories and moves as a plain model of the rules has them",
            100 * (1 - wrong / (shape.memories + moves)),
            "%",
            f"{wrong} differ in tier, strength, accesses, times or deadlines, memory by memory",
            100,
        ),
        Row(
            "after a month: heap-only updates of activity by the accesses of an hour",
            100 * heap_only / updates,
            "%",
            f"{updates:,} memories used, counted in one transaction; moves and new deadlines are not in it",
            95,
        ),
    ]


def _use(world: World, shape: Month) -> tuple[int, int]:
    """Count accesses by the same law once more; return the updates that took, and how many were heap-only."""
    known = sorted(world.model.memories)
    world.rng.shuffle(known)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(known))))
    world.recalled([
        list(dict.fromkeys(world.rng.choices(known, cum_weights=weights, k=shape.hits)))
        for _ in range(shape.recalls // shape.hours)
    ])  # fmt: skip
    before = world.updates()
    world.do("select mnemo.fold_accesses()")
    after = world.updates()
    return after[0] - before[0], after[1] - before[1]


def _vectors(count: int) -> list[Vectors]:
    return list(np.random.default_rng(0).integers(0, 256, (count, BITS // 8), np.uint8))


def _shown(told: Told) -> str:
    return "; ".join(f"{count:,} {move}" for move, count in sorted(told.moves.items()))
