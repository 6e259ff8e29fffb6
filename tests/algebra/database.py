"""The SQL functions called with NumPy arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from engine.hypervector import Hypervectors


def to_sql(vector: Hypervectors) -> str:
    """Return a vector as Postgres reads it: an x and hexadecimal digits."""
    return f"x{vector.tobytes().hex()}"


def from_sql(text: str) -> Hypervectors:
    """Return the vector that Postgres wrote as zeros and ones."""
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0"))


@dataclass(frozen=True)
class Algebra:
    """A migrated database."""

    connection: psycopg.Connection[tuple[Any, ...]]
    bits: int
    sketch_bits: int

    def value(self, expression: str, *arguments: object) -> Any:
        """Return one value; arrays become varbit, write %s::varbit for them."""
        sent = [to_sql(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]
        row = self.connection.execute(f"select {expression}".encode(), sent).fetchone()
        assert row is not None
        return row[0]

    def vector(self, expression: str, *arguments: object) -> Hypervectors:
        """Return one hypervector."""
        return from_sql(self.value(expression, *arguments))

    def bundle(self, vectors: Hypervectors, weights: list[int] | None = None) -> Hypervectors:
        """Return the SQL bundle of a batch."""
        rows = "unnest(%s::text[], %s::bigint[]) as r (hdv, weight)"
        counted = "r.hdv::varbit" if weights is None else "r.hdv::varbit, r.weight"
        expression = f"mnemo.bundle({counted}) from {rows}"
        return self.vector(expression, [to_sql(vector) for vector in vectors], weights or [])
