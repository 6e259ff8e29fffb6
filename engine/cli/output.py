"""What commands print: results on standard output, all else on standard error."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from engine.memory import Hit, Recall

_SHORTEST_KEY = 20
_SHORTEST_LAST = 24
_GAP = 2


def notify(message: str) -> None:
    """Say what happens, apart from the result."""
    click.echo(f"mnemo: {message}", err=True)


def print_json(value: Any) -> None:
    """Print one JSON value; times in ISO 8601, ids as text."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_line(text: str) -> str:
    """Return a text on one line, without characters that could drive a terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def print_table(console: Console, columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a column is a title and whether it holds numbers. Only the last is cut to the width."""
    cells = [[Text(cell) for cell in row] for row in rows]
    widths, left = [], console.width
    for place, (title, _) in enumerate(columns):
        width = max([len(title), *(row[place].cell_len for row in cells)])
        if place == len(columns) - 1:
            width = max(len(title), min(width, max(left, _SHORTEST_LAST)))
            for row in cells:
                row[place].truncate(width, overflow="ellipsis")
        left -= width + _GAP
        widths.append(width)
    # Not a rich.table.Table: where the terminal is narrow, that cuts every column.
    for row in [[Text(title, style="bold") for title, _ in columns], *cells]:
        for cell, width, (_, number) in zip(row, widths, columns, strict=True):
            cell.align("right" if number else "left", width)
        line = Text(" " * _GAP).join(row)
        line.rstrip()
        console.print(line, soft_wrap=True, highlight=False)


def print_recall(console: Console, recall: Recall) -> None:
    """Print hits and how they were found."""
    if recall.hits:
        print_hits(console, [(h.tier, h.score, h.distance, h.key, shown(h)) for h in recall])
    console.print(summary(recall), style="dim", highlight=False)
    if recall.unreachable:
        notify(f"{' and '.join(recall.unreachable)} could not be read: memories there are missing here")


def shown(hit: Hit) -> str:
    """Return the content of a hit, or that it stays sealed."""
    return "(sealed)" if hit.sealed and not hit.content else hit.content


def print_hits(console: Console, hits: Iterable[tuple[str, float, int, str | None, str]]) -> None:
    """Print tier, score, distance, key and content of each hit, a line each."""
    columns = [("tier", False), ("score", True), ("distance", True), ("key", False), ("content", False)]
    rows = [
        (
            tier,
            f"{score:.3f}",
            f"{distance:,}",
            _ending(as_line(key or ""), max(_SHORTEST_KEY, console.width // 3 - 4)),
            as_line(content[: console.width]),
        )
        for tier, score, distance, key, content in hits
    ]
    print_table(console, columns, rows)


def summary(recall: Recall) -> str:
    """Return how many hits came, how fast and how sure, in one line."""
    found = f"{len(recall)} hit{'s' if len(recall) > 1 else ''}" if recall.hits else "no memory"
    if recall.confident:
        sure = "confident"
    elif recall.hits and recall.unrelated:
        sure = "none is nearer than chance: nothing here is related, or it was encoded in another way"
    else:
        sure = "not confident, so every tier was asked"
    return f"{found} in {recall.latency_ms:.1f} ms; {sure}"


def recall_as_json(recall: Recall) -> dict[str, Any]:
    """Return a recall as one JSON object."""
    hits = [{name: getattr(hit, name) for name in Hit.__slots__} for hit in recall.hits]
    return {
        "hits": hits,
        "latency_ms": round(recall.latency_ms, 3),
        "confident": recall.confident,
        "unrelated": recall.unrelated,
        "unreachable": list(recall.unreachable),
    }


def size(count: int) -> str:
    """Return bytes as people read them."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _ending(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]
