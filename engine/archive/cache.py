"""What was read from the archive, kept in memory; the least recently used goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any


class Cache:
    """Values by key, up to so many bytes; those of content-addressed objects, which never change.

    Safe in several threads.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._held = 0
        self._lock = Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes held."""
        return self._held

    def get(self, key: Hashable) -> Any:
        """Return a value, None where it is not here."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a value of so many bytes, unless it is larger than all there is room for."""
        if size > self.capacity:
            return
        with self._lock:
            before = self._values.pop(key, None)
            self._held += size - (before[1] if before is not None else 0)
            self._values[key] = (value, size)
            while self._held > self.capacity:
                _, (_, gone) = self._values.popitem(last=False)
                self._held -= gone

    def drop(self, key: Hashable) -> None:
        """Keep a value no longer."""
        with self._lock:
            found = self._values.pop(key, None)
            self._held -= found[1] if found is not None else 0

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._values.clear()
            self._held = 0


_shared = Cache(0)


def shared_cache(megabytes: int) -> Cache:
    """Return the process's cache, which holds as much as the largest that was asked for."""
    _shared.capacity = max(_shared.capacity, megabytes << 20)
    return _shared
