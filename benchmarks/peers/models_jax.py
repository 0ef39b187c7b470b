"""The models of benchmarks/models in JAX: loss and gradients, compiled.

Each is a function of the parameters and the data, under the names of the .ein file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import Array, Running

Arrays = Mapping[str, jax.Array]


def conv2d(p: Arrays, data: Arrays) -> jax.Array:
    """Two convolutions."""

    def conv(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        # Any: what JAX's type stubs leave open.
        z: Any = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
        )
        return z + bias[:, None, None]

    h = jax.nn.relu(conv(data["image"], p["K0"], p["C0"]))
    return jnp.mean(conv(h, p["K1"], p["C1"]) ** 2)


def _lstm(x: jax.Array, w: jax.Array, u: jax.Array, c: jax.Array) -> jax.Array:
    """The input's part for all steps at once, then a scan; w, u: [4*j, …], gates in order ifgo."""
    width = u.shape[1]
    from_input = jnp.einsum("btd,jd->tbj", x, w) + c
    zero = jnp.zeros((x.shape[0], width), x.dtype)

    def round_(carry: tuple[jax.Array, jax.Array], given: jax.Array) -> Any:
        h, cell = carry
        i, f, g, o = jnp.split(given + h @ u.T, 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (h, cell), h

    _, h = jax.lax.scan(round_, (zero, zero), from_input)
    return jnp.mean(h**2)


def lstm(p: Arrays, data: Arrays) -> jax.Array:
    """Four gates, put side by side."""
    stacked = (jnp.concatenate([p[letter + gate] for gate in "ifgo"]) for letter in "WUC")
    return _lstm(data["x"], *stacked)


def lstm_stacked(p: Arrays, data: Arrays) -> jax.Array:
    """The gates as one axis."""
    w, u, c = (p[letter].reshape(-1, *p[letter].shape[2:]) for letter in "WUC")
    return _lstm(data["x"], w, u, c)


def transformer(p: Arrays, data: Arrays) -> jax.Array:
    """A block of causal attention and a perceptron."""

    def norm(x: jax.Array, γ: jax.Array, β: jax.Array) -> jax.Array:
        centred = x - x.mean(-1, keepdims=True)
        return γ * centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + β

    x = data["x"]
    positions, width = x.shape[1], p["Wq"].shape[1]
    n = norm(x, p["γ0"], p["β0"])
    q, k, v = (jnp.einsum("bti,adi->btad", n, p[name]) for name in ("Wq", "Wk", "Wv"))
    s = jnp.einsum("btad,bsad->bats", q, k) / np.sqrt(width)
    s = jnp.where(jnp.tril(jnp.ones((positions, positions), bool)), s, -jnp.inf)
    o = jnp.einsum("bats,bsad->btad", jax.nn.softmax(s), v)
    y = x + jnp.einsum("btae,iae->bti", o, p["Wo"])
    m = norm(y, p["γ1"], p["β1"])
    h = jax.nn.gelu(m @ p["U"].T + p["bu"], approximate=False)
    return jnp.mean((y + h @ p["V"].T + p["bv"]) ** 2)


def embedding(p: Arrays, data: Arrays) -> jax.Array:
    """A lookup, its gradient dense."""
    return jnp.mean((p["E"][data["word"]] - data["y"]) ** 2)


LOSSES: dict[str, Callable[[Arrays, Arrays], jax.Array]] = {
    "conv2d": conv2d,
    "lstm": lstm,
    "lstm_stacked": lstm_stacked,
    "transformer": transformer,
    "embedding": embedding,
}


def prepare(model: str, data: Mapping[str, Array], params: Mapping[str, Array]) -> Running:
    """Loss and gradients, compiled for these shapes."""
    inputs = {name: jnp.asarray(array) for name, array in data.items()}
    leaves = {name: jnp.asarray(array) for name, array in params.items()}
    compiled = jax.jit(jax.value_and_grad(LOSSES[model]))
    found: list[Any] = [None, None]

    def step() -> None:
        found[:] = [None, None]  # gone, as in a training loop, before the next ones come
        found[:] = jax.block_until_ready(compiled(leaves, inputs))

    def results() -> dict[str, Array]:
        gradients = {name: np.asarray(array) for name, array in found[1].items()}
        return {**gradients, "loss": np.asarray(found[0])}

    return Running(step, results)
