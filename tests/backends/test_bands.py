"""Instructions that threads run side by side: whatever the order of their rows, the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einbatch as eb
from einbatch.backends.numpy import bands, native
from einbatch.backends.numpy.bands import COLUMNS, ROWS, STACK, Band, Cut, in_bands
from einbatch.backends.numpy.encode import encode
from einbatch.backends.numpy.instructions import Instruction, Loop, Pointer, Product
from einbatch.backends.numpy.record import Recorder

pytestmark = pytest.mark.skipif(not native.can_share_blas(), reason="BLAS has threads of its own")


@pytest.fixture(autouse=True)
def _bands_of_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "LEAST_WORK", 0)


# --- random instructions on one memory


SIZE = 512
PLACES = st.sampled_from([0, 0, 64, 128, 192, 256, 320, 3, 40])
KINDS = st.sampled_from(["add", "exp", "sum", "product", "turned", "stack", "lines"])
SPECS = st.tuples(KINDS, PLACES, PLACES, PLACES)


def noted(memory: np.ndarray, specs: list[tuple[str, int, int, int]]) -> Recorder:
    """Products, sums and pointwise operations of views of one memory, which may overlap."""
    recorder = Recorder()

    def view(place: int, *shape: int) -> np.ndarray:
        return memory[place : place + np.prod(shape)].reshape(shape)

    for kind, a, b, c in specs:
        match kind:
            case "add":
                recorder.pointwise("add", view(a, 8, 8), view(b, 8, 8), view(c, 8, 8))
            case "exp":
                recorder.pointwise("tanh", view(a, 4, 16), view(c, 4, 16))
            case "sum":
                recorder.reduce("add", view(a, 8, 8), 1, None, view(c, 8))
            case "product":  # BLAS's C lies apart from A and B
                recorder.accumulate(
                    view(320 + c % 128, 8, 8), view(a % 256, 8, 4), view(b % 256, 4, 8), 0.1, 0.5
                )
            case "turned":
                recorder.accumulate(
                    view(320 + c % 128, 8, 8).T,
                    view(a % 256, 4, 8).T,
                    view(b % 256, 4, 8),
                    0.1,
                    0.0,
                )
            case "stack":
                out = view(320 + c % 128, 4, 4, 4)
                recorder.accumulate(out, view(a % 256, 4, 4, 2), view(b % 256, 4, 2, 4), 0.1, 0.0)
            case _:
                lines = view(a, 4, 8, 4).transpose(1, 0, 2)
                recorder.copy(view(c, 4, 8, 4).transpose(1, 0, 2), lines)
    return recorder


def execute(instructions: list[Instruction]) -> None:
    native.replay(*encode(instructions, []), (), (), print, None)()


def one_row(cut: Cut, row: int, rows: int) -> Instruction:
    """What an instruction does in one of a band's rows."""
    each = cut.extent // rows
    item = cut.instruction
    if isinstance(item, Loop):
        operands = tuple(
            replace(o, pointer=Pointer(o.pointer + row * each * o.strides[cut.place]))
            for o in item.operands
        )
        shape = (*item.shape[: cut.place], each, *item.shape[cut.place + 1 :])
        return replace(item, shape=shape, operands=operands)
    steps = [access.step for access in cut.accesses]
    operands = tuple(
        (Pointer(pointer + row * each * step), own, stack)
        for (pointer, own, stack), step in zip(item.operands, steps, strict=True)
    )
    a, b, m, n, k = item.numbers
    numbers = {STACK: item.numbers, ROWS: (a, b, each, n, k), COLUMNS: (a, b, m, each, k)}
    stack = (each, *item.stack[1:]) if cut.place == STACK else item.stack
    return replace(item, numbers=numbers[cut.place], operands=operands, stack=stack)


def row_by_row(items: Iterator[Instruction | Band], order: np.random.Generator) -> None:
    """Each band as one thread after the other would run it, the last perhaps first."""
    for item in items:
        if not isinstance(item, Band):
            execute([item])
            continue
        for row in order.permutation(item.rows):
            for cut in item.cuts:
                execute([one_row(cut, int(row), item.rows)])


