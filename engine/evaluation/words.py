"""Texts to words for BM25: by Unicode, and where a language is known by its stems, without its stop words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine.errors import InvalidArgument, MnemoError

Words = Callable[[str], list[str]]

# Scripts written without spaces: a word is two neighbouring characters, as search engines have it.
_CONTINUOUS = (
    r"\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"[{_CONTINUOUS}]+|[^\W{_CONTINUOUS}]+")
_IS_CONTINUOUS = re.compile(rf"[{_CONTINUOUS}]")
# What is both a list of stop words and a stemmer; the lists' names in bm25s.
LANGUAGES = {
    name: f"STOPWORDS_{name.upper()}"
    for name in (
        "danish", "dutch", "french", "german", "italian", "norwegian", "portuguese", "russian", "spanish",
        "swedish", "turkish",
    )
} | {"english": "STOPWORDS_EN_PLUS"}  # fmt: skip
_SAMPLE = 2000
# Of running text, stop words make up a third and more; of another language's, hardly a tenth.
_FEWEST = 0.2


def words(text: str) -> list[str]:
    """Return the words of a text in any language, in lower case."""
    found = []
    for run in _RUN.findall(text.lower()):
        if len(run) > 1 and _IS_CONTINUOUS.match(run):
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def stemmed(language: str) -> Words:
    """Return what makes stems of a text's words. Raises InvalidArgument for a language it does not know."""
    if language not in LANGUAGES:
        raise InvalidArgument(
            f"unknown language {language!r}: there are {', '.join(sorted(LANGUAGES))}, auto and none"
        )
    import Stemmer

    stop = stop_words(language)
    stemmer = Stemmer.Stemmer(language)

    def stems(text: str) -> list[str]:
        kept: list[str] = stemmer.stemWords([word for word in words(text) if word not in stop])
        return kept

    return stems


def stop_words(language: str) -> frozenset[str]:
    """Return the words of a language that say nothing."""
    return frozenset(getattr(library().stopwords, LANGUAGES[language]))


def language_of(texts: Sequence[str]) -> str | None:
    """Return the language whose stop words make up most of the texts; None where none is likely."""
    counted = Counter(_sample(texts))
    total = sum(counted.values())
    shares = {
        language: sum(counted[word] for word in stop_words(language)) / max(total, 1)
        for language in LANGUAGES
    }
    likely = max(shares, key=lambda language: shares[language])
    return likely if shares[likely] >= _FEWEST else None


def library() -> Any:
    """Return the module bm25s. Raises MnemoError where the optional packages are not installed."""
    try:
        import bm25s
        import Stemmer  # noqa: F401
    except ImportError as error:
        raise MnemoError(
            f"BM25 needs the package {error.name}: pip install 'mnemo[eval]', or leave BM25 and RRF out with"
            " --methods"
        ) from error
    return bm25s


def _sample(texts: Sequence[str]) -> Iterable[str]:
    step = max(1, len(texts) // _SAMPLE)
    return (word for text in texts[::step] for word in words(text))
