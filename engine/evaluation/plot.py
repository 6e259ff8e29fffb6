"""The report as a picture: bars by method and group, with their intervals."""

from pathlib import Path

from engine.errors import InvalidArgument, MnemoError
from engine.evaluation.report import Report, titles

_FORMATS = (".png", ".svg", ".pdf")
# Okabe and Ito: told apart with any kind of colour vision.
_COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#009E73")
_WIDTH = 0.84


def check_plot(path: Path) -> None:
    """Raise what `plot` would raise for a file of this name, before the work is done."""
    if path.suffix.lower() not in _FORMATS:
        raise InvalidArgument(f"{path}: a plot is a file named {', '.join(_FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise InvalidArgument(f"{path}: there is no such folder")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MnemoError(f"a plot needs the package {error.name}: pip install 'mnemo[eval]'") from error


def plot(report: Report, path: Path) -> None:
    """Draw recall@k of each method, for all questions and each group. Raises OSError."""
    from matplotlib.figure import Figure

    groups = report.groups
    methods = [row.method for row in report.group(groups[0])]
    figure = Figure(figsize=(max(6.0, 1.5 + 1.7 * len(groups)), 4.2), layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(methods):
        rows = [row for row in report.rows if row.method == method]
        scores = [row.scores["recall"] for row in rows]
        places = [place - _WIDTH / 2 + (number + 0.5) * _WIDTH / len(methods) for place in range(len(groups))]
        reach = [
            [max(0.0, score.mean - score.low) for score in scores],
            [max(0.0, score.high - score.mean) for score in scores],
        ]
        axes.bar(
            places,
            [score.mean for score in scores],
            _WIDTH / len(methods),
            yerr=reach,
            label=method,
            color=_COLOURS[number % len(_COLOURS)],
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#333333"},
        )
    counts = {row.group: row.questions for row in report.rows}
    axes.set_xticks(range(len(groups)), [f"{group}\nn = {counts[group]}" for group in groups])
    axes.set_xlabel(report.by)
    axes.set_ylabel(titles(report.k)["recall"])
    axes.set_ylim(0, 1)
    axes.set_title(f"{report.collection}: {report.memories:,} memories, 95 % intervals", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(methods), frameon=False)
    figure.savefig(path, dpi=150)
