"""Vector stores behind one protocol: where memories are kept, by name (SPEC N1)."""

from engine.backends.protocol import Page, VectorStore
from engine.backends.registry import StoreFactory, create_store, register_store, store_names

__all__ = ["Page", "StoreFactory", "VectorStore", "create_store", "register_store", "store_names"]
