"""Encoders: what turns texts and embeddings into hypervectors, behind one protocol."""

from engine.encoders.lexical import LexicalEncoder
from engine.encoders.projection import ProjectionEncoder
from engine.encoders.protocol import Encoder
from engine.encoders.registry import EncoderFactory, create_encoder, encoder_names, register_encoder
from engine.encoders.sentence_transformers import SentenceTransformersEncoder

__all__ = [
    "Encoder",
    "EncoderFactory",
    "LexicalEncoder",
    "ProjectionEncoder",
    "SentenceTransformersEncoder",
    "create_encoder",
    "encoder_names",
    "register_encoder",
]
