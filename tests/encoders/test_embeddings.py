"""H4: embeddings and models as encoders, and the registry."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from engine.encoders import (
    Encoder,
    LexicalEncoder,
    ProjectionEncoder,
    SentenceTransformersEncoder,
    create_encoder,
    encoder_names,
    register_encoder,
)
from engine.errors import InvalidArgument, InvalidConfiguration, InvalidEmbedding
from engine.hypervector import project


class StubTransformer:
    """Embeds a text as its length and two constants."""

    def __init__(self, model: str, device: str | None = None) -> None:
        if model == "absent":
            raise OSError("no such model")
        self.model, self.device = model, device

    def get_sentence_embedding_dimension(self) -> int | None:
        """Return the length of the embeddings."""
        return None if self.model == "shapeless" else 3

    def encode(self, texts: list[str], *, convert_to_numpy: bool, show_progress_bar: bool) -> Any:
        """Return float32[n, 3]."""
        assert convert_to_numpy
        assert not show_progress_bar
        return np.array([[len(text), -1.5, 0.5] for text in texts], np.float32)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stub in the place of the library."""
    stub = ModuleType("sentence_transformers")
    stub.SentenceTransformer = StubTransformer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", stub)


def test_h4_projection_encoder_is_the_projection() -> None:
    embeddings = np.random.default_rng(1).normal(size=(5, 12))
    encoder = ProjectionEncoder(12, "seed", 1_024)
    expected = project(embeddings.astype(np.float32), "seed", 1_024)
    assert np.array_equal(encoder.encode(embeddings), expected)
    assert np.array_equal(encoder.encode(embeddings.tolist()), expected)
    assert encoder.encode([]).shape == (0, 128)
    assert encoder.encode(np.empty((0, 12))).shape == (0, 128)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([[1, 2, 3], [1, 2]], "row 1 has 2 components where 3"),
        (np.ones((2, 4)), "row 0 has 4 components where 3"),
        (np.empty((0, 4)), "rows of 3 real numbers"),
        ([1, 2, 3], r"row 0 has shape \(\) where 3"),
        (np.ones((1, 3, 1)), r"row 0 has shape \(3, 1\)"),
        ([[1, 2, 3], ["a", "b", "c"]], "row 1 holds something that is not a real number"),
        ([[1, 2, None]], "row 0 holds something that is not a real number"),
        (np.ones((1, 3), np.complex64), "row 0 holds something that is not a real number"),
        ([[1, 2, 3], [1, float("nan"), 3]], "component 1 of row 1 is nan"),
        ([[1, 2, float("-inf")]], "component 2 of row 0 is -inf"),
        ([[1e300, 2, 3]], "component 0 of row 0 is inf"),
        ([[1, 2, 3], [0, 0, 0]], "row 1 are zero"),
        (7, "rows of 3 real numbers"),
    ],
)
def test_h4_bad_embeddings_are_refused_by_row(batch: ArrayLike, message: str) -> None:
    with pytest.raises(InvalidEmbedding, match=message):
        ProjectionEncoder(3, "seed", 1_024).encode(batch)


@pytest.mark.usefixtures("library")
def test_h4_sentence_transformers_are_projected() -> None:
    encoder = create_encoder("sentence-transformers", model="some/model", bits=1_024)
    assert isinstance(encoder, SentenceTransformersEncoder)
    assert (encoder.dimension, encoder.seed) == (3, "some/model")
    expected = project(np.array([[2, -1.5, 0.5], [3, -1.5, 0.5]], np.float32), "some/model", 1_024)
    assert np.array_equal(encoder.encode(["ab", "abc"]), expected)
    assert encoder.encode([]).shape == (0, 128)
    with pytest.raises(InvalidArgument, match="row 0: character 0 is NUL"):
        encoder.encode(["\0"])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("model", "message"), [("absent", "no such model"), ("shapeless", "length")])
def test_h4_models_that_cannot_serve_are_named(model: str, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message) as caught:
        SentenceTransformersEncoder(model)
    assert repr(model) in str(caught.value)


def test_h4_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InvalidConfiguration, match=r"pip install 'mnemo\[text\]'"):
        SentenceTransformersEncoder("some/model")


def test_h4_encoders_come_by_name() -> None:
    assert encoder_names() == ["composite", "lexical", "projection", "sentence-transformers"]
    for encoder in (
        create_encoder("lexical", bits=1_024),
        create_encoder("projection", dimension=4, seed="s", bits=1_024),
    ):
        assert isinstance(encoder, Encoder)
        assert (encoder.version, encoder.bits) == (1, 1_024)
    with pytest.raises(InvalidArgument, match="unknown encoder 'wordy': there are composite, lexical"):
        create_encoder("wordy")
    with pytest.raises(InvalidArgument, match="settings of encoder 'lexical'"):
        create_encoder("lexical", colour="red")
    with pytest.raises(InvalidArgument, match="registered already"):
        register_encoder("lexical", LexicalEncoder)
