"""Settings that only a server of one's own can be given."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from engine.embedded import EmbeddedServer
from engine.embedded.account import Account
from engine.migrate import upgrade

pytestmark = pytest.mark.slow
CARELESS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "16MB"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's account can enter."""
    with tempfile.TemporaryDirectory(prefix="mnemo-doctor-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def troubles(dsn: str) -> dict[str, str]:
    """Return check -> status of all that is not ok."""
    with psycopg.connect(dsn) as connection:
        return dict(
            connection.execute("select \"check\", status from mnemo.doctor() where status <> 'ok'").fetchall()
        )


def test_the_embedded_server_as_it_comes_is_healthy_and_a_careless_one_is_not(place: Path) -> None:
    server = EmbeddedServer(place / "data", settings={"shared_buffers": "16MB"})
    try:
        dsn = server.start().dsn
        upgrade(dsn, bits=1024, sketch_bits=256)
        assert troubles(dsn) == {}
        server.stop()
        server = EmbeddedServer(place / "data", settings=CARELESS)
        assert troubles(server.start().dsn) == {
            "fsync": "fail",
            "full_page_writes": "fail",
            "autovacuum": "warn",
        }
    finally:
        server.stop("immediate")


def test_a_cluster_without_checksums_is_noticed(place: Path) -> None:
    run = Account.run

    def without(account: Account, argv: Sequence[str | Path], *rest: Any) -> Any:
        return run(account, [str(part).replace("--data-ch", "--no-data-ch") for part in argv], *rest)

    server = EmbeddedServer(place / "data", settings={"fsync": "off", "shared_buffers": "16MB"})
    try:
        with mock.patch.object(Account, "run", without):
            dsn = server.start().dsn
        upgrade(dsn, bits=1024, sketch_bits=256)
        assert troubles(dsn) == {"fsync": "fail", "checksums": "warn"}
    finally:
        server.stop("immediate")
