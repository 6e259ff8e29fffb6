"""Freeze what a revision installs: `python -m migrations.freeze 0001`."""

import shutil
import sys
from pathlib import Path

from engine.schema.files import digest, parse_sums, sql_files
from engine.schema.revision import CHANGE, SUMS
from engine.sources import source_dir

# A released revision has run on databases of other people: its files never change again.
RELEASED: tuple[str, ...] = ()


def frozen_tree(frozen: Path, before: str | None = None) -> dict[str, str]:
    """Return path -> SHA-256 of the SQL in force after all revisions, or after those `before` one."""
    tree: dict[str, str] = {}
    for folder in sorted(path for path in frozen.iterdir() if path.is_dir()):
        if before is not None and folder.name >= before:
            break
        tree.update(parse_sums((folder / SUMS).read_text(encoding="utf-8")))
        removed = folder / "REMOVED"
        for path in removed.read_text(encoding="utf-8").split() if removed.is_file() else ():
            tree.pop(path, None)
    tree.pop(CHANGE, None)
    return tree


def desired_tree(sql: Path) -> dict[str, str]:
    """Return path -> SHA-256 of the SQL in a source tree."""
    return {path.relative_to(sql).as_posix(): digest(path) for path in sql_files(sql)}


def freeze(revision: str, sql: Path, frozen: Path) -> list[str]:
    """Copy what the revision changes against the ones before it, and write the sums; return the paths.

    A hand-written change.sql of the revision stays and is summed too; paths that are gone go to REMOVED.

    Raises:
        ValueError: the revision is released.
    """
    if revision in RELEASED:
        raise ValueError(f"revision {revision} is released: its SQL is fixed; make a new revision")
    earlier, desired = frozen_tree(frozen, before=revision), desired_tree(sql)
    folder = frozen / revision
    change = (folder / CHANGE).read_text(encoding="utf-8") if (folder / CHANGE).is_file() else None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    changed = sorted(path for path, sha in desired.items() if earlier.get(path) != sha)
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sql / path, folder / path)
    if change is not None:
        (folder / CHANGE).write_text(change, encoding="utf-8")
        changed.append(CHANGE)
    removed = sorted(earlier.keys() - desired.keys())
    if removed:
        (folder / "REMOVED").write_text("".join(f"{path}\n" for path in removed), encoding="utf-8")
    sums = (f"{digest(folder / path)}  {path}\n" for path in changed)
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")
    return changed


def main(arguments: list[str]) -> int:
    """Freeze the revision named by the only argument."""
    if len(arguments) != 1:
        print("usage: python -m migrations.freeze REVISION", file=sys.stderr)
        return 2
    try:
        paths = freeze(arguments[0], source_dir("sql"), source_dir("migrations") / "frozen")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"revision {arguments[0]}: {len(paths)} files frozen")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
