"""The one place that joins the engine with its adapters."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from adapters.backends.memory import open_memory_store
from adapters.backends.postgres import open_postgres_store
from adapters.crypto.environment_keys import open_environment_keys
from adapters.crypto.file_keys import open_file_keys
from adapters.objects.directory import open_directory
from engine.archive import ObjectStore, register_objects
from engine.backends import VectorStore, create_store, register_store
from engine.config import Settings
from engine.vault.protocol import Cipher, KeyStore
from engine.vault.registry import register_cipher, register_keys

register_store("memory", open_memory_store)
register_store("postgres", open_postgres_store)


@asynccontextmanager
async def _open_s3(url: str, settings: Settings) -> AsyncIterator[ObjectStore]:
    # boto3 takes a third of a second to import.
    from adapters.objects.s3 import open_s3

    async with open_s3(url, settings) as store:
        yield store


register_objects("file", open_directory)
register_objects("s3", _open_s3)


@asynccontextmanager
async def _open_kms(url: str, settings: Settings) -> AsyncIterator[KeyStore]:
    from adapters.crypto.kms_keys import open_kms_keys

    async with open_kms_keys(url, settings) as store:
        yield store


def _make_cipher() -> Cipher:
    from adapters.crypto.layers import Layers

    return Layers()


register_keys("file", open_file_keys)
register_keys("env", open_environment_keys)
register_keys("kms", _open_kms)
register_cipher(_make_cipher)


def open_store(name: str = "postgres", **options: Any) -> AbstractAsyncContextManager[VectorStore]:
    """Open a vector store by name: `postgres`, `memory`, or one added by `engine.backends.register_store`."""
    return create_store(name, **options)
