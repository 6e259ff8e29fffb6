"""H1, X4: SQL, NumPy and a model on plain integers agree bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hypervector import (
    bind,
    bundle,
    distances,
    hamming,
    permute,
    project,
    quantise,
    random_hypervector,
    similarity,
    sketch,
    unbind,
)
from tests.algebra import model
from tests.algebra.database import Algebra, to_sql
from tests.algebra.strategies import batches, embeddings, hypervectors, shifts, weighted


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_h1_pairs(algebra: Algebra, data: st.DataObject) -> None:
    a, b = data.draw(hypervectors(algebra.bits)), data.draw(hypervectors(algebra.bits))
    bound = algebra.vector("mnemo.bind(%s::varbit, %s::varbit)", a, b)
    assert np.array_equal(bound, bind(a, b))
    assert np.array_equal(bound, model.bind(a, b))
    assert np.array_equal(algebra.vector("mnemo.unbind(%s::varbit, %s::varbit)", bound, b), unbind(bound, b))
    distance = algebra.value("mnemo.hamming(%s::varbit, %s::varbit)", a, b)
    assert distance == hamming(a, b) == model.hamming(a, b) == distances(np.stack([a]), b)[0]
    assert algebra.value("mnemo.similarity(%s::varbit, %s::varbit)", a, b) == similarity(a, b)
    cut = algebra.vector("mnemo.sketch(%s::varbit)", a)
    assert np.array_equal(cut, sketch(a, algebra.sketch_bits))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_h1_permute(algebra: Algebra, data: st.DataObject) -> None:
    a, n = data.draw(hypervectors(algebra.bits)), data.draw(shifts())
    moved = algebra.vector("mnemo.permute(%s::varbit, %s)", a, n)
    assert np.array_equal(moved, permute(a, n))
    assert np.array_equal(moved, model.permute(a, n))


@given(seed=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=15, deadline=None)
def test_h1_random_hypervectors(algebra: Algebra, seed: str) -> None:
    drawn = algebra.vector("mnemo.random_hypervector(%s)", seed)
    assert np.array_equal(drawn, random_hypervector(seed, algebra.bits))
    assert np.array_equal(drawn, model.random_hypervector(seed, algebra.bits))


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_x4_bundle(algebra: Algebra, data: st.DataObject) -> None:
    batch = data.draw(batches(algebra.bits))
    made = algebra.bundle(batch)
    assert np.array_equal(made, np.asarray(bundle(batch)))
    assert np.array_equal(made, model.bundle(batch))


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_x4_weighted_bundle(algebra: Algebra, data: st.DataObject) -> None:
    batch, weights = data.draw(weighted(algebra.bits))
    made = algebra.bundle(batch, weights)
    assert np.array_equal(made, np.asarray(bundle(batch, weights)))
    assert np.array_equal(made, model.bundle(batch, weights))


def test_x4_large_bundles(algebra: Algebra) -> None:
    rng = np.random.default_rng(3)
    batch = rng.integers(0, 256, (600, algebra.bits // 8), np.uint8)
    weights = rng.integers(1, 300, len(batch)).tolist()
    assert np.array_equal(algebra.bundle(batch), np.asarray(bundle(batch)))
    assert np.array_equal(algebra.bundle(batch, weights), np.asarray(bundle(batch, weights)))


@pytest.mark.parametrize("weights", [[2], [4, 4], [8, 2**40], [2**61]])
def test_x4_weights_without_low_bits(algebra: Algebra, weights: list[int]) -> None:
    batch = np.stack([random_hypervector(str(n), algebra.bits) for n in range(len(weights))])
    assert np.array_equal(algebra.bundle(batch, weights), model.bundle(batch, weights))
    assert np.array_equal(np.asarray(bundle(batch, weights)), model.bundle(batch, weights))


def test_x4_partial_bundles_combine(algebra: Algebra) -> None:
    rng = np.random.default_rng(4)
    batch = rng.integers(0, 256, (50, algebra.bits // 8), np.uint8)
    expected = np.asarray(bundle(batch))
    states = """
        mnemo.bundle_result(mnemo.bundle_combine(a.state, b.state))
        from (select mnemo.bundle_state(h::varbit) as state from unnest(%s::text[]) as h) as a,
             (select mnemo.bundle_state(h::varbit) as state from unnest(%s::text[]) as h) as b"""
    algebra.connection.execute("""
        create or replace aggregate mnemo.bundle_state(bit) (
            sfunc = mnemo.bundle_add, stype = varbit[], initcond = '{null}')""")
    sent = [to_sql(vector) for vector in batch]
    for cut in (0, 1, 17, 32, 50):
        assert np.array_equal(algebra.vector(states, sent[:cut], sent[cut:]), expected)


@given(embedding=embeddings())
@settings(max_examples=60, deadline=None)
def test_h4_quantised_embeddings(algebra: Algebra, embedding: list[float]) -> None:
    levels = quantise(np.array(embedding, np.float32))
    assert bytes(algebra.value("mnemo.quantise(%s::real[])", embedding)) == levels.tobytes()
    assert levels.tolist() == model.quantise(embedding)


@given(embedding=embeddings(most=6), seed=st.sampled_from(["", "memories", "Erinnerungen: ü"]))
@settings(max_examples=8, deadline=None)
def test_h4_projected_embeddings(algebra: Algebra, embedding: list[float], seed: str) -> None:
    projected = project(np.array(embedding, np.float32), seed, algebra.bits)
    assert np.array_equal(algebra.vector("mnemo.project(%s::real[], %s)", embedding, seed), projected)
    assert np.array_equal(projected, model.project(embedding, seed, algebra.bits))


def test_h4_projected_batches(algebra: Algebra) -> None:
    batch = np.random.default_rng(5).standard_normal((700, 33)).astype(np.float32)
    projected = project(batch, "s", algebra.bits)
    for row in (0, 511, 512, 699):
        sent = batch[row].tolist()
        assert np.array_equal(algebra.vector("mnemo.project(%s::real[], 's')", sent), projected[row])
        assert np.array_equal(project(batch[row], "s", algebra.bits), projected[row])


def test_h1_widths_and_nulls(algebra: Algebra) -> None:
    a = random_hypervector("a", algebra.bits)
    assert algebra.value("mnemo.bits()") == algebra.bits
    assert algebra.value("mnemo.sketch_bits()") == algebra.sketch_bits
    tie = algebra.vector("mnemo.tie_hypervector()")
    assert np.array_equal(tie, random_hypervector("mnemo:tie", algebra.bits))
    for call in (
        "mnemo.bind(%s::varbit, null)",
        "mnemo.hamming(null, %s::varbit)",
        "mnemo.similarity(null, %s::varbit)",
        "mnemo.permute(%s::varbit, null)",
        "mnemo.bundle(null::bit, length(%s::varbit))",
        "mnemo.bundle(%s::varbit, null::bigint)",
        "mnemo.bundle(%s::varbit) from generate_series(1, 0)",
    ):
        assert algebra.value(call, a) is None, call
    some = "mnemo.bundle(h) from (values (%s::varbit), (null)) as r (h)"
    assert np.array_equal(algebra.vector(some, a), a)
