"""The places that the stores are tested in: a directory, and buckets of two servers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.archive import ObjectStore, open_objects
from engine.config import Settings
from tests.support.object_servers import ObjectServer


@dataclass(frozen=True)
class Place:
    """An empty place for objects; `conditional`: whether it can tell two writers apart."""

    settings: Settings
    conditional: bool


@pytest.fixture(params=["moto", "rclone"])
def server(request: pytest.FixtureRequest, s3_credentials: None) -> ObjectServer:
    """Each S3 server in turn."""
    found = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(found, ObjectServer)
    return found


@pytest.fixture(
    params=["directory", *(pytest.param(name, marks=pytest.mark.s3) for name in ("moto", "rclone"))]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of store in turn; that of moto is a whole bucket, that of rclone a prefix in one."""
    if request.param == "directory":
        return Place(Settings(archive={"url": str(tmp_path / "the objects"), "multipart_mb": 5}), True)
    request.getfixturevalue("s3_credentials")
    server: ObjectServer = request.getfixturevalue(f"{request.param}_server")
    url = f"s3://{server.new_bucket()}" + ("" if server.conditional else "/a/prefix")
    return Place(server.settings(url, multipart_mb=5), server.conditional)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[ObjectStore]:
    """An open store on the place."""
    async with open_objects(place.settings) as opened:
        yield opened
