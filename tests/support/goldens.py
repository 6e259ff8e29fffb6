"""Texts kept under version control that a change must show its effect on."""

import difflib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def compare(name: str, text: str, *, update: bool) -> None:
    """Fail with a diff where the text is not the golden of that name; with `update`, write it instead."""
    path = FOLDER / name
    text = text.rstrip("\n") + "\n"
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    diff = difflib.unified_diff(
        kept.splitlines(), text.splitlines(), f"golden/{name}", "this run", lineterm="", n=1
    )
    lines = list(diff)
    assert not lines, "\n".join([*lines, "", "If this is intended, run pytest with --update-goldens."])
