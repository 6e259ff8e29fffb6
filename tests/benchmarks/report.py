"""The table, the JSON file and the plot."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.curves import Curve


@dataclass(frozen=True)
class Row:
    """One measured figure; `at_least` says on which side of the target it should be."""

    name: str
    value: float
    unit: str
    figures: str
    target: float | None = None
    at_least: bool = True

    @property
    def verdict(self) -> str:
        """Say ok or MISSED; nothing where there is no target."""
        if self.target is None:
            return ""
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "ok" if met else "MISSED"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of fixed width, which Markdown takes too."""
    heads = ("what", "measured", "target", "", "figures")
    cells = [heads, tuple("-" * len(head) or "---" for head in heads)]
    for row in rows:
        bound = "" if row.target is None else f"{'>=' if row.at_least else '<='} {_number(row.target)}"
        cells.append((row.name, f"{_number(row.value)} {row.unit}".strip(), bound, row.verdict, row.figures))
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    )


def document(
    about: dict[str, Any], rows: Sequence[Row], curves: Sequence[Curve], settings: dict[str, str]
) -> dict[str, Any]:
    """Return everything measured as one JSON document."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processors": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "load": os.getloadavg(),
        },
        "about": about,
        "settings": settings,
        "rows": [asdict(row) | {"verdict": row.verdict} for row in rows],
        "curves": [asdict(curve) for curve in curves],
    }


def write(folder: Path, stem: str, content: dict[str, Any], curves: Sequence[Curve]) -> list[Path]:
    """Write the document, and the plot where there are curves; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{stem}.json"]
    written[0].write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if curves:
        written.append(folder / f"{stem}.png")
        plot(curves, str(content["about"]["data"]), written[1])
    return written


def plot(curves: Sequence[Curve], title: str, path: Path) -> None:
    """Draw recall@10 against median latency, one line a side."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for curve in curves:
        axes.plot(curve.recall, curve.p50_ms, marker="o", markersize=3, label=curve.side)
    axes.set_xlabel("recall@10")
    axes.set_ylabel("median latency, ms")
    axes.set_yscale("log")
    axes.set_title(title)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
