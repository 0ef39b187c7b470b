"""A training step of the digits model: einbatch's module against NumPy by hand.

Both take a minibatch of 32 images through 64-64-10, a ReLU, biases subtracted,
softmax and cross-entropy, and update by gradient descent with momentum; neither
allocates anything. They first have to reach the same parameters. Then they run in
turn, a few hundred steps each, and only the ratio of neighbouring rounds counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from einbatch.autodiff import differentiate
from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, elaborate, erase_statement
from einbatch.optimize.stabilize import stabilize
from einbatch.plan import plan
from einbatch.syntax import parse, unparse
from einbatch.train.optimizers import inline_optimizer

Array = NDArray[np.float32]
Step = Callable[[Array, NDArray[np.int64]], object]
BATCH, RATE, MOMENTUM = 32, 0.2, 0.9
PROGRAM = Path(__file__).parent.parent / "programs" / "digits.ein"
ROUNDS, STEPS, WARMUP = 60, 300, 100


def by_hand(params: dict[str, Array]) -> Step:
    """The step as somebody writes it who wants it fast."""
    w0, c0, w1, c1 = params["W0"].reshape(64, 64), params["C0"], params["W1"], params["C1"]
    x, h = np.empty((BATCH, 64), np.float32), np.empty((BATCH, 64), np.float32)
    hidden = np.empty((BATCH, 64), np.float32)
    s = np.empty((BATCH, 10), np.float32)
    peak, total = np.empty((BATCH, 1), np.float32), np.empty((BATCH, 1), np.float32)
    chosen, loss = np.empty(BATCH, np.float32), np.empty(BATCH, np.float32)
    mask = np.empty((BATCH, 64), np.bool_)
    flat, rows = np.empty(BATCH, np.int64), np.arange(BATCH) * 10
    gradients = [np.empty_like(a) for a in (w0, c0, w1, c1)]
    g_w0, g_c0, g_w1, g_c1 = gradients
    velocities = [np.zeros_like(a) for a in (w0, c0, w1, c1)]
    updates = list(zip((w0, c0, w1, c1), velocities, gradients, strict=True))
    w0_t, w1_t, s_t, s_flat = w0.T, w1.T, s.T, s.reshape(-1)
    hidden_t, total_flat = hidden.T, total.reshape(-1)
    sixteenth, zero = np.array(1 / 16, np.float32), np.array(0, np.float32)
    share, one = np.array(1 / BATCH, np.float32), np.array(1, np.float32)
    rate, momentum = np.array(RATE, np.float32), np.array(MOMENTUM, np.float32)

    def step(image: Array, label: NDArray[np.int64]) -> object:
        np.multiply(image.reshape(BATCH, 64), sixteenth, x)
        np.matmul(x, w0_t, h)
        np.subtract(h, c0, h)
        np.maximum(h, zero, out=h)
        np.matmul(h, w1_t, s)
        np.subtract(s, c1, s)
        np.maximum.reduce(s, 1, None, peak, True)
        np.subtract(s, peak, s)
        np.add(label, rows, flat)
        s_flat.take(flat, None, chosen, "clip")
        np.exp(s, s)
        np.add.reduce(s, 1, None, total, True)
        np.log(total_flat, loss)
        np.subtract(loss, chosen, loss)
        np.divide(s, total, s)
        s_flat[flat] -= one
        np.multiply(s, share, s)
        np.matmul(s_t, h, g_w1)
        np.add.reduce(s, 0, None, g_c1)
        np.matmul(s, w1, hidden)
        np.greater(h, zero, mask)
        np.multiply(hidden, mask, hidden)
        np.matmul(hidden_t, x, g_w0)
        np.add.reduce(hidden, 0, None, g_c0)
        np.negative(g_c0, g_c0)
        np.negative(g_c1, g_c1)
        for weight, velocity, gradient in updates:
            np.multiply(velocity, momentum, velocity)
            np.add(velocity, gradient, velocity)
            np.multiply(velocity, rate, gradient)
            np.subtract(weight, gradient, weight)
        return loss

    return step


def by_einbatch(params: dict[str, Array]) -> tuple[Step, str]:
    """The step that einbatch's module makes of programs/digits.ein, and its source."""
    tree = parse(Source(str(PROGRAM), PROGRAM.read_text(encoding="utf-8")))
    tree = inline_optimizer(tree, elaborate(tree))
    program = stabilize(differentiate(elaborate(tree), keep=True))
    shapes = {name: array.shape for name, array in params.items()}
    extents = bind_extents(program, {**shapes, "image": (BATCH, 8, 8), "label": (BATCH,)})
    made = plan(
        program,
        extents,
        outputs=("loss",),
        updates=True,
        describe_statement=lambda statement: unparse(erase_statement(program, statement)),
    )
    source = emit(made)
    states = {
        operand.name: np.zeros(operand.shape, np.float32)
        for operand in made.owned
        if operand.name not in params
    }
    assert [operand.name for operand in made.inputs] == ["image", "label"]
    return load(source, made).bind({**params, **states}), source


def digits() -> list[tuple[Array, NDArray[np.int64]]]:
    """Minibatches of the handwritten digits."""
    with np.load(PROGRAM.parent / "data" / "digits.npz") as file:
        images = np.ascontiguousarray(file["image"], np.float32)
        labels = np.ascontiguousarray(file["label"], np.int64)
    starts = range(0, len(images) - BATCH + 1, BATCH)
    return [(images[k : k + BATCH], labels[k : k + BATCH]) for k in starts]


def time_of(step: Step, batches: list[tuple[Array, NDArray[np.int64]]]) -> float:
    """Seconds a step."""
    start = time.perf_counter()
    for number in range(STEPS):
        step(*batches[number % len(batches)])
    return (time.perf_counter() - start) / STEPS


def main() -> int:
    draws = np.random.default_rng(0)
    start = {
        "W0": draws.normal(0, 0.18, (64, 8, 8)).astype(np.float32),
        "C0": np.zeros(64, np.float32),
        "W1": draws.normal(0, 0.12, (10, 64)).astype(np.float32),
        "C1": np.zeros(10, np.float32),
    }
    ours, theirs = ({k: v.copy() for k, v in start.items()} for _ in range(2))
    batches = digits()
    fast, source = by_einbatch(ours)
    slow = by_hand(theirs)
    if "--source" in sys.argv:
        print(source)
    for number in range(WARMUP):
        fast(*batches[number % len(batches)])
        slow(*batches[number % len(batches)])
    for name, array in ours.items():
        assert not np.array_equal(array, start[name]), f"{name} was not trained"
        error = np.max(np.abs(array - theirs[name]))
        assert error < 2e-4, f"{name} differs by {error}"
    rounds = [(time_of(fast, batches), time_of(slow, batches)) for _ in range(ROUNDS)]
    ratio = float(np.median([a / b for a, b in rounds]))
    best = [min(times) * 1e6 for times in zip(*rounds, strict=True)]
    print(f"einbatch {best[0]:7.1f} µs   by hand {best[1]:7.1f} µs   ratio {ratio:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
