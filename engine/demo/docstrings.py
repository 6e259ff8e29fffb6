"""Documentation strings of a Python installation, read from its source files without importing them."""

import ast
import gc
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path


def docstrings(root: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield (key, docstring) of every documented module, class and function below `root`.

    `root` is a folder of modules and packages, by default the standard library of the running interpreter;
    installed packages beside it are left out. A key is `module:qualified.name`, or `module:__doc__` for the
    module's own docstring. Modules come in the order of their names, definitions in the order of the source;
    where a key comes again, as with overloads and platform branches, its first docstring wins. Docstrings are
    cleaned as `inspect.cleandoc` does. Files that this interpreter cannot parse are passed over.
    """
    base = Path(sysconfig.get_path("stdlib")) if root is None else root
    seen: set[str] = set()
    for module, path in sorted(_modules(base)):
        for name, text in _documented(_parse(path), ""):
            key = f"{module}:{name}"
            if key not in seen:
                seen.add(key)
                yield key, text


def _modules(base: Path) -> Iterator[tuple[str, Path]]:
    for path in base.rglob("*.py"):
        parts = path.relative_to(base).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        # "site-packages" and "config-3.11-..." are no identifiers, so they fall out here.
        if all(part.isidentifier() for part in parts):
            yield ".".join(parts), path


def _parse(path: Path) -> ast.Module:
    # A tree holds no cycles, and searching it for some takes as long as parsing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError):
        return ast.Module(body=[], type_ignores=[])
    finally:
        if collecting:
            gc.enable()


def _documented(node: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node, clean=True)
        if text and text.strip():
            yield prefix.removesuffix(".") or "__doc__", text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _documented(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _documented(child, prefix)
