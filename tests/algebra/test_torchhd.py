"""H1: the algebra against torchhd's binary spatter codes, where both define the same thing."""

from pathlib import Path

import numpy as np
import pytest

from engine.hypervector import bind, bundle, hamming, permute, similarity
from tests.algebra.oracles.torchhd_vectors import SHIFTS, WIDTHS, inputs

_FILE = Path(__file__).parent / "oracles" / "torchhd.npz"


@pytest.mark.parametrize("bits", WIDTHS)
def test_h1_agrees_with_torchhd(bits: int) -> None:
    vectors = inputs(bits)
    with np.load(_FILE) as expected:
        assert np.array_equal(bind(vectors[0], vectors[1]), expected[f"bind_{bits}"])
        moved = np.stack([permute(vectors[0], n) for n in SHIFTS])
        assert np.array_equal(moved, expected[f"permute_{bits}"])
        for count in (3, 5):
            made = bundle(vectors[:count])
            assert made is not None
            assert np.array_equal(made, expected[f"majority_{count}_{bits}"])
        equal = [bits - hamming(vectors[0], vector) for vector in vectors]
        assert equal == expected[f"equal_{bits}"].tolist()
        cosine = [2 * similarity(vectors[0], vector) - 1 for vector in vectors]
        assert cosine == expected[f"cosine_{bits}"].tolist()
