"""Texts in any number: made up, or real ones with random words replaced."""

import random
from collections.abc import Iterator, Sequence

_SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sa", "te", "vo")
_WORDS = [first + second + third for first in _SYLLABLES for second in _SYLLABLES for third in _SYLLABLES]


def sentences(count: int, words: int = 12, seed: int = 0) -> Iterator[str]:
    """Yield sentences of so many words out of 512; of 12 words, no two are likely to be alike."""
    rng = random.Random(seed)
    for _ in range(count):
        yield " ".join(rng.choices(_WORDS, k=words))


def reworded(texts: Sequence[str], count: int, share: float = 0.3, seed: int = 0) -> Iterator[str]:
    """Yield the texts, and then again with a share of their words replaced by words of the others."""
    rng = random.Random(seed)
    words = sorted({word for text in texts for word in text.split()})
    for number in range(count):
        text = texts[number % len(texts)]
        if number >= len(texts):
            text = " ".join(rng.choice(words) if rng.random() < share else word for word in text.split())
        yield text
