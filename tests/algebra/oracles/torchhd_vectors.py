"""Writes torchhd.npz beside itself: what torchhd's binary spatter codes make of fixed input.

Made with torchhd 5.8.4 on torch 2.13.0: `python tests/algebra/oracles/torchhd_vectors.py`. The same by
definition: bind, permute, the majority of an odd count, the number of equal components. Different: torchhd
breaks the ties of an even count at random, so no even count is here; its cosine similarity runs from -1 to 1,
twice ours less 1; its random vectors come from a generator, ours from a name.
"""

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHIFTS = [1, -1, 13, 64, -700, 5_000]
WIDTHS = [1_024, 16_384]


def inputs(bits: int) -> NDArray[np.uint8]:
    """Return five vectors: the expanded hashes of their numbers."""
    rows = [hashlib.shake_256(bytes([n])).digest(bits // 8) for n in range(5)]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(5, -1)


def results(bits: int, torch: Any, torchhd: Any) -> dict[str, NDArray[Any]]:
    """Return torchhd's answers for one width, packed."""
    vectors = torchhd.ensure_vsa_tensor(
        torch.from_numpy(np.unpackbits(inputs(bits), axis=1).astype(bool)), "BSC"
    )

    def packed(tensor: Any) -> NDArray[np.uint8]:
        return np.packbits(tensor.numpy().astype(bool), axis=-1)

    return {
        f"bind_{bits}": packed(torchhd.bind(vectors[0], vectors[1])),
        f"permute_{bits}": np.stack([packed(torchhd.permute(vectors[0], shifts=n)) for n in SHIFTS]),
        f"majority_3_{bits}": packed(torchhd.multibundle(vectors[:3])),
        f"majority_5_{bits}": packed(torchhd.multibundle(vectors)),
        f"equal_{bits}": torchhd.hamming_similarity(vectors[0], vectors).numpy(),
        f"cosine_{bits}": vectors[0].cosine_similarity(vectors, dtype=torch.float64).numpy(),
    }


def main() -> None:
    """Write the file."""
    torch, torchhd = importlib.import_module("torch"), importlib.import_module("torchhd")
    answers: dict[str, Any] = {}
    for bits in WIDTHS:
        answers |= results(bits, torch, torchhd)
    np.savez(Path(__file__).with_name("torchhd.npz"), **answers)


if __name__ == "__main__":
    main()
