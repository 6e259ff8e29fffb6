"""The SQL files of a source tree, in the order in which they load."""

import hashlib
from pathlib import Path

from engine.schema.parameters import Parameters

# What every load runs under. Bodies may name functions of files that come later; the search path is fixed
# so that a role's own settings cannot change what a file means.
LOAD_SETTINGS = (
    "set local check_function_bodies = off",
    "set local search_path = pg_catalog, public",
)


def sql_files(tree: Path) -> list[Path]:
    """Return the files of a tree in load order: schema, functions by topic, views, grants, install."""
    return [
        *sorted(tree.glob("schema/*.sql")),
        *sorted(tree.glob("functions/*/*.sql")),
        *sorted(tree.glob("views/*.sql")),
        *(tree / name for name in ("grants.sql", "install.sql") if (tree / name).is_file()),
    ]


def render(text: str, parameters: Parameters) -> str:
    """Replace {bits}, {sketch_bits}, {archive_bits}, {toast_tuple_target}; all else stays as it is."""
    values = {
        "{bits}": parameters.bits,
        "{sketch_bits}": parameters.sketch_bits,
        "{archive_bits}": parameters.archive_bits,
        "{toast_tuple_target}": parameters.toast_tuple_target,
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, str(value))
    return text


def read(path: Path, parameters: Parameters) -> str:
    """Return the text of one file, rendered."""
    return render(path.read_text(encoding="utf-8"), parameters)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parse_sums(text: str) -> dict[str, str]:
    """Read a sums file (`<sha256>  <path>` a line) into path -> SHA-256."""
    pairs = (line.split("  ", 1) for line in text.splitlines() if line)
    return {path: sha for sha, path in pairs}
