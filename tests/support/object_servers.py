"""S3 servers for a test session: moto, which honours conditions, and rclone, which checks signatures.

A plugin of pytest (tests/conftest.py names it): the fixtures `moto_server` and `rclone_server` start each
once a session, on a free loopback port; `s3_credentials` lets boto3 find the credentials they accept.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from engine.config import Settings

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
_STARTED = re.compile(rb"(http://127\.0\.0\.1:[0-9]+)")
_START_SECONDS = 60


@dataclass(frozen=True)
class ObjectServer:
    """An S3 server; `conditional`: whether it honours If-None-Match and If-Match."""

    name: str
    endpoint_url: str
    conditional: bool

    def behind(self, endpoint_url: str) -> "ObjectServer":
        """The same server by way of a proxy."""
        return replace(self, endpoint_url=endpoint_url)

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        bucket = f"bucket-{uuid4().hex[:12]}"
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            client.create_bucket(Bucket=bucket)
        finally:
            client.close()
        return bucket

    def settings(self, url: str, **archive: object) -> Settings:
        """Settings with this server as the archive, impatient; `archive` adds keys of that section."""
        given = {
            "url": url,
            "endpoint_url": self.endpoint_url,
            "region": "us-east-1",
            "first_wait_seconds": 0,
        }
        return Settings(archive=given | archive, resilience={"breaker_failures": 1000})


@contextmanager
def running_moto(work_dir: Path) -> Iterator[ObjectServer]:
    """Run moto's server, which forgets everything at its end."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.moto_server"]
    with _running(command, work_dir / "moto.log") as endpoint_url:
        yield ObjectServer("moto", endpoint_url, conditional=True)


@contextmanager
def running_rclone(work_dir: Path) -> Iterator[ObjectServer]:
    """Run rclone's server over a directory below `work_dir`: buckets are the directories in it."""
    served = work_dir / "served"
    served.mkdir()
    command = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", "--config", "/dev/null"]
    command += ["--cache-dir", str(work_dir / "cache"), "--addr", "127.0.0.1:0"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", str(served)]
    with _running(command, work_dir / "rclone.log") as endpoint_url:
        yield ObjectServer("rclone", endpoint_url, conditional=False)


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[str]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = monotonic() + _START_SECONDS
        while not (found := _STARTED.search(log.read_bytes())):
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
            raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
        yield found[1].decode()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """The session's moto."""
    with running_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """The session's rclone."""
    with running_rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of both servers, and none of whoever runs the tests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
