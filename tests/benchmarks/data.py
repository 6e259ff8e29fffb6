"""What is measured on: real texts with their hypervectors, and queries that the store does not hold."""

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.demo.docstrings import docstrings
from engine.encoders import LexicalEncoder
from engine.hypervector import Hypervectors, project

SEED = "mnemo:projection"
DROPPED = 0.3
FEWEST_WORDS = 8


@dataclass(frozen=True)
class Corpus:
    """Texts and hypervectors uint8[n, D/8] to store, as many again to insert later, and queries."""

    name: str
    texts: list[str]
    hdvs: Hypervectors
    late_texts: list[str]
    late_hdvs: Hypervectors
    queries: Hypervectors
    embeddings: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.texts)


def load(folder: Path | None, bits: int, rows: int | None, queries: int) -> Corpus:
    """Load the embeddings of `folder` and their texts, else the documentation strings of this Python."""
    return _docstrings(bits, rows, queries) if folder is None else _embeddings(folder, bits, rows, queries)


def known_items(most: int | None, sample: int) -> tuple[list[str], list[int], list[str]]:
    """Return distinct docstrings, which are asked for, and by what."""
    texts = _distinct(most)
    long = [i for i, text in enumerate(texts) if len(text.split()) >= FEWEST_WORDS]
    chosen = random.Random(11).sample(long, min(sample, len(long)))
    return texts, chosen, shortened([texts[i] for i in chosen])


def synsets(folder: Path, most: int | None = None) -> tuple[list[str], NDArray[np.float32]]:
    """Return texts and embeddings float32[n, d], of length 1, of WordNet."""
    embeddings = np.load(folder / "wordnet_50k_embeddings.npy")[:most].astype(np.float32)
    with gzip.open(folder / "wordnet_50k.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["content"] for line in lines][:most]
    return texts, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def shortened(texts: list[str]) -> list[str]:
    """Return each text without a random 30 % of its words."""
    dice = random.Random(7)
    kept = []
    for text in texts:
        words = text.split()
        left = sorted(dice.sample(range(len(words)), len(words) - round(DROPPED * len(words))))
        kept.append(" ".join(words[i] for i in left))
    return kept


def _distinct(most: int | None) -> list[str]:
    texts: dict[str, None] = {}
    for _, text in docstrings():
        texts[text] = None
        if len(texts) == most:
            break
    return list(texts)


def _docstrings(bits: int, rows: int | None, queries: int) -> Corpus:
    texts = _distinct(None if rows is None else rows + rows // 10)
    random.Random(5).shuffle(texts)
    base = len(texts) - len(texts) // 10 if rows is None else min(rows, len(texts))
    encoder = LexicalEncoder(bits)
    hdvs = encoder.encode(texts)
    long = [text for text in texts[:base] if len(text.split()) >= FEWEST_WORDS][:queries]
    return Corpus(
        "docstrings of the Python installation",
        texts[:base],
        hdvs[:base],
        texts[base:],
        hdvs[base:],
        encoder.encode(shortened(long)),
        None,
    )


def _embeddings(folder: Path, bits: int, rows: int | None, queries: int) -> Corpus:
    path = folder / "wordnet_50k_embeddings.npy"
    embeddings = np.load(path).astype(np.float32)
    with gzip.open(folder / "wordnet_50k.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["content"] for line in lines]
    order = np.random.default_rng(5).permutation(len(texts))
    if rows is not None:
        order = order[: rows + rows // 10 + queries]
    hdvs = project(embeddings[order], SEED, bits)
    asked, rest = slice(0, queries), order[queries:]
    base = len(rest) - len(rest) // 11 if rows is None else min(rows, len(rest))
    return Corpus(
        path.stem,
        [texts[i] for i in rest[:base]],
        hdvs[queries : queries + base],
        [texts[i] for i in rest[base:]],
        hdvs[queries + base :],
        hdvs[asked],
        embeddings,
    )
