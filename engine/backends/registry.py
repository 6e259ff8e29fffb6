"""Vector stores by name."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from engine.backends.protocol import VectorStore
from engine.errors import InvalidArgument

# Opens a store for the time of a context; its keyword options are the backend's own.
StoreFactory = Callable[..., AbstractAsyncContextManager[VectorStore]]

_factories: dict[str, StoreFactory] = {}


def register_store(name: str, factory: StoreFactory) -> None:
    """Make a backend available under a name; a name taken by another factory is refused."""
    if _factories.setdefault(name, factory) is not factory:
        raise InvalidArgument(f"a vector store named {name!r} is registered already")


def create_store(name: str, **options: Any) -> AbstractAsyncContextManager[VectorStore]:
    """Open the backend of that name with its options."""
    if name not in _factories:
        raise InvalidArgument(f"no vector store is named {name!r}; there are {', '.join(store_names())}")
    return _factories[name](**options)


def store_names() -> list[str]:
    """Return the registered names, sorted."""
    return sorted(_factories)
