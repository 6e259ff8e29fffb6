"""Mnemo in SQLAlchemy: mapped classes, the type of a hypervector, searches, engines for both drivers."""

from engine.orm.classes import Activity, Base, Collection, Memory, Segment, StoredMemory, Tier, TierStats
from engine.orm.engines import create_async_engine, create_engine
from engine.orm.hypervector import HammingDistance, Hypervector
from engine.orm.queries import Hits, nearest, recall, recall_text, search

__all__ = [
    "Activity",
    "Base",
    "Collection",
    "HammingDistance",
    "Hits",
    "Hypervector",
    "Memory",
    "Segment",
    "StoredMemory",
    "Tier",
    "TierStats",
    "create_async_engine",
    "create_engine",
    "nearest",
    "recall",
    "recall_text",
    "search",
]
