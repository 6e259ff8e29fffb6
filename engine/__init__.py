"""Mnemo: long-term memory inside PostgreSQL, as hypervectors under Hamming distance."""

from engine.errors import MnemoError
from engine.memory import Collection, Hit, Memory, MemoryId, Recall, TierStats
from engine.mnemo import Mnemo

__all__ = ["Collection", "Hit", "Memory", "MemoryId", "Mnemo", "MnemoError", "Recall", "TierStats"]
