"""What a run measures."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.schema.parameters import DEFAULT_SKETCH_BITS

SECTIONS = (
    "bulk",
    "index",
    "exact",
    "curves",
    "search",
    "filters",
    "insert",
    "statistics",
    "algebra",
    "known",
    "ingest",
    "events",
    "moves",
    "month",
    "copies",
    "quotas",
    "tenancy",
    "vault",
    "archive",
    "sketches",
    "readcurve",
    "composite",
    "evidence",
    "ablation",
    "crossvalidate",
)


@dataclass(frozen=True)
class Options:
    """The command line; `quick` makes everything small, to see that it runs."""

    data: Path | None = None
    rows: int | None = None
    only: tuple[str, ...] = SECTIONS
    sketch_bits: int = DEFAULT_SKETCH_BITS
    output: Path = Path("bench-results")
    rounds: int = 3
    queries: int = 500
    quick: bool = False

    def scaled(self, full: int, quick: int) -> int:
        """Return the number for a full or a quick run."""
        return quick if self.quick else full


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with wordnet_50k and locomo6, texts and embeddings")
    parser.add_argument("--rows", type=int, help="rows to store; all there are by default")
    parser.add_argument("--only", help=f"sections, with commas: {', '.join(SECTIONS)}")
    parser.add_argument("--sketch-bits", type=int, default=DEFAULT_SKETCH_BITS, help="width of the sketch")
    parser.add_argument("--rounds", type=int, default=3, help="how often each build and load is repeated")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="small: shows that everything runs")
    given = parser.parse_args(arguments)
    only = tuple(given.only.split(",")) if given.only else SECTIONS
    unknown = set(only) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return Options(
        data=given.data,
        rows=given.rows or (600 if given.quick else None),
        only=only,
        sketch_bits=given.sketch_bits,
        output=given.output,
        rounds=1 if given.quick else given.rounds,
        queries=20 if given.quick else 500,
        quick=given.quick,
    )
