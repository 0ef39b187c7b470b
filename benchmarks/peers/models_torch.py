"""The models of benchmarks/models in PyTorch, eager: loss and gradients.

Each takes the data and the parameters under the names of the .ein file and gives a
function that computes the loss. Where PyTorch has a layer or a function, that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.harness import Array, Running

Tensors = Mapping[str, torch.Tensor]
Loss = Callable[[], torch.Tensor]


def conv2d(data: Tensors, p: Tensors) -> Loss:
    """Two convolutions."""

    def loss() -> torch.Tensor:
        h = torch.relu(functional.conv2d(data["image"], p["K0"], p["C0"], padding=1))
        return functional.conv2d(h, p["K1"], p["C1"], padding=1).square().mean()

    return loss


def _lstm(x: torch.Tensor, w: torch.Tensor, u: torch.Tensor, c: torch.Tensor) -> Loss:
    """PyTorch's own layer, its parameters [4*j, …] in the order input, forget, cell, output."""
    start = torch.zeros(1, x.shape[0], u.shape[1], dtype=x.dtype)
    none = torch.zeros_like(c)

    def loss() -> torch.Tensor:
        out = torch.lstm(
            x, (start, start), (w, u, c, none), True, 1, 0.0, True, False, True
        )  # biases, layers, dropout, train, bidirectional, batch first
        return out[0].square().mean()

    return loss


def lstm(data: Tensors, p: Tensors) -> Loss:
    """The gates side by side, as PyTorch has them."""

    def stacked(letter: str) -> torch.Tensor:
        return p["stacked." + letter]

    return _lstm(data["x"], stacked("W"), stacked("U"), stacked("C"))


def transformer(data: Tensors, p: Tensors) -> Loss:
    """A block; scaled_dot_product_attention is PyTorch's fused one."""
    x = data["x"]
    batch, positions, width = x.shape
    heads = p["Wq"].shape[0]

    def split(n: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        q = functional.linear(n, weight.reshape(width, width))
        return q.view(batch, positions, heads, -1).transpose(1, 2)

    def loss() -> torch.Tensor:
        n = functional.layer_norm(x, (width,), p["γ0"], p["β0"], 1e-5)
        q, k, v = (split(n, p[name]) for name in ("Wq", "Wk", "Wv"))
        o = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        o = o.transpose(1, 2).reshape(batch, positions, width)
        y = x + functional.linear(o, p["Wo"].reshape(width, width))
        m = functional.layer_norm(y, (width,), p["γ1"], p["β1"], 1e-5)
        h = functional.gelu(functional.linear(m, p["U"], p["bu"]))
        return (y + functional.linear(h, p["V"], p["bv"])).square().mean()

    return loss


def embedding(data: Tensors, p: Tensors) -> Loss:
    """A lookup, its gradient dense."""

    def loss() -> torch.Tensor:
        found = functional.embedding(data["word"], p["E"])
        return (found - data["y"]).square().mean()

    return loss


LOSSES: dict[str, Callable[[Tensors, Tensors], Loss]] = {
    "conv2d": conv2d,
    "lstm": lstm,
    "lstm_stacked": lstm,
    "transformer": transformer,
    "embedding": embedding,
}

GATES = "ifgo"


def prepare(
    model: str,
    data: Mapping[str, Array],
    params: Mapping[str, Array],
    rate: float | None = None,
) -> Running:
    """Loss and gradients, in the precision of the arrays; with a rate, the update too."""
    inputs = {name: torch.from_numpy(array) for name, array in data.items()}
    leaves = {k: torch.from_numpy(v).requires_grad_() for k, v in leaves_of(model, params).items()}
    loss = LOSSES[model](inputs, leaves)
    found: list[Any] = [None, ()]

    def step() -> None:
        found[1] = ()  # gone, as in a training loop, before the next ones come
        value = loss()
        found[1] = torch.autograd.grad(value, list(leaves.values()))
        found[0] = value.item()
        if rate is not None:
            with torch.no_grad():
                for leaf, gradient in zip(leaves.values(), found[1], strict=True):
                    leaf.add_(gradient, alpha=-rate)

    def results() -> dict[str, Array]:
        gradients = dict(zip(leaves, (item.numpy() for item in found[1]), strict=True))
        return {**named(model, gradients, params), "loss": np.array(found[0])}

    return Running(step, results)


def leaves_of(model: str, params: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters as PyTorch's layer has them: an LSTM's gates in one matrix."""
    if model == "lstm":
        return {
            f"stacked.{letter}": np.concatenate([params[letter + gate] for gate in GATES])
            for letter in "WUC"
        }
    if model == "lstm_stacked":
        return {
            f"stacked.{letter}": params[letter].reshape(-1, *params[letter].shape[2:]).copy()
            for letter in "WUC"
        }
    return dict(params)


def named(
    model: str, gradients: Mapping[str, Array], params: Mapping[str, Array]
) -> dict[str, Array]:
    """Gradients under the names and in the shapes of the .ein file."""
    if model == "lstm":
        return {
            letter + gate: part
            for letter in "WUC"
            for gate, part in zip(GATES, np.split(gradients[f"stacked.{letter}"], 4), strict=True)
        }
    return {
        name: gradients.get(name, gradients.get(f"stacked.{name}")).reshape(array.shape)
        for name, array in params.items()
    }
