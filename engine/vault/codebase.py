"""A directory of files as one stream, and back: a tar archive, the same bytes for the same files.

Only regular files are stored, in the order of their names, with nothing of their owner or times; of their
mode only whether they can be executed. Directories are those that hold files.
"""

import asyncio
import os
import stat
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from engine.errors import InvalidArgument, SealBroken

_PIECE = 1024 * 1024
_LONGEST_PART = 255


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be stored."""

    name: str
    size: int
    executable: bool
    open: Callable[[], BinaryIO]
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Codebase:
    """Files in the order of their names."""

    files: tuple[Source, ...]

    @property
    def changed_at(self) -> datetime | None:
        """When the last of them changed; None where nobody knows."""
        return max((file.changed_at for file in self.files if file.changed_at), default=None)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the archive; InvalidArgument where a file changed its length since it was listed."""
        pieces = self._pieces()
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        for file in self.files:
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mode = file.size, 0o755 if file.executable else 0o644
            yield entry.tobuf(tarfile.PAX_FORMAT)
            left = file.size
            with file.open() as source:
                while piece := source.read(min(_PIECE, left)) if left else b"":
                    left -= len(piece)
                    yield piece
                if left or source.read(1):
                    raise InvalidArgument(f"{file.name} changed while it was being read")
            if padding := -file.size % tarfile.BLOCKSIZE:
                yield bytes(padding)
        yield bytes(2 * tarfile.BLOCKSIZE)


def codebase_of(source: Path | Mapping[str, bytes], *, skip_links: bool = False) -> Codebase:
    """List the files of a directory, or of a mapping of relative names to contents.

    Links, devices, sockets and pipes are refused, naming the first; with `skip_links`, links are left out.
    """
    files = _of_mapping(source) if isinstance(source, Mapping) else _of_directory(source, skip_links)
    return Codebase(tuple(sorted(files, key=lambda file: file.name)))


def checked_name(name: str) -> str:
    """Return the relative name of a file that stays where it is put; InvalidArgument for any other."""
    try:
        parts = name.encode().decode().split("/")
    except UnicodeEncodeError:
        raise InvalidArgument(f"the name {name!r} is not valid UTF-8") from None
    if any(part in ("", ".", "..") or "\x00" in part or len(part.encode()) > _LONGEST_PART for part in parts):
        raise InvalidArgument(f"{name!r} is no name of a file inside a directory")
    return name


async def extract(chunks: AsyncIterator[bytes], folder: Path) -> int:
    """Write the files of an archive into an empty folder; return how many.

    SealBroken for anything that `codebase_of` does not make: links, absolute names, names with `..`.
    """
    pull = _Pull(chunks, asyncio.get_running_loop())
    return await asyncio.to_thread(_extract, pull, folder)


class _Pull:
    """A file that a thread reads, filled from an asynchronous stream."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks, self._loop = chunks, loop
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while size:
            if not self._rest:
                chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
            parts.append(bytes(self._rest[:size]))
            self._rest = self._rest[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def drain(self) -> None:
        """Read to the end: only there it is known that nothing is missing."""
        while self.read(_PIECE):
            pass

    async def _next(self) -> bytes | None:
        # An empty chunk is not the end.
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return None


def _extract(pull: _Pull, folder: Path) -> int:
    count = 0
    try:
        with tarfile.open(fileobj=cast(BinaryIO, pull), mode="r|") as archive:
            for entry in archive:
                if not entry.isreg():
                    raise SealBroken
                path = folder / PurePosixPath(checked_name(entry.name))
                path.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(entry)
                assert content is not None
                with path.open("xb") as sink:
                    while piece := content.read(_PIECE):
                        sink.write(piece)
                path.chmod(0o755 if entry.mode & stat.S_IXUSR else 0o644)
                count += 1
        pull.drain()
    except (tarfile.TarError, InvalidArgument, FileExistsError, NotADirectoryError):
        raise SealBroken from None
    return count


def _of_mapping(files: Mapping[str, bytes]) -> Iterator[Source]:
    for name in files:
        above = PurePosixPath(checked_name(name)).parents
        if any(str(parent) in files for parent in above):
            raise InvalidArgument(f"{name!r} lies inside another file")
    for name, content in files.items():
        yield Source(name, len(content), False, partial(BytesIO, content))


def _of_directory(root: Path, skip_links: bool) -> Iterator[Source]:
    if not root.is_dir():
        raise InvalidArgument(f"{root} is not a directory")
    for folder, folders, names in os.walk(root, onerror=_refuse):
        # A link to a directory is listed as one, but not entered.
        for name in [*names, *(name for name in folders if Path(folder, name).is_symlink())]:
            path = Path(folder, name)
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode) and skip_links:
                continue
            if not stat.S_ISREG(found.st_mode):
                raise InvalidArgument(f"{path} is not a regular file: links and devices are not stored")
            yield Source(
                checked_name(path.relative_to(root).as_posix()),
                found.st_size,
                bool(found.st_mode & stat.S_IXUSR),
                partial(_open, path),
                datetime.fromtimestamp(found.st_mtime, UTC),
            )


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _refuse(error: OSError) -> None:
    raise InvalidArgument(f"{error.filename} cannot be read: {error.strerror}") from error
