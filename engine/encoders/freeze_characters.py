"""Write the frozen character classes of the lexical encoder: `python -m engine.encoders.freeze_characters`.

Python and PostgreSQL carry different Unicode versions, so neither may decide what a letter is. The classes
are computed once, from Unicode 14.0 (Python 3.11), the oldest that Mnemo runs on. By Unicode's stability
policies later versions normalise and case-fold the characters assigned then as 14.0 does, so those two steps
need no table.
"""

import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.encoders import characters
from engine.sources import source_dir

UNICODE = "14.0.0"
CLASSES = ("space", "dropped", "stacking", "kept", "word", "continuous", "symbol")

_HALANT_NUKTA_KANA = {7, 8, 9}
# Fixed-position classes of vowel signs and tones: Telugu, Thai, Lao, Tibetan.
_VOWEL_SIGNS = {84, 91, 103, 107, 118, 122, 129, 130, 132}
_SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_CONTINUOUS = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "HIRAGANA",
    "KATAKANA",
    "BOPOMOFO",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TANGUT",
    "NUSHU",
    "YI SYLLABLE",
)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FIRST_SYMBOL = 0x2600


def compute() -> dict[str, str]:
    """Return the body of a regular-expression class for each name of CLASSES."""
    if unicodedata.unidata_version != UNICODE:
        raise SystemExit(f"this Python carries Unicode {unicodedata.unidata_version}, not {UNICODE}")
    codes = [c for c in map(chr, range(1, sys.maxunicode + 1)) if _category(c) not in {"Cn", "Cs", "Co"}]
    dropped = {c for c in codes if _is_dropped(c)}
    symbol = {c for c in codes if _category(c) == "So" and ord(c) >= _FIRST_SYMBOL} - dropped
    letters = {c for c in codes if _category(c)[0] in "LN" or _category(c)[0] == "M"} - dropped
    continuous = {c for c in letters if unicodedata.name(c, "").startswith(_CONTINUOUS)}
    stacking = {c for c in letters if unicodedata.combining(unicodedata.normalize("NFKD", c)[0])}
    tokens = letters | symbol
    kept = {c for c in codes if c not in dropped and not tokens.isdisjoint(_fold(c))}
    sets = (set(_SPACE), dropped, stacking, kept, letters - continuous, continuous, symbol)
    return dict(zip(CLASSES, map(_ranges, sets), strict=True))


def _category(character: str) -> str:
    return unicodedata.category(character)


def _fold(character: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", character).casefold())


def _is_dropped(character: str) -> bool:
    """Accents, points and invisible characters: texts that differ only in these are the same text."""
    if _category(character) == "Cf" or character == "\u0640" or ord(character) in _SKIN_TONES:
        return True
    if _category(character) not in {"Mn", "Me"} or character == "\u0345":
        return False
    combining = unicodedata.combining(character)
    if combining in _HALANT_NUKTA_KANA | _VOWEL_SIGNS:
        return False
    return combining != 0 or unicodedata.name(character, "").startswith(
        ("COMBINING", "VARIATION", "MONGOLIAN FREE")
    )


def _ranges(members: Iterable[str]) -> str:
    body = ""
    codes = sorted(map(ord, members))
    first = 0
    for at, code in enumerate(codes):
        if at + 1 == len(codes) or codes[at + 1] != code + 1:
            body += _escape(codes[first]) + (f"-{_escape(code)}" if first < at else "")
            first = at + 1
    return body


def _escape(code: int) -> str:
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def render_python(classes: dict[str, str]) -> str:
    """Return the text of `engine/encoders/characters.py`."""
    head = f'"""Character classes of Unicode {UNICODE}, made by freeze_characters: do not edit."""\n'
    return head + "".join(
        f"\n{name.upper()} = (\n" + "".join(f'    r"{line}"\n' for line in _lines(body)) + ")\n"
        for name, body in classes.items()
    )


def render_sql(classes: dict[str, str]) -> str:
    """Return the text of `sql/functions/encoding/character_class.sql`."""
    whens = "".join(
        f"        when '{name}' then\n            "
        + "\n            ".join(f"'{line}'" for line in _lines(body))
        + "\n"
        for name, body in classes.items()
    )
    return (
        "-- character_class(name): the body of a regular-expression class, frozen at Unicode "
        f"{UNICODE}; null for an unknown name.\n"
        "-- Made by engine.encoders.freeze_characters: do not edit. Python holds the same classes.\n"
        "create or replace function mnemo.character_class(p_name text) returns text\n"
        "language sql immutable parallel safe\nas $$\n    select case p_name\n" + whens + "    end\n$$;\n"
    )


def _lines(body: str) -> list[str]:
    parts = body.replace("\\", " \\").replace("- ", "-").split()
    return ["".join(parts[at : at + 6]) for at in range(0, len(parts), 6)]


def held() -> dict[str, str]:
    """Return the classes that `characters` holds."""
    return {name: getattr(characters, name.upper()) for name in CLASSES}


def main(
    write: Callable[[Path, str], object] = lambda path, text: path.write_text(text, encoding="ascii"),
) -> None:
    """Write both files."""
    classes = compute()
    write(Path(__file__).with_name("characters.py"), render_python(classes))
    write(source_dir("sql") / "functions" / "encoding" / "character_class.sql", render_sql(classes))


if __name__ == "__main__":
    main()
