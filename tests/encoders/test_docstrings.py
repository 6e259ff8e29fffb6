"""H4: the demo's corpus, and known-item search on it."""

import random
from pathlib import Path

import faiss
import numpy as np
import pytest

from engine.demo.docstrings import docstrings
from engine.encoders import LexicalEncoder


def test_docstrings_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / "alone.py").write_text(
        '"""A module."""\n'
        "class A:\n    'A class.'\n    def run(self):\n        '''Run.\n\n            Fast.\n        '''\n"
        "try:\n    def either(): 'First.'\nexcept ImportError:\n    def either(): 'Second.'\n"
        "async def later():\n    ' '\n    def inner(): 'Inner.'\n"
    )
    (tmp_path / "broken.py").write_text("def :\n")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text('"""Not ours."""\n')
    assert list(docstrings(tmp_path)) == [
        ("alone:__doc__", "A module."),
        ("alone:A", "A class."),
        ("alone:A.run", "Run.\n\nFast."),
        ("alone:either", "First."),
        ("alone:later.inner", "Inner."),
        ("pack:__doc__", "A package."),
    ]


@pytest.mark.slow
def test_h4_docstring_finds_itself_without_three_words_in_ten() -> None:
    texts = sorted({text for _, text in docstrings()})
    assert len(texts) > 5_000
    encoder = LexicalEncoder()
    index = faiss.IndexBinaryFlat(encoder.bits)
    index.add(encoder.encode(texts))
    chance = random.Random(11)
    chosen = chance.sample([i for i, text in enumerate(texts) if len(text.split()) >= 8], 300)
    queries = []
    for i in chosen:
        words = texts[i].split()
        kept = sorted(chance.sample(range(len(words)), len(words) - round(0.3 * len(words))))
        queries.append(" ".join(words[at] for at in kept))
    _, found = index.search(encoder.encode(queries), 1)
    assert np.mean(found[:, 0] == chosen) >= 0.95
