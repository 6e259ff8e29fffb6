"""Where the SQL and the migrations of this installation lie."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def source_dir(name: Literal["sql", "migrations"]) -> Path:
    """Return the folder of that name: the copy inside the wheel, else the checkout's own.

    Raises:
        FileNotFoundError: neither is there; the message names both places.
    """
    places = (_PACKAGE / "_bundled" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no folder {name!r} at {places[0]} or {places[1]}: reinstall mnemo")
