"""What the property tests draw from."""

import numpy as np
from hypothesis import strategies as st

from engine.hypervector import Hypervectors, random_hypervector


def _patterned(byte: int, bits: int) -> Hypervectors:
    return np.full(bits // 8, byte, np.uint8)


def hypervectors(bits: int) -> st.SearchStrategy[Hypervectors]:
    """Draw random vectors and regular ones, few enough that ties and duplicates are common."""
    return st.integers(0, 9).map(lambda n: random_hypervector(str(n), bits)) | st.sampled_from(
        [_patterned(byte, bits) for byte in (0x00, 0xFF, 0x55, 0xAA, 0x01)]
    )


def batches(bits: int, most: int = 12) -> st.SearchStrategy[Hypervectors]:
    """Draw one to `most` vectors."""
    return st.lists(hypervectors(bits), min_size=1, max_size=most).map(np.stack)


def weighted(bits: int) -> st.SearchStrategy[tuple[Hypervectors, list[int]]]:
    """Draw a batch and its weights, small and huge."""
    weight = st.integers(1, 9) | st.integers(1, 2**59) | st.integers(0, 59).map(lambda n: 2**n)
    pair = st.tuples(hypervectors(bits), weight)
    return st.lists(pair, min_size=1, max_size=8).map(
        lambda pairs: (np.stack([vector for vector, _ in pairs]), [w for _, w in pairs])
    )


def shifts() -> st.SearchStrategy[int]:
    """Draw shifts that fit a Postgres integer."""
    return st.integers(-(2**31), 2**31 - 1) | st.integers(-70, 70)


def embeddings(most: int = 40) -> st.SearchStrategy[list[float]]:
    """Draw finite float32 embeddings that are not all zero: denormal, huge, negative zero, halves."""
    component = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-254, 254).map(float)
    return st.lists(component, min_size=1, max_size=most).filter(any)
