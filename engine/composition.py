"""The one place that joins the engine with its adapters."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from adapters.backends.memory import open_memory_store
from adapters.backends.postgres import open_postgres_store
from engine.backends import VectorStore, create_store, register_store

register_store("memory", open_memory_store)
register_store("postgres", open_postgres_store)


def open_store(name: str = "postgres", **options: Any) -> AbstractAsyncContextManager[VectorStore]:
    """Open a vector store by name: `postgres`, `memory`, or one added by `engine.backends.register_store`."""
    return create_store(name, **options)
