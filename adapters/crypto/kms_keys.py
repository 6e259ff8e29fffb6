"""Epoch keys from AWS KMS: each is the MAC of its own name under a key that never leaves the service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from engine.config import Settings
from engine.errors import InvalidConfiguration, KeyUnavailable
from engine.vault.protocol import Destruction, check_key_name

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

T = TypeVar("T")

_WAITING_DAYS = 7
_GONE = {"NotFoundException"}


@asynccontextmanager
async def open_kms_keys(url: str, settings: Settings) -> AsyncIterator["KmsKeys"]:
    """Open the store of ``kms:``, ``kms://region`` or ``kms://region?endpoint=https://host``.

    Region and credentials come as boto3 finds them where the URL names none. Raises InvalidConfiguration
    for another form, or where no region is found.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    if parts.path or parts.fragment or set(query) - {"endpoint"} or "@" in url:
        raise InvalidConfiguration(["vault.keys: must be kms://region or kms://region?endpoint=https://host"])
    try:
        client = await asyncio.to_thread(_client, parts.netloc or None, query.get("endpoint", [None])[0])
    except (aws.BotoCoreError, ValueError) as error:
        raise InvalidConfiguration([f"vault.keys: KMS cannot be used: {error}"]) from None
    try:
        yield KmsKeys(client)
    finally:
        client.close()


class KmsKeys:
    """A `KeyStore` of HMAC_256 keys in AWS KMS, one a tenant and epoch, found by alias.

    The epoch key is GenerateMac (HMAC_SHA_256) over ``mnemo/vault/<tenant>/<epoch>``: nothing wrapped lies
    anywhere, and without the KMS key nobody can make it again. The alias holds a digest of the tenant's
    name, not the name. Who reads needs kms:GenerateMac alone; who rotates also CreateKey, CreateAlias,
    DescribeKey and ListAliases; who shreds also DisableKey and ScheduleKeyDeletion.

    `destroy` disables the key and schedules its deletion; AWS waits seven days at least, in which an
    administrator can cancel it. Calls may still be answered for some seconds: KMS is eventually consistent.
    A process that died between CreateKey and CreateAlias leaves a key without alias that costs its fee and
    opens nothing; its description is ``mnemo vault``.
    """

    def __init__(self, client: "KMSClient") -> None:
        self._client = client

    @property
    def url(self) -> str:
        """``kms://region``, with the endpoint where it is not that of AWS."""
        place = f"kms://{self._client.meta.region_name}"
        endpoint = self._client.meta.endpoint_url
        return place if endpoint.endswith(".amazonaws.com") else f"{place}?endpoint={endpoint}"

    @property
    def makes_keys(self) -> bool:
        """Yes."""
        return True

    async def create(self, tenant: str, epoch: int) -> bytes | None:
        """Make the KMS key unless its alias is there, and return the epoch key, as KeyStore says."""
        alias = _alias(tenant, epoch)

        def make() -> bytes | None:
            if self._state(alias) is not None or not self._make(alias):
                return None
            return self._mac(alias, tenant, epoch)

        return await self._run(make)

    async def fetch(self, tenant: str, epoch: int) -> bytes:
        """Return the epoch key, as KeyStore says."""
        alias = _alias(tenant, epoch)
        return await self._run(lambda: self._mac(alias, tenant, epoch))

    async def destroy(self, tenant: str, epoch: int) -> Destruction:
        """Disable the KMS key and schedule its deletion, of which the answer tells the moment."""
        alias = _alias(tenant, epoch)

        def end() -> Destruction:
            found = self._state(alias)
            if found is None:
                return Destruction(final=True, final_at=datetime.now(UTC))
            key_id, state, gone_at = found
            if state != "PendingDeletion":
                self._client.disable_key(KeyId=key_id)
                scheduled = self._client.schedule_key_deletion(
                    KeyId=key_id, PendingWindowInDays=_WAITING_DAYS
                )
                gone_at = scheduled["DeletionDate"]
            if gone_at is None:
                raise KeyUnavailable("KMS did not say when the key will be deleted")
            return Destruction(final=gone_at <= datetime.now(UTC), final_at=gone_at.astimezone(UTC))

        return await self._run(end)

    async def epochs(self, tenant: str) -> list[int]:
        """Return the epochs whose KMS keys are enabled, as KeyStore says."""
        prefix = _alias(tenant, 1)[:-1]

        def look() -> list[int]:
            pages = self._client.get_paginator("list_aliases").paginate()
            names = (entry.get("AliasName", "") for page in pages for entry in page["Aliases"])
            found = [name for name in names if name.startswith(prefix)]
            usable = (name for name in found if (state := self._state(name)) and state[1] == "Enabled")
            return sorted(int(name.removeprefix(prefix)) for name in usable)

        return await self._run(look)

    def _state(self, alias: str) -> tuple[str, str, datetime | None] | None:
        try:
            known = self._client.describe_key(KeyId=alias)["KeyMetadata"]
        except aws.ClientError as error:
            if _code(error) in _GONE:
                return None
            raise
        return known["KeyId"], known.get("KeyState", ""), known.get("DeletionDate")

    def _make(self, alias: str) -> bool:
        """Return whether the alias is that of the key made here."""
        made = self._client.create_key(
            KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Description="mnemo vault"
        )["KeyMetadata"]["KeyId"]
        try:
            self._client.create_alias(AliasName=alias, TargetKeyId=made)
        except aws.ClientError as error:
            # Somebody else was faster, or it is not allowed: this key has no name and must not stay.
            self._client.schedule_key_deletion(KeyId=made, PendingWindowInDays=_WAITING_DAYS)
            if _code(error) != "AlreadyExistsException":
                raise
            return False
        return True

    def _mac(self, alias: str, tenant: str, epoch: int) -> bytes:
        message = f"mnemo/vault/{tenant}/{epoch}".encode()
        answer = self._client.generate_mac(KeyId=alias, MacAlgorithm="HMAC_SHA_256", Message=message)
        return answer["Mac"]

    async def _run(self, work: Callable[[], T]) -> T:
        def translated() -> T:
            with _errors(self.url):
                return work()

        return await asyncio.to_thread(translated)


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except aws.ClientError as error:
        # The service's own words may quote the request; its code does not.
        raise KeyUnavailable(f"{url} refuses: {_code(error)}") from None
    except aws.BotoCoreError as error:
        raise KeyUnavailable(f"{url} cannot be reached: {type(error).__name__}") from None


def _client(region: str | None, endpoint: str | None) -> "KMSClient":
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    session = boto3.session.Session()
    return session.client("kms", region_name=region, endpoint_url=endpoint, config=config)


def _alias(tenant: str, epoch: int) -> str:
    check_key_name(tenant, epoch)
    return f"alias/mnemo/{sha256(tenant.encode()).hexdigest()}/{epoch}"


def _code(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
