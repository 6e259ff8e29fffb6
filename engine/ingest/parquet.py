"""Rows of a parquet file, a thousand at a time."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import InvalidArgument

_ROWS = 1000
_BUFFER_BYTES = 1 << 20


def parquet_rows(path: Path) -> Iterator[tuple[int, Callable[[], Mapping[str, Any]]]]:
    """Yield each row with its number, from 1. Raises InvalidArgument where the file is no parquet."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        # Buffered and not read ahead: a row group may be larger than the memory there is.
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            number = 0
            for batch in file.iter_batches(_ROWS):
                for place in range(batch.num_rows):
                    number += 1
                    yield number, partial(_fields, batch, place)
    except arrow.ArrowException as error:
        raise InvalidArgument(f"{path} is no readable parquet: {error}") from error


def _fields(batch: Any, place: int) -> dict[str, Any]:
    row: dict[str, Any] = batch.slice(place, 1).to_pylist()[0]
    return row
