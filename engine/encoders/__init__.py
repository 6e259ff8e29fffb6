"""Encoders: what turns texts and embeddings into hypervectors, behind one protocol."""

from engine.encoders.composite import Batch, Composite, CompositeEncoder
from engine.encoders.lexical import LexicalEncoder
from engine.encoders.projection import ProjectionEncoder
from engine.encoders.protocol import Encoder
from engine.encoders.registry import EncoderFactory, create_encoder, encoder_names, register_encoder
from engine.encoders.sentence_transformers import SentenceTransformersEncoder
from engine.encoders.weights import Encoding, Statistics, Words

__all__ = [
    "Batch",
    "Composite",
    "CompositeEncoder",
    "Encoder",
    "EncoderFactory",
    "Encoding",
    "LexicalEncoder",
    "ProjectionEncoder",
    "SentenceTransformersEncoder",
    "Statistics",
    "Words",
    "create_encoder",
    "encoder_names",
    "register_encoder",
]
