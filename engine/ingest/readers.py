"""Rows of text files as streams: each with its line number and a way to decode it."""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from engine.errors import InvalidArgument
from engine.ingest.fields import FieldNames, Problem
from engine.ingest.parquet import parquet_rows
from engine.ingest.plan import Format, Plan

Row = tuple[int, Callable[[], Mapping[str, Any]]]
# Longer ones are read past, never held: an unterminated quote or a binary file must not fill the memory.
MAX_LINE_BYTES = 32 << 20
_BOM = b"\xef\xbb\xbf"


def rows(plan: Plan) -> Iterator[Row]:
    """Yield every row of the input, bad ones too: decoding those raises Problem.

    Raises:
        InvalidArgument: the file as a whole cannot be read as what it is said to be.
        OSError: it cannot be read at all.
    """
    if plan.format == "parquet":
        if plan.path is None:
            raise InvalidArgument("parquet is read from its end: it cannot come from standard input")
        yield from parquet_rows(plan.path)
        return
    with _opened(plan.path) as stream:
        try:
            yield from _text_rows(stream, plan.format, plan.name, plan.names)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidArgument(f"{plan.name} is damaged: {error}") from error


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdin.buffer
    elif path.suffix.lower() == ".gz":
        with gzip.open(path, "rb") as unpacked:
            # Without the buffer, short lines cost a call into the decompressor each.
            yield io.BufferedReader(unpacked, 1 << 20)
    else:
        with path.open("rb") as plain:
            yield plain


def _text_rows(stream: IO[bytes], format_: Format, name: str, names: FieldNames) -> Iterator[Row]:
    match format_:
        case "jsonl":
            for number, line in _lines(stream):
                yield number, partial(_json_fields, line)
        case "txt":
            for number, line in _lines(stream):
                yield number, partial(_txt_fields, line, names.content[0])
        case "csv":
            yield from _csv_rows(stream, name, names)
        case "parquet":
            raise AssertionError


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, line


def _decoded(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise Problem(f"the line is longer than {MAX_LINE_BYTES >> 20} MB")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Problem(f"not valid UTF-8 (byte {error.start + 1} of the line)") from error


def _txt_fields(line: bytes, name: str) -> dict[str, Any]:
    return {name: _decoded(line).strip()}


def _json_fields(line: bytes) -> dict[str, Any]:
    try:
        # Without the end of the line, a record that is cut off is said to end at its own last column.
        found = json.loads(_decoded(line).rstrip("\r\n"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Problem(f"not JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise Problem(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Problem(f"a JSON {type(found).__name__}, not an object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _csv_rows(stream: IO[bytes], name: str, names: FieldNames) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE_BYTES)
    # Escaped, an invalid byte reaches the check of its own record instead of ending the file.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, strict=True)
    try:
        columns = _header(reader, name, names)
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, partial(_raise, Problem(f"not CSV: {error}"))
                continue
            if values:
                yield line, partial(_csv_fields, columns, values)
    finally:
        # The stream belongs to the caller: the wrapper must not close it.
        text.detach()


def _header(reader: Iterator[list[str]], name: str, names: FieldNames) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise InvalidArgument(f"{name}:1: the header is not CSV: {error}") from error
    columns = [column.strip() or f"column_{place}" for place, column in enumerate(header, 1)]
    if not any(column in names.content for column in columns):
        listed = ", ".join(columns) or "nothing"
        raise InvalidArgument(
            f"{name}: no column {' or '.join(names.content)}; the header names {listed}; see --content-field"
        )
    for column in columns:
        if columns.count(column) > 1:
            raise InvalidArgument(f"{name}: the header names the column {column!r} twice")
    return columns


def _csv_fields(columns: list[str], values: list[str]) -> dict[str, Any]:
    if len(values) > len(columns):
        raise Problem(f"{len(values)} fields where the header names {len(columns)}")
    # An empty cell is no value.
    return {column: value for column, value in zip(columns, values, strict=False) if value}


def _raise(problem: Problem) -> NoReturn:
    raise problem
