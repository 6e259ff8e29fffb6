"""Known items: a docstring with 30 % of its words removed should find itself first."""

from engine import Memory, Mnemo
from tests.benchmarks.data import known_items
from tests.benchmarks.options import Options
from tests.benchmarks.report import Row
from tests.benchmarks.stage import BITS, Stage


async def known(stage: Stage, options: Options) -> list[Row]:
    """Store the demo's corpus and ask for a sample of it."""
    texts, hdvs, chosen, asked = known_items(BITS, 300 if options.quick else None, options.scaled(1_000, 20))
    async with Mnemo.open(stage.database()) as mnemo:
        stored = [Memory(text, hdv=hdv) for text, hdv in zip(texts, hdvs, strict=True)]
        ids = await mnemo.remember_many(stored, bulk=True)
        first = 0
        for place, query in zip(chosen, asked, strict=True):
            hits = await mnemo.search(query, k=1)
            first += hits[0].memory_id == ids[place]
    return [
        Row(
            "known items found first",
            100 * first / len(chosen),
            "%",
            f"{len(chosen)} of {len(texts)} docstrings, 30 % of their words removed",
            95,
        )
    ]
