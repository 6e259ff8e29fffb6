"""Hypervectors as query parameters, in PostgreSQL's binary format."""

import struct

import numpy as np
from numpy.typing import NDArray
from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.postgres import types
from psycopg.pq import Format


class PackedBits(bytes):
    """A hypervector, D/8 bytes, on its way to a parameter of type bit varying."""

    @classmethod
    def of(cls, hdv: NDArray[np.uint8]) -> "PackedBits":
        """Return the bytes of uint8[D/8]."""
        return cls(np.ascontiguousarray(hdv).tobytes())


class PackedBitsDumper(Dumper):
    """Writes the number of bits and then the bytes: what varbit_recv reads."""

    format = Format.BINARY
    oid = types["varbit"].oid

    def dump(self, obj: PackedBits) -> Buffer:
        """Return the wire form."""
        return struct.pack("!i", len(obj) * 8) + obj


class PackedBitsLoader(Loader):
    """Reads bit(D) as uint8[D/8], read-only."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.uint8]:
        """Return the components, packed."""
        return np.frombuffer(bytes(data), np.uint8, offset=4)


def register(context: AdaptContext) -> None:
    """Teach a connection to take PackedBits, and to give hypervectors as uint8[D/8] in binary results."""
    context.adapters.register_dumper(PackedBits, PackedBitsDumper)
    context.adapters.register_loader("bit", PackedBitsLoader)
