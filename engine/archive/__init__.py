"""Cold memories in object storage: the stores, and the files in them."""

from engine.archive.objects import Conditions, ObjectInfo, ObjectStore, checked_key, checked_prefix, is_key
from engine.archive.registry import ObjectsFactory, objects_url, open_objects, register_objects

__all__ = [
    "Conditions",
    "ObjectInfo",
    "ObjectStore",
    "ObjectsFactory",
    "checked_key",
    "checked_prefix",
    "is_key",
    "objects_url",
    "open_objects",
    "register_objects",
]
