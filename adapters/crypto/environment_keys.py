"""Epoch keys in environment variables: for whoever hands secrets to processes that way."""

import base64
import binascii
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from engine.config import Settings
from engine.errors import InvalidConfiguration, KeyUnavailable
from engine.vault.protocol import KEY_BYTES, Destruction, check_key_name

_PREFIX = "MNEMO_VAULT_KEY_"


@asynccontextmanager
async def open_environment_keys(url: str, settings: Settings) -> AsyncIterator["EnvironmentKeys"]:
    """Open the store of the URL ``env:``; InvalidConfiguration where something follows."""
    if url != "env:":
        raise InvalidConfiguration(["vault.keys: env: takes nothing after the colon"])
    yield EnvironmentKeys(os.environ)


class EnvironmentKeys:
    """A `KeyStore` of variables, each with 32 bytes as base64; it reads, and never writes.

    Who sets the variables makes keys and destroys them: `create` needs the variable there, `destroy` needs
    it gone. The environment of a running process does not follow what is changed outside: restart it. This
    store cannot know of other copies, so "final" is the word of whoever removed the variable; nor of who else
    reads them, so each database needs variables of its own.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def url(self) -> str:
        """``env:``."""
        return "env:"

    @property
    def makes_keys(self) -> bool:
        """No: who sets the variables does."""
        return False

    async def create(self, tenant: str, epoch: int) -> bytes:
        """Return the key, whoever uses it already; KeyUnavailable names the variable to set where none is."""
        name = variable_of(tenant, epoch)
        if not self._environ.get(name):
            raise KeyUnavailable(
                f"set {name} to 32 random bytes in base64, as `openssl rand -base64 32` prints, keep them "
                "in a safe place, and try again"
            )
        return self._key(name)

    async def fetch(self, tenant: str, epoch: int) -> bytes:
        """Return the key, as KeyStore says."""
        return self._key(variable_of(tenant, epoch))

    async def destroy(self, tenant: str, epoch: int) -> Destruction:
        """Say that the key is gone; KeyUnavailable while the variable is there."""
        name = variable_of(tenant, epoch)
        if self._environ.get(name):
            raise KeyUnavailable(f"remove {name} wherever it is kept, restart this process, and try again")
        return Destruction(final=True, final_at=datetime.now(UTC))

    async def epochs(self, tenant: str) -> list[int]:
        """Return the epochs that have a variable, as KeyStore says."""
        prefix = variable_of(tenant, 1)[:-1]
        rest = (
            name.removeprefix(prefix)
            for name, value in self._environ.items()
            if name.startswith(prefix) and value
        )
        return sorted(int(number) for number in rest if re.fullmatch("[1-9][0-9]*", number))

    def _key(self, name: str) -> bytes:
        text = self._environ.get(name)
        if not text:
            raise KeyUnavailable(f"there is no variable {name}")
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyUnavailable(f"{name} is no key: it must be {KEY_BYTES} bytes in base64")
        return key


def variable_of(tenant: str, epoch: int) -> str:
    """Return the variable of a key: ``MNEMO_VAULT_KEY_DEFAULT_1`` is the first of the tenant ``default``.

    A tenant of other letters than a-z and 0-9 is written as ``X_`` and the hexadecimal digits of its UTF-8.
    """
    check_key_name(tenant, epoch)
    plain = re.fullmatch("[a-z0-9]{1,100}", tenant)
    return f"{_PREFIX}{tenant.upper() if plain else 'X_' + tenant.encode().hex().upper()}_{epoch}"
