"""H1: bad input to the algebra is refused in SQL and in Python, with the culprit in the message."""

from collections.abc import Callable

import numpy as np
import psycopg
import pytest

from engine.errors import InvalidArgument, InvalidEmbedding, InvalidHypervector, MnemoError, error_for
from engine.hypervector import (
    Hypervectors,
    ItemMemory,
    bind,
    bundle,
    distances,
    hamming,
    project,
    quantise,
    random_hypervector,
    sketch,
)
from tests.conftest import Connection


def zeros(bits: int, rows: int | None = None) -> Hypervectors:
    """Return a vector of zeros, or rows of them."""
    return np.zeros(bits // 8 if rows is None else (rows, bits // 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "kind", "culprit"),
    [
        ("mnemo.bind(b'01', b'011')", InvalidHypervector, "2 bits against 3 bits"),
        ("mnemo.unbind(b'01', mnemo.tie_hypervector())", InvalidHypervector, "2 bits against 16384 bits"),
        ("mnemo.hamming(mnemo.tie_hypervector(), b'1')", InvalidHypervector, "16384 bits against 1 bits"),
        ("mnemo.similarity(b'', b'1')", InvalidHypervector, "0 bits against 1 bits"),
        ("mnemo.bundle(b'01')", InvalidHypervector, "2 bits where 16384 are expected"),
        ("mnemo.bundle(b'01', 3)", InvalidHypervector, "2 bits where 16384 are expected"),
        ("mnemo.bundle(mnemo.tie_hypervector(), 0)", InvalidArgument, "weight: 0"),
        ("mnemo.bundle(mnemo.tie_hypervector(), -7)", InvalidArgument, "weight: -7"),
        (
            "mnemo.bundle(mnemo.tie_hypervector(), 9223372036854775807) from generate_series(1, 2)",
            InvalidArgument,
            "sum 18446744073709551614 is",
        ),
        (
            "mnemo.bundle(mnemo.tie_hypervector(), 1::bigint << 62) from generate_series(1, 2)",
            InvalidArgument,
            "sum 9223372036854775808 is",
        ),
        ("mnemo.item('a', b'01')", InvalidHypervector, "2 bits"),
        ("mnemo.item(null)", InvalidArgument, "name is null"),
        ("mnemo.cleanup(b'01')", InvalidHypervector, "2 bits"),
        ("mnemo.cleanup(mnemo.tie_hypervector(), 0)", InvalidArgument, "k: 0"),
        ("mnemo.cleanup(mnemo.tie_hypervector(), 4097)", InvalidArgument, "k: 4097"),
        ("mnemo.project('{1,NaN}', 's')", InvalidEmbedding, "component 1 is NaN"),
        ("mnemo.quantise('{-Infinity,2}')", InvalidEmbedding, "component 0 is -Infinity"),
        ("mnemo.quantise('{1,2,null}')", InvalidEmbedding, "component 2 is null"),
        ("mnemo.quantise('[5:6]={1,NaN}')", InvalidEmbedding, "component 1 is NaN"),
        ("mnemo.quantise('{0,-0}')", InvalidEmbedding, "all components are zero"),
        ("mnemo.quantise('{}')", InvalidEmbedding, "0 dimensions"),
        ("mnemo.quantise('{{1,2},{3,4}}')", InvalidEmbedding, "2 dimensions"),
        ("mnemo.quantise(array_fill(1::real, array[132105]))", InvalidEmbedding, "132105 components"),
    ],
)
def test_h1_sql_refuses(
    module_connection: Connection, call: str, kind: type[MnemoError], culprit: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        module_connection.execute(f"select {call}".encode())
    mapped = error_for(raised.value.sqlstate, str(raised.value))
    assert type(mapped) is kind
    assert culprit in str(mapped)


@pytest.mark.parametrize(
    ("call", "kind", "culprit"),
    [
        (lambda: bind(zeros(1_024), zeros(2_048)), InvalidHypervector, "1024 bits against 2048 bits"),
        (lambda: bind(zeros(1_024, 2), zeros(1_024, 3)), InvalidHypervector, "2 vectors against 3 vectors"),
        (lambda: hamming(zeros(1_024), zeros(1_024, 1)), InvalidHypervector, "2 dimensions"),
        (lambda: hamming(zeros(1_024), zeros(1_024).astype(bool)), InvalidHypervector, "bool"),
        (lambda: distances(zeros(1_024, 2), zeros(1_088)), InvalidHypervector, "1024 bits against 1088 bits"),
        (lambda: sketch(zeros(1_024), 1_088), InvalidArgument, "1088 bits"),
        (lambda: bundle(zeros(1_032, 1)), InvalidHypervector, "1032 bits"),
        (lambda: bundle(zeros(512, 1)), InvalidArgument, "512"),
        (lambda: bundle(zeros(1_024, 2), [1, 0]), InvalidArgument, "weight: 0"),
        (lambda: bundle(zeros(1_024, 2), np.array([1, 2**63], np.uint64)), InvalidArgument, str(2**63)),
        (lambda: bundle(zeros(1_024, 2), [2**62, 2**62]), InvalidArgument, str(2**63)),
        (lambda: bundle(zeros(1_024, 2), [1, 1.5]), InvalidArgument, "float64"),
        (lambda: bundle(zeros(1_024, 2), [1]), InvalidArgument, "(1,)"),
        (lambda: random_hypervector("a", 1_000), InvalidArgument, "1000"),
        (lambda: random_hypervector("a", 32_832), InvalidArgument, "32832"),
        (lambda: quantise([1.0, np.nan]), InvalidEmbedding, "component 1 is nan"),
        (lambda: quantise([[1.0, 2.0], [-np.inf, 0.0]]), InvalidEmbedding, "component 0 of row 1 is -inf"),
        (lambda: quantise([1e39]), InvalidEmbedding, "component 0 is inf"),
        (lambda: quantise([[1.0], [0.0]]), InvalidEmbedding, "row 1 are zero"),
        (lambda: project([], "s"), InvalidEmbedding, "0 components"),
        (lambda: project(np.ones(132_105), "s"), InvalidEmbedding, "132105 components"),
        (lambda: ItemMemory(1_024).cleanup(zeros(2_048)), InvalidHypervector, "2048 bits where 1024"),
        (lambda: ItemMemory(1_024).cleanup(zeros(1_024), 0), InvalidArgument, "k: 0"),
    ],
)
def test_h1_python_refuses(call: Callable[[], object], kind: type[MnemoError], culprit: str) -> None:
    with pytest.raises(kind) as raised:
        call()
    assert culprit in str(raised.value)


def test_error_for_knows_only_private_codes() -> None:
    assert type(error_for("MN006", "why")) is InvalidEmbedding
    assert error_for("23505", "why") is None
    assert error_for(None, "why") is None
    assert str(InvalidArgument()) == InvalidArgument.__doc__
