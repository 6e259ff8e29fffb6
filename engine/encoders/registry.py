"""Encoders by name."""

from collections.abc import Callable
from typing import Any

from engine.encoders.composite import CompositeEncoder
from engine.encoders.lexical import LexicalEncoder
from engine.encoders.projection import ProjectionEncoder
from engine.encoders.protocol import Encoder
from engine.encoders.sentence_transformers import SentenceTransformersEncoder
from engine.errors import InvalidArgument

EncoderFactory = Callable[..., Encoder[Any]]

_FACTORIES: dict[str, EncoderFactory] = {}


def register_encoder(name: str, factory: EncoderFactory) -> None:
    """Make `factory` known; its keyword arguments are the encoder's settings, `bits` among them.

    Raises InvalidArgument where the name is taken.
    """
    if name in _FACTORIES:
        raise InvalidArgument(f"invalid encoder: {name!r} is registered already")
    _FACTORIES[name] = factory


def create_encoder(name: str, **settings: Any) -> Encoder[Any]:
    """Return a new encoder; raise InvalidArgument for an unknown name or unknown settings."""
    factory = _FACTORIES.get(name)
    if factory is None:
        raise InvalidArgument(f"unknown encoder {name!r}: there are {', '.join(encoder_names())}")
    try:
        return factory(**settings)
    except TypeError as error:
        raise InvalidArgument(f"invalid settings of encoder {name!r}: {error}") from error


def encoder_names() -> list[str]:
    """Return the names of all encoders, sorted."""
    return sorted(_FACTORIES)


register_encoder(CompositeEncoder.name, CompositeEncoder)
register_encoder(LexicalEncoder.name, LexicalEncoder)
register_encoder(ProjectionEncoder.name, ProjectionEncoder)
register_encoder(SentenceTransformersEncoder.name, SentenceTransformersEncoder)
