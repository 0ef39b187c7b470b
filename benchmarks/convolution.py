"""A 3×3 convolution with its two adjoints: einbatch's module against NumPy by hand.

By hand: all patches copied out of the padded images, then one product for each of the
three. The results have to be equal first; then both run in turn.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, elaborate
from einbatch.plan import plan
from einbatch.syntax import parse

Array = NDArray[np.float32]
TEXT = """
input x[b,i,r,c]
input g[b,o,r,c]
param K[o,i,u,v] = 0
index u < 3, v < 3
for b,o,i,r,c,u,v: y[b,o,r,c] += K[o,i,u,v]*(x[b,i,r+u-1,c+v-1] else 0)
for b,o,i,r,c,u,v: k[o,i,u,v] += g[b,o,r,c]*(x[b,i,r+u-1,c+v-1] else 0)
for b,i,r,c: d[b,i,r,c] = 0
for b,o,i,r,c,u,v: (d[b,i,r+u-1,c+v-1] else 0) += g[b,o,r,c]*K[o,i,u,v]
"""
ROUNDS = 30


def by_hand(x: Array, g: Array, k: Array) -> tuple[Array, Array, Array]:
    """The convolution, and what comes back to its kernel and to its images."""
    border = ((0, 0), (0, 0), (1, 1), (1, 1))
    patches = sliding_window_view(np.pad(x, border), (3, 3), (2, 3))
    y = np.tensordot(patches, k, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    to_kernel = np.tensordot(g, patches, ((0, 2, 3), (0, 2, 3)))
    back = sliding_window_view(np.pad(g, border), (3, 3), (2, 3))
    turned = k[:, :, ::-1, ::-1]
    to_images = np.tensordot(back, turned, ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    return y, to_kernel, to_images


def measure(batch: int, channels: int, filters: int, size: int) -> None:
    """One line: the fastest of each, and what the plan takes."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(batch, channels, size, size)).astype(np.float32)
    g = draws.normal(size=(batch, filters, size, size)).astype(np.float32)
    k = draws.normal(size=(filters, channels, 3, 3)).astype(np.float32)
    program = elaborate(parse(Source("convolution.ein", TEXT)))
    arrays = {"x": x, "g": g, "K": k}
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    made = plan(program, extents, outputs=("y", "k", "d"))
    step = load(emit(made), made).bind({})
    operands = [arrays[item.name] for item in made.inputs]
    for found, wanted in zip(step(*operands), by_hand(x, g, k), strict=True):
        assert np.allclose(found, wanted, rtol=1e-3, atol=1e-2)
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        step(*operands)
        middle = time.perf_counter()
        by_hand(x, g, k)
        times.append((middle - start, time.perf_counter() - middle))
    own, hand = (1e3 * min(item) for item in zip(*times, strict=True))
    given = 4 * (2 * x.size + 2 * g.size + 2 * k.size)
    print(
        f"batch {batch}, {channels} → {filters} channels, {size}×{size}: "
        f"{own:.2f} ms, by hand {hand:.2f} ms ({hand / own:.1f}×); "
        f"peak {made.peak / given:.2f}× inputs and outputs"
    )


if __name__ == "__main__":
    for sizes in ((32, 3, 16, 32), (32, 16, 32, 32), (8, 32, 32, 16), (1, 16, 16, 64)):
        measure(*sizes)
