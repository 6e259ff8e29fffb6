"""The write path: memories in batches, encoded, staged by COPY, stored by one function."""

from engine.writing.writer import Portion, Writer

__all__ = ["Portion", "Writer"]
