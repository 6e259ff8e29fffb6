"""The widths of an installation and the row size that follows."""

from typing import Any

import psycopg
import pytest

from engine.errors import InvalidArgument
from engine.schema.parameters import Parameters


@pytest.mark.parametrize(
    ("bits", "target", "rows"),
    [(1_024, 2_024, 4), (8_192, 2_024, 4), (16_384, 2_704, 3), (24_576, 4_072, 2), (32_768, 8_152, 1)],
)
def test_a_row_at_the_target_leaves_room_for_its_neighbours(
    module_connection: psycopg.Connection[tuple[Any, ...]], bits: int, target: int, rows: int
) -> None:
    assert Parameters(bits, 64).toast_tuple_target == target
    # The server is the judge: rows of exactly the target, header included, share a page.
    with module_connection.transaction(force_rollback=True):
        module_connection.execute("create temp table t (v text storage plain)")
        module_connection.execute(
            "insert into t select repeat('x', %s) from generate_series(1, 12)", [target - 24 - 4]
        )
        fullest = module_connection.execute(
            "select count(*) from t group by (ctid::text::point)[0] order by 1 desc limit 1"
        ).fetchone()
    assert fullest == (rows,)


@pytest.mark.parametrize(
    ("bits", "sketch_bits", "message"),
    [
        (1_000, 64, r"bits = 1000 is not possible: it must be a multiple of 64 from 1024 to 32768"),
        (960, 64, r"bits = 960 is not possible"),
        (32_832, 64, r"bits = 32832 is not possible"),
        (-1_024, 64, r"bits = -1024 is not possible"),
        (16_384, 0, r"sketch_bits = 0 is not possible: it must be a multiple of 64 from 64 to 16384"),
        (16_384, 100, r"sketch_bits = 100 is not possible"),
        (1_024, 2_048, r"sketch_bits = 2048 is not possible: .* from 64 to 1024"),
        (True, 64, r"bits must be a whole number, not True"),
    ],
)
def test_impossible_widths_are_named(bits: int, sketch_bits: int, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Parameters(bits, sketch_bits)