@given(st.lists(SPECS, min_size=2, max_size=6), st.integers(0, 99))
def test_no_row_of_a_band_depends_on_another(
    specs: list[tuple[str, int, int, int]], seed: int
) -> None:
    draws = np.random.default_rng(0).uniform(-1, 1, SIZE)
    alone, shuffled, shared = draws.copy(), draws.copy(), draws.copy()
    recorders = [noted(memory, specs) for memory in (alone, shuffled, shared)]
    for instruction in recorders[0].instructions:
        execute([instruction])
    row_by_row(in_bands(recorders[1].instructions), np.random.default_rng(seed))
    np.testing.assert_allclose(shuffled, alone, 1e-12, 1e-12)
    execute(recorders[2].instructions)
    np.testing.assert_allclose(shared, alone, 1e-12, 1e-12)


# --- what becomes a band


def found(text: str, **inputs: np.ndarray) -> list[Instruction | Band]:
    """The pieces of a forward pass."""
    seen: list[list[Instruction | Band]] = []
    whole = bands.in_bands

    def watched(instructions: list[Instruction]) -> Iterator[Instruction | Band]:
        seen.append(list(whole(instructions)))
        return iter(seen[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("einbatch.backends.numpy.encode.in_bands", watched)
        eb.parse(text).forward({}, inputs)
    (pieces,) = seen
    return pieces


SCAN = """
index b < 32, t < 6, j, k < 16
input x[b,t,j]
input U[j,k]
scan t:
    for b,j: h[b,t,j] = tanh(x[b,t,j] + sum[k](U[j,k]*(h[b,t-1,k] else 0)))
"""
IMAGES = """
index b < 16, c < 16, f < 16, y, x < 32, u, v < 3
input image[b,c,y,x]
input K[f,c,u,v]
for b,f,y,x,c,u,v: z[b,f,y,x] += K[f,c,u,v]*(image[b,c,y+u-1,x+v-1] else 0)
"""


def test_a_scan_is_one_band_of_examples() -> None:
    draws = np.random.default_rng(0)
    pieces = found(SCAN, x=draws.normal(size=(32, 6, 16)), U=draws.normal(size=(16, 16)))
    (band,) = (piece for piece in pieces if isinstance(piece, Band))
    assert band.rows == 32
    assert sum(isinstance(cut.instruction, Product) for cut in band.cuts) == 6


def test_convolutions_are_one_band_of_lines() -> None:
    draws = np.random.default_rng(0)
    image, kernel = draws.normal(size=(16, 16, 32, 32)), draws.normal(size=(16, 16, 3, 3))
    pieces = found(IMAGES, image=image, K=kernel)
    (band,) = (piece for piece in pieces if isinstance(piece, Band))
    assert band.rows == 32
    assert [(type(cut.instruction), cut.place, cut.extent) for cut in band.cuts] == [
        (Loop, 3, 32),  # the patches, by their lines
        (Product, COLUMNS, 1024),
    ] * 16


def test_a_large_factor_is_read_by_one_thread() -> None:
    """x @ W of few rows, W large: cut at W's columns, or each thread would read all of it."""
    recorder = Recorder()
    x, w, y = np.ones((16, 512)), np.ones((512, 128)), np.ones((16, 128))
    recorder.matmul(x, w, y)
    recorder.pointwise("exp", y, y)
    assert not any(isinstance(piece, Band) for piece in in_bands(recorder.instructions))
    recorder = Recorder()
    x, w, y = np.ones((16, 128)), np.ones((128, 128)), np.ones((16, 128))
    recorder.matmul(x, w, y)
    recorder.pointwise("exp", y, y)
    (band,) = in_bands(recorder.instructions)
    assert isinstance(band, Band)
    assert [cut.place for cut in band.cuts] == [ROWS, 0]


def test_the_number_of_threads_is_set_back() -> None:
    """BLAS has its threads again after a band."""
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [item["num_threads"] for item in threadpool_info() if item["user_api"] == "blas"]

    before = threads()
    recorder = Recorder()
    x = np.ones((64, 64))
    y = np.ones((64, 64))
    recorder.matmul(x, x, y)
    recorder.pointwise("exp", y, y)
    execute(recorder.instructions)
    assert threads() == before
