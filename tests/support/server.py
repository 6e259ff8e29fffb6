"""The PostgreSQL server that a test session runs on."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Nothing outlives a session: durability costs time and buys nothing. Statistics and vacuum are left to the
# tests, so that plans and index contents do not depend on when a background worker wakes.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
}
IMAGE = "pgvector/pgvector:pg18"


@contextmanager
def running_server() -> Iterator[str]:
    """Yield a superuser's connection string: MNEMO_TEST_DSN, else a container, else the embedded server."""
    given = os.environ.get("MNEMO_TEST_DSN")
    if given:
        yield given
    elif _docker_answers():
        with _container() as dsn:
            yield dsn
    else:
        with _embedded() as dsn:
            yield dsn


def _docker_answers() -> bool:
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        return False
    from testcontainers.core.docker_client import DockerClient

    try:
        client = DockerClient().client
        try:
            return bool(client.ping())
        finally:
            client.close()
    except Exception:  # Whatever it is, there is no engine to use.
        return False


@contextmanager
def _container() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from testcontainers.community.postgres import PostgresContainer

        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        container = PostgresContainer(IMAGE, driver=None).with_command(f"postgres {options}")
        container.start()
    try:
        yield container.get_connection_url()
    finally:
        container.stop()


@contextmanager
def _embedded() -> Iterator[str]:
    from engine.embedded import EmbeddedServer

    # Not pytest's own temporary folder: the server may run as another user, who must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="mnemo-test-"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "server", settings=SETTINGS)
    try:
        server.start()
        try:
            yield server.dsn("postgres")
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
