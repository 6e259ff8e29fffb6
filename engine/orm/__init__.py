"""Mnemo in SQLAlchemy: mapped classes, the type of a hypervector, searches, engines for both drivers."""

from engine.orm.classes import Activity, Base, Collection, Memory, Segment, StoredMemory, Tier, TierStats
from engine.orm.engines import create_async_engine, create_engine
from engine.orm.hypervector import HammingDistance, Hypervector
from engine.orm.lifecycle import (
    Association,
    BusLag,
    DailyAccesses,
    DeadLetter,
    Job,
    JobRun,
    JobStatus,
    Move,
    Policy,
    PolicyChange,
    PolicyHistory,
    Telemetry,
    TierPrice,
)
from engine.orm.queries import Hits, nearest, recall, recall_text, search, search_text

__all__ = [
    "Activity",
    "Association",
    "Base",
    "BusLag",
    "Collection",
    "DailyAccesses",
    "DeadLetter",
    "HammingDistance",
    "Hits",
    "Hypervector",
    "Job",
    "JobRun",
    "JobStatus",
    "Memory",
    "Move",
    "Policy",
    "PolicyChange",
    "PolicyHistory",
    "Segment",
    "StoredMemory",
    "Telemetry",
    "Tier",
    "TierPrice",
    "TierStats",
    "create_async_engine",
    "create_engine",
    "nearest",
    "recall",
    "recall_text",
    "search",
    "search_text",
]
