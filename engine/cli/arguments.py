"""What users pass to commands, checked before anything is opened."""

import json
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidEmbedding, InvalidHypervector, MnemoError

_NPY_MAGIC = b"\x93NUMPY"
# The widest hypervector has 4,096 bytes; more is read only to say that it is too much.
_READ_AT_MOST = 65_536


class Text(click.ParamType[str]):
    """A text that PostgreSQL can hold: valid UTF-8, no NUL."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with the place of its first wrong character."""
        text = str(value)
        if "\x00" in text:
            self.fail("holds a NUL character", param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            self.fail(f"is not valid UTF-8 (character {error.start + 1})", param, ctx)
        return text


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object, or fail with the place of the first mistake."""
        text = Text().convert(value, param, ctx)
        try:
            parsed = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            self.fail(f"is not JSON: {error.msg} at character {error.pos + 1}", param, ctx)
        except (ValueError, RecursionError) as error:
            self.fail(f"is not JSON: {error}", param, ctx)
        if not isinstance(parsed, dict):
            self.fail('is not a JSON object such as {"year": {"$gte": 2020}}', param, ctx)
        for inside in _strings(parsed):
            Text().convert(inside, param, ctx)
        return parsed


class Metadata(click.ParamType[tuple[str, Any]]):
    """A key and a value, which is JSON where it can be read as JSON, else a text."""

    name = "metadata"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Return key and value, or fail."""
        if isinstance(value, tuple):
            return value
        key, equals, text = Text().convert(value, param, ctx).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        try:
            return key, json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return key, text


def read_hypervector(path: Path) -> NDArray[np.uint8]:
    """Return uint8[n] from a file of raw bytes or an .npy array; the API checks its length.

    Raises InvalidHypervector where an .npy file is no such array.
    """
    with path.open("rb") as file:
        if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC and path.suffix != ".npy":
            file.seek(0)
            return np.frombuffer(file.read(_READ_AT_MOST), np.uint8)
    array = _read_array(path, InvalidHypervector)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise InvalidHypervector(
            f"{path} holds {array.dtype}{list(array.shape)}, not one packed hypervector uint8[D/8]"
        )
    return np.asarray(array, np.uint8)


def read_embedding(path: Path) -> NDArray[np.float32]:
    """Return float32[d] from an .npy file; raises InvalidEmbedding where it holds no such array."""
    array = _read_array(path, InvalidEmbedding)
    if array.dtype.kind != "f" or array.ndim != 1:
        raise InvalidEmbedding(f"{path} holds {array.dtype}{list(array.shape)}, not one embedding, float[d]")
    return array.astype(np.float32)


def _read_array(path: Path, refusal: type[MnemoError]) -> NDArray[Any]:
    with path.open("rb") as file:
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False, max_header_size=10_000)
        # NumPy reads the header as Python source, and lets the errors of that through.
        except (ValueError, EOFError, MemoryError, SyntaxError, tokenize.TokenError) as error:
            raise refusal(f"{path} is not a NumPy array: {error}") from error
    return array


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value:
            yield from _strings(part)
            if isinstance(value, dict):
                yield from _strings(value[part])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
