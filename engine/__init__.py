"""Mnemo: long-term memory inside PostgreSQL, as hypervectors under Hamming distance."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.errors import MnemoError
    from engine.memory import Collection, Hit, Memory, MemoryId, Recall, TierStats
    from engine.mnemo import Mnemo

__all__ = ["Collection", "Hit", "Memory", "MemoryId", "Mnemo", "MnemoError", "Recall", "TierStats"]

_ELSEWHERE = {"MnemoError": "engine.errors", "Mnemo": "engine.mnemo"}


def __getattr__(name: str) -> object:
    # Imported when first asked for: the command line starts without NumPy and the driver.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "engine.memory")), name)
