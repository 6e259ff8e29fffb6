"""The lexical encoder's definition, computed the plain way from its symbols."""

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from engine.hypervector import Hypervectors, permute, random_hypervector


def symbol(name: str, bits: int) -> Hypervectors:
    """Return a symbol's hypervector: the XOR of four roots, each shifted by 24 bits of the name's hash."""
    digest = sha256(name.encode()).digest()
    made = np.zeros(bits // 8, np.uint8)
    for k in range(4):
        offset = int.from_bytes(digest[3 * k : 3 * k + 3], "big") % (bits // 8)
        made ^= permute(random_hypervector(f"mnemo:lexical:1:{k}", bits), -8 * offset)
    return made


def encode(weighted: Mapping[str, int], bits: int) -> Hypervectors:
    """Return the signs of the weighted sum of the symbols, read as +1 and -1; no sum may be zero."""
    total = np.zeros(bits, np.int64)
    for name, weight in weighted.items():
        total += weight * (2 * np.unpackbits(symbol(name, bits)).astype(np.int64) - 1)
    assert total.all()
    return np.packbits(total > 0)
