"""Which store the settings mean, and what one process shares."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from adapters.objects import s3_client
from adapters.objects.s3 import S3Objects
from engine.archive import objects_url, open_objects, register_objects
from engine.config import Settings
from engine.errors import InvalidArgument, InvalidConfiguration
from tests.support.object_servers import ObjectServer


def test_where_the_archive_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dsn = "host=db"
    assert objects_url(Settings(dsn=dsn)) is None
    assert objects_url(Settings(data_dir=tmp_path / "d")) == f"file://{tmp_path}/d/objects"
    assert objects_url(Settings(archive={"url": "here"})) == f"file://{tmp_path}/here"
    assert objects_url(Settings(dsn=dsn, archive={"url": "s3://bucket/p"})) == "s3://bucket/p"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "archive.url: must be set where dsn is"),
        # Other tests register a scheme of their own.
        (
            "ftp://host/path",
            "archive.url = ftp://host/path: must begin with one of file://,( planted://,)? s3://",
        ),
        ("s3://", "archive.url"),
        ("s3:///prefix", "must be s3://bucket"),
        ("s3://bucket/../other", "must be s3://bucket"),
    ],
)
async def test_a_place_that_cannot_be_meant(url: str | None, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        async with open_objects(Settings(dsn="host=db", archive={"url": url} if url else {})):
            pass


def test_credentials_do_not_belong_into_a_url() -> None:
    with pytest.raises(InvalidConfiguration, match="without credentials") as caught:
        Settings(archive={"url": "s3://key:secret@bucket/prefix"})
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidConfiguration, match=r"must be null unless archive\.sse is"):
        Settings(archive={"sse": "AES256", "sse_kms_key_id": "key"})


def test_a_scheme_is_registered_once() -> None:
    with pytest.raises(InvalidArgument, match="'s3' is registered already"):
        register_objects("s3", lambda url, settings: open_objects(settings))


@pytest.mark.s3
async def test_one_process_has_one_client_for_the_same_settings(
    moto_server: ObjectServer, s3_credentials: None
) -> None:
    settings = moto_server.settings(f"s3://{moto_server.new_bucket()}/one")
    other = moto_server.settings("s3://other/two")
    slower = moto_server.settings("s3://other/two", read_timeout_seconds=60)
    async with open_objects(settings), open_objects(other):
        assert [shared.users for shared in s3_client._shared.values()] == [2]
        async with open_objects(slower):
            assert len(s3_client._shared) == 2
    assert s3_client._shared == {}


@pytest.mark.s3
async def test_encryption_is_asked_for_and_uploads_that_broke_off_are_removed(
    moto_server: ObjectServer, s3_credentials: None
) -> None:
    bucket = moto_server.new_bucket()
    client = boto3.client("s3", endpoint_url=moto_server.endpoint_url, region_name="us-east-1")
    settings = moto_server.settings(f"s3://{bucket}/p", sse="aws:kms", sse_kms_key_id="a-key", multipart_mb=5)
    async with open_objects(settings) as store:
        assert isinstance(store, S3Objects)
        for key, size in (("one", 10), ("parts", 6 << 20)):
            await store.put(key, bytes(size), b"")
            found = client.head_object(Bucket=bucket, Key=f"p/{key}")
            assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "a-key")
        for key in ("p/half", "other/half"):
            client.create_multipart_upload(Bucket=bucket, Key=key)
        client.put_object(Bucket=bucket, Key="p/.probe/x", Body=b"")
        # The probe is young; moto dates every upload to 2010.
        assert await store.clean() == 1
        assert await store._bucket.clean("p/", datetime.now(UTC) + timedelta(hours=1)) == 1
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["other/half"]
    client.close()
