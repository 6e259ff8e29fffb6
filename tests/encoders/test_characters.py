"""H4: the frozen character classes are one table, on both sides."""

import sys
import unicodedata

import pytest

from engine.encoders import freeze_characters
from engine.encoders.text import fold, tokens
from engine.sources import source_dir
from tests.conftest import Connection

# Planes 4 to 13 hold nothing.
_PLANES = (
    range(1, 0xD800),
    range(0xE000, 0x40000),
    range(0xDFFF0, 0xE1000),
    range(0x10FF00, sys.maxunicode + 1),
)
_CODES = [chr(code) for plane in _PLANES for code in plane]


def test_h4_files_are_what_the_generator_writes() -> None:
    classes = freeze_characters.held()
    sql = source_dir("sql") / "functions" / "encoding" / "character_class.sql"
    assert sql.read_text() == freeze_characters.render_sql(classes)
    python = (source_dir("sql").parent / "engine" / "encoders" / "characters.py").read_text()
    assert python == freeze_characters.render_python(classes)


@pytest.mark.skipif(
    unicodedata.unidata_version != freeze_characters.UNICODE, reason="computed from one Unicode version only"
)
def test_h4_classes_are_those_of_the_frozen_unicode() -> None:
    assert freeze_characters.compute() == freeze_characters.held()


def test_h4_database_holds_the_same_classes(module_connection: Connection) -> None:
    for name, body in freeze_characters.held().items():
        assert module_connection.execute("select mnemo.character_class(%s)", [name]).fetchone() == (body,)
    assert module_connection.execute("select mnemo.character_class('none')").fetchone() == (None,)


def test_h4_every_character_folds_and_splits_alike(module_connection: Connection) -> None:
    step = 16_384
    for start in range(0, len(_CODES), step):
        # Between letters, and beside a base that combining marks change.
        text = " ".join(f"a{character}e {character}" for character in _CODES[start : start + step])
        folded = module_connection.execute("select mnemo.fold(%s)", [text]).fetchone()
        assert folded == (fold(text),)
        rows = module_connection.execute("select word, count, kind from mnemo.tokens(%s)", [text]).fetchall()
        words, pairs = tokens(text)
        assert {(word, kind): count for word, count, kind in rows} == {
            **{(word, "w"): count for word, count in words.items()},
            **{(pair, "c"): count for pair, count in pairs.items()},
        }
