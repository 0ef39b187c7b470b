"""Steps replayed natively: what the emitted module does as Python, line by line."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einbatch as eb
from einbatch.backends.numpy import native
from einbatch.backends.numpy.encode import encode
from einbatch.backends.numpy.groups import group
from einbatch.backends.numpy.instructions import Loop
from einbatch.backends.numpy.record import Recorder

pytestmark = pytest.mark.skipif(not native.is_available(), reason="installed without a compiler")

EVERYTHING = """
batch b < B
index i < 7, j < 5, k < 3
input x[b,i]
input t[b] in k
param W[j,i] ~ normal(0, 1)
param E[k,j] ~ normal(0, 1)
for b,i,j: h[b,j] += W[j,i]*x[b,i]
for b,j:   g[b,j]  = if h[b,j] > 0 then erf(h[b,j]) else tanh(h[b,j]) - E[t[b],j]
for b,j:   m[b]  max= g[b,j]
for b:     a[b]    = argmax[j](g[b,j])
for b,j:   s[b,k] += E[k,j]*g[b,j]
for b:     n[t[b]] += m[b]
for b:     loss[b] = -log(softmax[k](s[b,k])[t[b]]) + 0.1*m[b]^2 + n[t[b]]
minimize loss
"""
TEXT = EVERYTHING.replace("-log(softmax[k](s[b,k])[t[b]])", "logsumexp[k](s[b,k]) - s[b,t[b]]")
TEXT = TEXT.replace("for b,j:   s[b,k]", "for b,j,k: s[b,k]")


def data(count: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    return {"x": draws.normal(size=(count, 7)), "t": draws.integers(0, 3, count)}


def test_python_and_native_agree() -> None:
    model = eb.parse(TEXT, dtype="float64")
    loss, grads = model.value_and_grad(model.init(0), data(6))
    script = (
        "import sys, numpy as np, einbatch as eb\n"
        "from tests.backends.test_replay import TEXT, data\n"
        "model = eb.parse(TEXT, dtype='float64')\n"
        "loss, grads = model.value_and_grad(model.init(0), data(6))\n"
        "sys.stdout.buffer.write(np.concatenate([[loss], *map(np.ravel, grads.values())]).data)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, native.VARIABLE: "0"},
        capture_output=True,
        check=True,
    )
    expected = np.frombuffer(done.stdout)
    found = np.concatenate([[loss], *map(np.ravel, grads.values())])
    np.testing.assert_allclose(found, expected, 1e-13, 1e-14)


def test_what_is_handed_out_stays() -> None:
    model = eb.parse(TEXT)
    params = model.init(0)
    kept = [model.forward(params, data(count))["g"] for count in (6, 6, 6)]
    assert not any(np.shares_memory(kept[0], other) for other in kept[1:])
    assert np.array_equal(kept[0], kept[2])
    view = kept.pop()[1:]
    other = model.forward(params, {"x": np.zeros((6, 7)), "t": np.zeros(6, int)})["g"]
    assert not np.shares_memory(view, other)
    assert np.array_equal(view, kept[0][1:])


def test_memory_that_nobody_holds_is_used_again() -> None:
    model = eb.parse(TEXT)
    params, places = model.init(0), set[int]()
    for _ in range(5):
        values = model.forward(params, data(6))
        places.add(values["g"].ctypes.data)
        del values
        gc.collect()
    assert len(places) == 1


def test_an_output_that_is_an_input_is_a_copy() -> None:
    model = eb.parse("input x[i]\nfor i: y[i] = x[i]\nfor i: z[i] = y[i]\n")
    for number in (1.0, 2.0):
        x = np.full(4, number, np.float32)
        values = model.forward(x=x)
        assert values["y"].tolist() == values["z"].tolist() == [number] * 4
        assert not np.shares_memory(values["y"], x)


def test_a_subscript_outside_names_the_element_of_this_call() -> None:
    model = eb.parse("index j < 5\ninput s[i,k]\ninput T[j]\nfor i: y[i] = T[argmax[k](s[i,k])]\n")
    table, scores = np.arange(5.0), np.eye(8)
    assert model.forward(T=table, s=scores[[4, 0]])["y"].tolist() == [4, 0]
    with pytest.raises(eb.EinbatchError) as caught:
        model.forward(T=table, s=scores[[0, 7]])
    assert "subscript 1 of `T` is 7, outside 0 … 4" in str(caught.value)
    assert "at i=1" in str(caught.value)
    assert model.forward(T=table, s=scores[[1, 2]])["y"].tolist() == [1, 2]


def test_arrays_of_another_size_are_refused_by_the_native_step() -> None:
    recorder = Recorder()
    x, y = np.ones(4), np.empty(4)
    recorder.pointwise("exp", x, y)
    run = native.replay(*encode(recorder.instructions, [x]), (x.nbytes,), (y,), print, None)
    assert run(np.zeros(4))[0].tolist() == [1] * 4
    for wrong in (np.zeros(3), np.zeros(8)[::2], [0.0] * 4):
        with pytest.raises(TypeError):
            run(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        run()


# --- groups: the same whether loops run one after the other or by blocks of rows


Spec = tuple[str, int, int, tuple[int, int, int]]
PLACES = st.sampled_from([0, 0, 24, 48, 3, 90])
SPECS = st.tuples(
    st.sampled_from(["add", "sum"]),
    st.sampled_from([4, 24, 8]),
    st.sampled_from([1, 3]),
    st.tuples(PLACES, PLACES, PLACES),
)


def noted(memory: np.ndarray, specs: list[Spec]) -> list[Loop]:
    """Sums of matrices and of rows, in views of one memory, which may overlap."""
    recorder = Recorder()
    for name, rows, columns, places in specs:
        a, b, c = (memory[k : k + rows * columns].reshape(rows, columns) for k in places)
        if name == "add":
            recorder.pointwise("add", a, b, c)
        else:
            recorder.reduce("add", a, 1, None, memory[places[2] : places[2] + rows])
    return [item for item in recorder.instructions if isinstance(item, Loop)]


def replay(loops: list[Loop]) -> None:
    native.replay(*encode(loops, []), (), (), print, None)()


@given(st.lists(SPECS, min_size=2, max_size=6))
def test_groups_compute_what_their_loops_do_one_by_one(specs: list[Spec]) -> None:
    together, alone = np.arange(1.0, 181.0), np.arange(1.0, 181.0)
    replay(noted(together, specs))
    for loop in noted(alone, specs):
        replay([loop])
    np.testing.assert_array_equal(together, alone)


def chain(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> list[Loop]:
    recorder = Recorder()
    recorder.pointwise("exp", x, y)
    recorder.pointwise("multiply", y, x, z)
    return [loop for loop in recorder.instructions if isinstance(loop, Loop)]


def test_a_chain_is_one_group_of_blocks() -> None:
    x, y, z = np.linspace(0, 1, 100_000), np.empty(100_000), np.empty(100_000)
    loops = chain(x, y, z)
    (only,) = group(loops)
    assert len(only.loops) == 2
    _, _, rows, block, parallel, *_ = only.words()
    assert rows == 100_000
    assert block < rows
    assert parallel
    replay(loops)
    np.testing.assert_allclose(z, np.exp(x) * x)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    x, y, z = np.linspace(0, 1, 300_001), np.empty(300_001), np.empty(300_001)
    loops = chain(x, y, z)
    native.use_threads(threads)
    try:
        replay(loops)
    finally:
        native.use_threads(native.cores())
    np.testing.assert_array_equal(z, np.exp(x) * x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_any_layout(dtype: str) -> None:
    draws = np.random.default_rng(1)
    for _ in range(300):
        stack = tuple(draws.integers(1, 4, draws.integers(0, 3)))
        m, n, k = draws.integers(1, 6, 3)
        left, right, out = (
            _layout(draws, (*stack, *shape), dtype) for shape in ((m, k), (k, n), (m, n))
        )
        alpha, beta = draws.choice([1.0, -0.5]), draws.choice([0.0, 1.0, 0.25])
        expected = beta * out + alpha * (left @ right)
        recorder = Recorder()
        recorder.accumulate(out, left, right, alpha, beta)
        run = native.replay(*encode(recorder.instructions, []), (), (), print, recorder.kept)
        run()
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(out, expected, tolerance, tolerance)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="of x86 processors")
def test_products_in_single_precision_take_tiny_numbers_for_zero() -> None:
    """Momentum leaves such numbers behind where an input is zero for long; they are slow."""
    for dtype, tiny, kept in (("float32", 1e-40, 0.0), ("float64", 1e-310, 1e-310)):
        left, right = np.full((64, 64), tiny, dtype), np.eye(64, dtype=dtype)
        out, copy = np.ones((64, 64), dtype), np.ones((64, 64), dtype)
        recorder = Recorder()
        recorder.matmul(left, right, out)
        recorder.pointwise("multiply", left, right, copy)
        native.replay(*encode(recorder.instructions, []), (), (), print, recorder.kept)()
        np.testing.assert_array_equal(out, np.full((64, 64), kept, dtype))
        np.testing.assert_array_equal(copy, left * right)  # all else knows them
        assert np.dtype(dtype).type(tiny) * 1 != 0  # and so does this thread afterwards


def _layout(draws: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Numbers in C order, transposed, with gaps, or with every element apart."""
    kind = draws.integers(4)
    *outer, rows, columns = shape
    if kind == 1:
        return draws.normal(size=(*outer, columns, rows)).astype(dtype).swapaxes(-1, -2)
    wide = draws.normal(size=(*outer, rows, 2 * columns)).astype(dtype)
    return (
        wide[..., :columns]
        if kind == 2
        else wide[..., ::2]
        if kind == 3
        else wide[..., :columns].copy()
    )


def test_one_place_of_many_rows_is_taken() -> None:
    f = eb.parse("index j < 3\ninput t in j\ninput P[i,j]\nfor i: y[i] = P[i,t]\n")
    assert f.forward(t=1, P=[[1, 2, 3], [4, 5, 6]])["y"].tolist() == [2, 5]
