"""From a text to its words: folding and cutting, character for character what `mnemo.tokens` does in SQL."""

import re
from collections import Counter
from unicodedata import normalize

from engine.encoders import characters
from engine.errors import InvalidArgument

PIECE = 64

_DROPPED = re.compile(f"[{characters.DROPPED}]+")
_UNKNOWN = re.compile(f"[^{characters.KEPT}]+")
_STACKED = re.compile(f"[{characters.STACKING}]{{8,}}")
_ASCII_TOKEN = re.compile("[a-z0-9]+")
_TOKEN = re.compile(f"([{characters.CONTINUOUS}]+)|[{characters.SYMBOL}]|[{characters.WORD}]+")
_BETWEEN = re.compile(f"[^{characters.WORD}{characters.CONTINUOUS}{characters.SYMBOL}]+")
_APART = re.compile(f"[{characters.CONTINUOUS}]+|[{characters.SYMBOL}]")
_ASCII_BETWEEN = re.compile("[^a-z0-9]+")
_RAW = re.compile(f"[^{characters.SPACE}]+")


def check_text(text: str, row: int) -> str:
    """Return `text`; raise InvalidArgument where PostgreSQL could not hold it, naming `row`."""
    at = text.find("\0")
    if at >= 0:
        raise InvalidArgument(f"invalid text in row {row}: character {at} is NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise InvalidArgument(
            f"invalid text in row {row}: character {error.start} is the lone surrogate U+{code:04X}"
        ) from None
    return text


def fold(text: str) -> str:
    """Return the text as the lexical encoder compares it: see `mnemo.fold`.

    Case, accents, points, invisible characters and the width of a letter fall away.
    """
    if text.isascii():
        return text.lower()
    # Characters that Unicode 14 does not know go first: the rest folds alike in every later version.
    known = _UNKNOWN.sub(" ", _DROPPED.sub("", text))
    # Sorting combining marks takes the square of their number; no writing stacks eight.
    folded = normalize("NFKD", _STACKED.sub("", known)).casefold()
    return normalize("NFKC", _DROPPED.sub("", folded))


def tokens(text: str) -> tuple[Counter[str], Counter[str]]:
    """Count the words of a text, and the pairs of characters in runs without spaces: see `mnemo.tokens`."""
    folded = fold(text)
    words: list[str] = []
    pairs: list[str] = []
    if folded.isascii():
        words = _ASCII_TOKEN.findall(folded)
    else:
        for found in _TOKEN.finditer(folded):
            if found.group(1) is None:
                words.append(found.group())
            else:
                pairs.extend(_pairs(found.group()))
    if not words and not pairs:
        for run in _RAW.findall(text):
            pairs.extend(_pairs(run))
    if len(folded) > PIECE:
        words = [piece for word in words for piece in _pieces(word)]
    return Counter(words), Counter(pairs)


def spaced(text: str) -> str:
    """Return the text folded, one space before, between and after its words: see `mnemo.spaced_text`."""
    folded = f" {fold(text)} "
    if folded.isascii():
        return _ASCII_BETWEEN.sub(" ", folded)
    return _APART.sub(r" \g<0> ", _BETWEEN.sub(" ", folded))


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else list(map(str.__add__, run, run[1:]))


def _pieces(word: str) -> list[str]:
    if len(word) <= PIECE:
        return [word]
    return [word[at : at + PIECE] for at in range(0, len(word), PIECE)]
