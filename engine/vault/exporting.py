"""Items as files: they appear complete, or not at all, and replace nothing."""

import asyncio
import shutil
import tempfile
from contextlib import aclosing
from pathlib import Path

from engine.errors import InvalidArgument, SealBroken
from engine.vault.codebase import extract
from engine.vault.getting import Opened, read_opened
from engine.vault.session import VaultSession


async def export_codebase(session: VaultSession, opened: Opened, path: Path) -> int:
    """Write the files of a codebase into a new directory; return how many."""
    folder = await asyncio.to_thread(_folder_beside, path)
    try:
        async with aclosing(read_opened(session, opened)) as chunks:
            files = await extract(chunks, folder / "files")
        if files != opened.files:
            raise SealBroken
        await asyncio.to_thread(_move, folder / "files", path)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return files


async def export_file(session: VaultSession, opened: Opened, path: Path) -> int:
    """Write the content of an item into a new file; return 1."""
    folder = await asyncio.to_thread(_folder_beside, path)
    try:
        with await asyncio.to_thread((folder / "file").open, "xb") as sink:
            async with aclosing(read_opened(session, opened)) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(sink.write, chunk)
        await asyncio.to_thread(_link, folder / "file", path)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return 1


def _folder_beside(path: Path) -> Path:
    if path.is_symlink() or path.exists():
        raise InvalidArgument(f"{path} is there already")
    # Its owner's alone, on the same file system, so that it can be moved in one step.
    try:
        folder = Path(tempfile.mkdtemp(prefix=".mnemo-", dir=path.absolute().parent))
    except FileNotFoundError:
        raise InvalidArgument(f"there is no directory {path.absolute().parent}") from None
    (folder / "files").mkdir()
    return folder


def _move(folder: Path, path: Path) -> None:
    try:
        # Over nothing but an empty directory, which somebody made meanwhile.
        folder.rename(path)
    except OSError:
        raise InvalidArgument(f"{path} is there already") from None


def _link(file: Path, path: Path) -> None:
    try:
        path.hardlink_to(file)
    except FileExistsError:
        raise InvalidArgument(f"{path} is there already") from None
