"""Places for servers, and servers that are stopped when their test ends."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.embedded import EmbeddedServer, processes

# Small and not durable; tests of durability pass their own.
QUICK = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}

MakeServer = Callable[..., EmbeddedServer]


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary directory open to the server's account, unlike pytest's own when root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="mnemo-embedded-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make_server(place: Path) -> Iterator[MakeServer]:
    """Makes servers, by default on `place/data`."""
    made: list[EmbeddedServer] = []

    def make(
        data_dir: Path | None = None, port: int | None = None, settings: dict[str, str] | None = None
    ) -> EmbeddedServer:
        server = EmbeddedServer(
            data_dir or place / "data", port=port, settings=QUICK if settings is None else settings
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop("immediate")
        # What a failed test leaves; an orphan that computes would never end.
        for pid in processes.server_processes(server.status().data_dir / "pgdata"):
            processes.send(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def pristine() -> Iterator[Path]:
    """A stopped server's data directory, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="mnemo-embedded-"))
    folder.chmod(0o755)
    made = EmbeddedServer(folder / "data", settings=QUICK)
    made.start()
    made.stop()
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def cluster_copy(pristine: Path, place: Path) -> Path:
    """A data directory, initialised and stopped, quicker than initdb would make it."""
    copy = place / "data"
    subprocess.run(["cp", "-a", str(pristine), str(copy)], check=True)
    return copy
