"""Keys from KMS, on moto's server, which keeps aliases, states and MACs."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest
from botocore.stub import Stubber

from adapters.crypto.kms_keys import KmsKeys
from engine.config import Settings
from engine.errors import KeyUnavailable
from engine.mnemo import Mnemo
from engine.vault.protocol import KeyStore
from engine.vault.registry import open_keys
from tests.support.object_servers import ACCESS_KEY, ObjectServer

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test of this session has: moto is one account for all."""
    return f"tenant/ä {uuid4()}"


@pytest.fixture
async def store(moto_server: ObjectServer, s3_credentials: None) -> AsyncIterator[KeyStore]:
    """The store, opened as users do."""
    url = f"kms://eu-central-1?endpoint={moto_server.endpoint_url}"
    async with open_keys(Settings(vault={"keys": url})) as opened:
        yield opened


@pytest.fixture
def kms(moto_server: ObjectServer, s3_credentials: None) -> Iterator["KMSClient"]:
    """An administrator of KMS."""
    client = boto3.client("kms", region_name="eu-central-1", endpoint_url=moto_server.endpoint_url)
    yield client
    client.close()


def _alias(tenant: str, epoch: int) -> str:
    return f"alias/mnemo/{sha256(tenant.encode()).hexdigest()}/{epoch}"


async def test_a_key_stays_until_it_is_destroyed(store: KeyStore, tenant: str) -> None:
    with pytest.raises(KeyUnavailable, match="NotFoundException"):
        await store.fetch(tenant, 1)
    keys = [await store.create(tenant, epoch) for epoch in (1, 2, 10)]
    keys.append(await store.create(tenant + "b", 1))
    assert {len(key or b"") for key in keys} == {32}
    assert len(set(keys)) == 4
    assert [await store.create(tenant, epoch) for epoch in (1, 2, 10)] == [None] * 3
    assert [await store.fetch(tenant, epoch) for epoch in (1, 2, 10)] == keys[:3]
    assert await store.epochs(tenant) == [1, 2, 10]

    ended = await store.destroy(tenant, 2)
    assert not ended.final
    assert ended.final_at.tzinfo is UTC
    assert timedelta(days=6, hours=23) < ended.final_at - datetime.now(UTC) < timedelta(days=7, hours=1)
    assert await store.destroy(tenant, 2) == ended
    assert await store.create(tenant, 2) is None
    assert await store.epochs(tenant) == [1, 10]
    assert [await store.fetch(tenant, epoch) for epoch in (1, 10)] == [keys[0], keys[2]]


async def test_the_key_is_the_mac_of_its_name(store: KeyStore, tenant: str, kms: "KMSClient") -> None:
    key = await store.create(tenant, 3)
    known = kms.describe_key(KeyId=_alias(tenant, 3))["KeyMetadata"]
    assert (known["KeySpec"], known["KeyUsage"]) == ("HMAC_256", "GENERATE_VERIFY_MAC")
    message = f"mnemo/vault/{tenant}/3".encode()
    answer = kms.verify_mac(
        KeyId=known["KeyId"], MacAlgorithm="HMAC_SHA_256", Message=message, Mac=key or b""
    )
    assert answer["MacValid"]
    assert tenant not in str(known)


async def test_one_who_came_second_gets_none(
    store: KeyStore, tenant: str, kms: "KMSClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await store.create(tenant, 1)
    first = kms.describe_key(KeyId=_alias(tenant, 1))["KeyMetadata"]["KeyId"]
    before = {entry["KeyId"] for entry in kms.list_keys()["Keys"]}
    late = KmsKeys(kms)
    # It looked before the first one had made the alias.
    monkeypatch.setattr(late, "_state", lambda alias: None)
    assert await late.create(tenant, 1) is None
    assert await late.fetch(tenant, 1) == key
    assert kms.describe_key(KeyId=_alias(tenant, 1))["KeyMetadata"]["KeyId"] == first
    made = {entry["KeyId"] for entry in kms.list_keys()["Keys"]} - before
    assert [kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] for one in made] == ["PendingDeletion"]


async def test_a_destruction_that_stopped_half_way_goes_on(
    store: KeyStore, tenant: str, kms: "KMSClient"
) -> None:
    await store.create(tenant, 1)
    kms.disable_key(KeyId=kms.describe_key(KeyId=_alias(tenant, 1))["KeyMetadata"]["KeyId"])
    assert await store.epochs(tenant) == []
    assert not (await store.destroy(tenant, 1)).final
    assert kms.describe_key(KeyId=_alias(tenant, 1))["KeyMetadata"]["KeyState"] == "PendingDeletion"


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException", "AccessDeniedException"])
async def test_a_key_that_kms_keeps_back(kms: "KMSClient", code: str) -> None:
    """What AWS answers for a key that is disabled or waits to be deleted; moto answers with the MAC."""
    with Stubber(kms) as stub:
        stub.add_client_error("generate_mac", code, "arn:aws:kms:eu-central-1:123456789012:key/of-ada")
        with pytest.raises(KeyUnavailable, match=f"refuses: {code}$"):
            await KmsKeys(kms).fetch("a", 1)


async def test_a_key_whose_time_has_come_is_gone(store: KeyStore, tenant: str, kms: "KMSClient") -> None:
    """AWS removes the alias together with the key; moto keeps both, so the alias is removed by hand."""
    await store.create(tenant, 1)
    await store.destroy(tenant, 1)
    kms.delete_alias(AliasName=_alias(tenant, 1))
    assert (await store.destroy(tenant, 1)).final


async def test_a_service_that_does_not_answer(s3_credentials: None) -> None:
    url = "kms://eu-central-1?endpoint=http://127.0.0.1:9"
    async with open_keys(Settings(vault={"keys": url})) as store:
        with pytest.raises(KeyUnavailable, match="cannot be reached: EndpointConnectionError") as caught:
            await store.fetch("a", 1)
        assert ACCESS_KEY not in str(caught.value)
        assert store.url == url


async def test_where_it_is(s3_credentials: None) -> None:
    async with open_keys(Settings(vault={"keys": "kms://eu-central-1"})) as store:
        assert store.url == "kms://eu-central-1"


async def test_a_vault_with_its_keys_there(
    dsn: str, moto_server: ObjectServer, s3_credentials: None, tenant: str, kms: "KMSClient"
) -> None:
    keys = f"kms://eu-central-1?endpoint={moto_server.endpoint_url}"
    settings = Settings(dsn=dsn, tenant=tenant, vault={"keys": keys, "chunk_bytes": 4096})
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        # Of another database, with a tenant of the same name.
        async with open_keys(settings) as store:
            await store.create(tenant, 1)
        await mnemo.vault.put("a", b"a" * 10_000)
        await mnemo.vault.put("b", b"b")
        assert (await mnemo.vault.rotate()).epoch == 3
        certificate = await mnemo.vault.shred(["b"])
        assert await mnemo.vault.get("a") == b"a" * 10_000
        assert {(key.epoch, key.state) for key in await mnemo.vault.keys()} == {
            (2, "destroyed"),
            (3, "destroyed"),
            (4, "active"),
        }
        assert {key.store for key in await mnemo.vault.keys()} == {keys}
    assert certificate.final_at is not None
    assert certificate.final_at > datetime.now(UTC) + timedelta(days=6)
    states = [
        kms.describe_key(KeyId=_alias(tenant, epoch))["KeyMetadata"]["KeyState"] for epoch in range(1, 5)
    ]
    assert states == ["Enabled", "PendingDeletion", "PendingDeletion", "Enabled"]
