"""The algebra of binary hypervectors in NumPy, bit for bit what the functions in `sql/functions/algebra` do.

A hypervector of D components (a multiple of 64, from 1,024 to 32,768) is `uint8[D / 8]`, packed as
`numpy.packbits` does: component 0 is the highest bit of byte 0. A batch is `uint8[n, D / 8]`.
"""

from engine.hypervector.algebra import (
    Hypervectors,
    bind,
    distances,
    hamming,
    permute,
    random_hypervector,
    similarity,
    sketch,
    tie_hypervector,
    unbind,
)
from engine.hypervector.bundling import bundle
from engine.hypervector.items import ItemMemory
from engine.hypervector.projection import project, quantise

__all__ = [
    "Hypervectors",
    "ItemMemory",
    "bind",
    "bundle",
    "distances",
    "hamming",
    "permute",
    "project",
    "quantise",
    "random_hypervector",
    "similarity",
    "sketch",
    "tie_hypervector",
    "unbind",
]
