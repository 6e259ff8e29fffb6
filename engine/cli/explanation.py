"""Why hits were found, in lines that people read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Console

from engine.cli.output import as_line, print_recall, shown
from engine.memory import Hit, MemoryId, Recall
from engine.recall.explaining import Reason

# Of the reasons in a memory itself, and in each of those around it, the first few that count.
_OWN, _AROUND = 6, 3
_LEAST_SHARE = 0.02
# What would print as 0.000.
_LEAST_TERM = 0.0005
# Below it, a sum of reasons is nothing that chance could not do: 4 standard deviations of a cosine.
_LEAST_COSINE = 0.03


def print_explained(console: Console, recall: Recall, reasons: Mapping[MemoryId, Sequence[Reason]]) -> None:
    """Print hits, and for each what it and the question have in common and what its score is made of."""
    print_recall(console, recall)
    for place, hit in enumerate(recall, 1):
        console.print(f"\n{place}. {as_line(hit.key or shown(hit))[:60]}", highlight=False, markup=False)
        for line in reason_lines(hit, reasons[hit.memory_id]):
            console.print(f"   {line}", highlight=False, markup=False, soft_wrap=True)


def reason_lines(hit: Hit, reasons: Sequence[Reason]) -> list[str]:
    """Return why a hit was found, its notes, and what its score is made of, a line each."""
    sums = {reason.part: reason for reason in reasons if reason.similarity is not None}
    estimated = sums.get("estimated")
    lines = [f"note: {reason.name}" for reason in reasons if reason.part == "note"]
    if estimated is not None:
        lines.insert(0, _common(reasons, estimated.cosine or 0))
    lines.append(_score(hit, estimated))
    return lines


def _common(reasons: Sequence[Reason], cosine: float) -> str:
    if cosine < _LEAST_COSINE:
        return "hardly anything in common"
    members: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for reason in reasons:
        if reason.member is not None:
            # A word counts with its beginning and its characters.
            members[reason.member][as_line(reason.name or reason.part)] += reason.share or 0
    parts = []
    for member in sorted(members, key=lambda member: (abs(member), member)):
        shares = sorted(members[member].items(), key=lambda item: (-item[1], item[0]))
        told = [(name, share) for name, share in shares if abs(share) >= _LEAST_SHARE]
        if told:
            listed = ", ".join(f"{name} {share:.0%}" for name, share in told[: _AROUND if member else _OWN])
            parts.append(f"{_place(member)}{listed}")
    return "; ".join(parts)


def _place(member: int) -> str:
    if member == 0:
        return ""
    return f"{abs(member)} {'before' if member < 0 else 'after'}: "


def _score(hit: Hit, estimated: Reason | None) -> str:
    line = f"similarity {hit.similarity:.3f}"
    if estimated is not None:
        line += f", {estimated.similarity:.3f} by these"
    terms = {name: term for name, term in (hit.score_terms or {}).items() if name != "similarity"}
    added = sorted(terms.items(), key=lambda item: -abs(item[1]))
    added = [(name, term) for name, term in added if abs(term) >= _LEAST_TERM]
    if added:
        line += f"; score {hit.score:.3f}: " + ", ".join(f"{name} {term:+.3f}" for name, term in added)
    return line
