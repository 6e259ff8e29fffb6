"""Texts by the meaning a sentence-transformers model gives them; needs the extra `text`."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from engine.encoders.projection import ProjectionEncoder
from engine.encoders.text import check_text
from engine.errors import InvalidConfiguration
from engine.hypervector import Hypervectors


class SentenceTransformersEncoder:
    """Texts to hypervectors: the model's embedding, projected with `seed`, by default the model's name."""

    name = "sentence-transformers"
    version = 1

    def __init__(
        self, model: str, *, seed: str | None = None, bits: int = 16_384, device: str | None = None
    ) -> None:
        """Load the model, from the disk or from its hub; raise InvalidConfiguration where that fails."""
        self.model = model
        self._transformer = _load(model, device)
        dimension = self._transformer.get_sentence_embedding_dimension()
        if not isinstance(dimension, int):
            raise InvalidConfiguration(
                [f"encoder.model: {model!r} does not tell the length of its embeddings"]
            )
        self._projection = ProjectionEncoder(dimension, model if seed is None else seed, bits)
        self.dimension = dimension
        self.seed = self._projection.seed
        self.bits = bits

    def encode(self, batch: Sequence[str], /) -> Hypervectors:
        """Return `uint8[n, D / 8]` for n texts; raise InvalidArgument for one that no database could hold."""
        texts = [check_text(text, row) for row, text in enumerate(batch)]
        if not texts:
            return np.empty((0, self.bits // 8), np.uint8)
        return self._projection.encode(
            self._transformer.encode(texts, convert_to_numpy=True, show_progress_bar=False)
        )


def _load(model: str, device: str | None) -> Any:
    try:
        # Takes seconds to import, so only those who use it wait.
        library = import_module("sentence_transformers")
    except ImportError as error:
        raise InvalidConfiguration(
            [f"encoder: 'sentence-transformers' needs the extra 'text' (pip install 'mnemo[text]'): {error}"]
        ) from error
    try:
        return library.SentenceTransformer(model, device=device)
    except (OSError, ValueError) as error:
        raise InvalidConfiguration([f"encoder.model: {model!r} cannot be loaded: {error}"]) from error
