"""H1: the laws of the algebra, in Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hypervector import (
    Hypervectors,
    bind,
    bundle,
    hamming,
    permute,
    project,
    projection,
    random_hypervector,
    similarity,
    sketch,
    unbind,
)
from tests.algebra.strategies import batches, hypervectors, shifts, weighted


def same(a: Hypervectors | None, b: Hypervectors | None) -> bool:
    """Tell whether both are vectors, and equal."""
    return a is not None and b is not None and np.array_equal(a, b)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_h1_binding_is_a_commutative_isometry_and_its_own_inverse(bits: int, data: st.DataObject) -> None:
    a, b, c = (data.draw(hypervectors(bits)) for _ in range(3))
    assert same(unbind(bind(a, b), b), a)
    assert same(bind(a, b), bind(b, a))
    assert same(bind(bind(a, b), c), bind(a, bind(b, c)))
    assert hamming(bind(a, c), bind(b, c)) == hamming(a, b)
    assert similarity(a, b) == 1 - hamming(a, b) / bits


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_h1_permutations_add_up_and_turn_back(bits: int, data: st.DataObject) -> None:
    a, b = data.draw(hypervectors(bits)), data.draw(hypervectors(bits))
    m, n = data.draw(shifts()), data.draw(shifts())
    assert same(permute(permute(a, n), -n), a)
    assert same(permute(permute(a, m), n), permute(a, m + n))
    assert same(permute(a, n + bits), permute(a, n))
    assert same(permute(bind(a, b), n), bind(permute(a, n), permute(b, n)))
    assert same(permute(np.stack([a, b]), n), np.stack([permute(a, n), permute(b, n)]))


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_h1_a_bundle_does_not_depend_on_order_and_weights_repeat(bits: int, data: st.DataObject) -> None:
    batch = data.draw(batches(bits))
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(batch), max_size=len(batch)))
    order = data.draw(st.permutations(range(len(batch))))
    made = bundle(batch, weights)
    assert same(made, bundle(batch[order], [weights[i] for i in order]))
    assert same(made, bundle(np.repeat(batch, weights, axis=0)))


def test_h1_a_tie_takes_the_tie_component_and_nothing_bundles_to_nothing(bits: int) -> None:
    a = random_hypervector("a", bits)
    assert same(bundle(np.stack([a, ~a])), random_hypervector("mnemo:tie", bits))
    assert same(bundle(np.stack([a, a, ~a])), a)
    assert same(bundle(np.stack([a, ~a]), [2, 1]), a)
    assert bundle(np.empty((0, bits // 8), np.uint8)) is None


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_h1_an_even_bundle_is_the_odd_one_with_the_tie_vector(bits: int, data: st.DataObject) -> None:
    batch, weights = data.draw(weighted(bits))
    tie = random_hypervector("mnemo:tie", bits)
    doubled = [2 * weight for weight in weights]
    assert same(bundle(batch, weights), bundle(np.vstack([batch, tie]), [*doubled, 1]))


def test_h1_large_bundles_cross_every_tile(bits: int) -> None:
    rng = np.random.default_rng(7)
    rows = 3_000_000 // bits + 5
    batch = rng.integers(0, 256, (rows, bits // 8), np.uint8)
    weights = rng.integers(1, 1_000, rows)
    components = np.unpackbits(batch, axis=1).astype(np.int64) * 2 - 1
    tie = np.unpackbits(random_hypervector("mnemo:tie", bits)).astype(bool)
    for counted in (None, weights):
        sums = (components if counted is None else components * counted[:, None]).sum(axis=0)
        assert same(bundle(batch, counted), np.packbits((sums > 0) | ((sums == 0) & tie)))
    assert same(bundle(np.asfortranarray(batch)), bundle(batch))


def test_h1_a_sketch_is_the_first_components(bits: int) -> None:
    batch = np.stack([random_hypervector(name, bits) for name in "ab"])
    assert same(sketch(batch, 512), batch[:, :64])
    assert same(sketch(batch[0], 64), batch[0, :8])


def test_h4_projections_in_strips_are_the_same(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = np.random.default_rng(9).standard_normal((3, 20)).astype(np.float32)
    whole = project(batch, "s", bits)
    monkeypatch.setattr(projection, "_MATRIX_BYTES", 4 * 20 * 448)
    assert same(project(batch, "s", bits), whole)
