"""The event bus from Python: publishing, and consumers as asynchronous iterators."""

from engine.events.consumer import Consumer, run_consumers
from engine.events.event import Event

__all__ = ["Consumer", "Event", "run_consumers"]
