"""A perceptron's training step, as people write it who know their library.

Weights are [out, in], as in PyTorch. A step computes the loss, too, and updates the
parameters in place where the library can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.harness import Array, Running, Skipped

RATE = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """A batch, and the widths of the layers from input to output."""

    name: str
    batch: int
    widths: tuple[int, ...]

    @property
    def layers(self) -> int:
        return len(self.widths) - 1


def start(size: Size) -> dict[str, Array]:
    """The parameters at their start, float32: W0: [i1, i0], C0: [i1], and so on."""
    draws = np.random.default_rng(1)
    params: dict[str, Array] = {}
    for k, (i, j) in enumerate(zip(size.widths, size.widths[1:], strict=False)):
        params[f"W{k}"] = draws.standard_normal((j, i), np.float32)
        params[f"W{k}"] *= np.float32(np.sqrt(2 / i))
        params[f"C{k}"] = np.zeros(j, np.float32)
    return params


def data(size: Size) -> tuple[Array, Array, dict[str, Array]]:
    """A minibatch x: [b, i0] in float32, its labels t: [b] in int64, and the parameters."""
    draws = np.random.default_rng(0)
    x = draws.standard_normal((size.batch, size.widths[0]), np.float32)
    t = draws.integers(0, size.widths[-1], size.batch)
    return x, t, start(size)


def by_definition(size: Size) -> Running:
    """The reference, in float64: as the textbook has it, with no thought of speed."""
    x, t, params = data(size)
    x = x.astype(np.float64)
    params = {name: array.astype(np.float64) for name, array in params.items()}
    last, losses = size.layers - 1, [0.0]
    targets = np.eye(size.widths[-1])[t]

    def step() -> None:
        h = [x]
        for k in range(size.layers):
            g = h[k] @ params[f"W{k}"].T + params[f"C{k}"]
            h.append(np.maximum(g, 0) if k < last else g)
        exponentials = np.exp(h[-1] - h[-1].max(1, keepdims=True))
        p = exponentials / exponentials.sum(1, keepdims=True)
        losses[0] = -np.log(p[np.arange(size.batch), t]).mean()
        back = (p - targets) / size.batch
        for k in range(last, -1, -1):
            to_weights, to_biases = back.T @ h[k], back.sum(0)
            back = back @ params[f"W{k}"] * (h[k] > 0)
            params[f"W{k}"] -= RATE * to_weights
            params[f"C{k}"] -= RATE * to_biases

    return Running(step, lambda: {**params, "loss": np.array(losses[0])})


def products_alone(size: Size) -> Running:
    """The matrix products of a step and nothing else: forward, to the weights, to the inputs."""
    x, _, params = data(size)
    weights = [params[f"W{k}"] for k in range(size.layers)]
    h = [x, *(np.ones((size.batch, width), np.float32) for width in size.widths[1:])]
    back = [np.ones_like(item) for item in h]
    gradients = [np.empty_like(weight) for weight in weights]
    calls: list[tuple[Array, Array, Array]] = []
    for k, weight in enumerate(weights):
        calls.append((h[k], weight.T, h[k + 1]))
    for k in range(size.layers - 1, -1, -1):
        calls.append((back[k + 1].T, h[k], gradients[k]))
        if k:
            calls.append((back[k + 1], weights[k], back[k]))
    matmul = np.matmul

    def step() -> None:
        for left, right, out in calls:
            matmul(left, right, out)

    return Running(step, dict)


def by_numpy(size: Size) -> Running:
    """Everything allocated before, every call with `out`, the rate folded into the loss."""
    x, t, params = data(size)
    last = size.layers - 1
    weights = [params[f"W{k}"] for k in range(size.layers)]
    biases = [params[f"C{k}"] for k in range(size.layers)]
    h = [x, *(np.empty((size.batch, width), np.float32) for width in size.widths[1:])]
    back = [np.empty_like(item) for item in h]
    masks = [np.empty(item.shape, np.bool_) for item in h]
    to_weights = [np.empty_like(weight) for weight in weights]
    to_biases = [np.empty_like(bias) for bias in biases]
    s = h[-1]
    peak, total = (np.empty((size.batch, 1), np.float32) for _ in range(2))
    chosen, losses = (np.empty(size.batch, np.float32) for _ in range(2))
    flat, total_flat = s.reshape(-1), total.reshape(-1)
    rows = np.arange(size.batch) * size.widths[-1]
    places = np.empty(size.batch, np.int64)
    zero, one = np.array(0, np.float32), np.array(1, np.float32)
    share = np.array(RATE / size.batch, np.float32)
    forward = [(h[k], weights[k].T, biases[k], h[k + 1]) for k in range(last)]
    updates = list(zip(weights, to_weights, biases, to_biases, strict=True))
    loss = [0.0]
    add, subtract, multiply, matmul, maximum = (
        np.add,
        np.subtract,
        np.multiply,
        np.matmul,
        np.maximum,
    )
    add_up, greater = np.add.reduce, np.greater
    w_last, c_last, h_last = weights[last].T, biases[last], h[last]

    def step() -> None:
        for before, weight, bias, after in forward:
            matmul(before, weight, after)
            add(after, bias, after)
            maximum(after, zero, out=after)
        matmul(h_last, w_last, s)
        add(s, c_last, s)
        maximum.reduce(s, 1, None, peak, True)
        subtract(s, peak, s)
        add(t, rows, places)
        flat.take(places, None, chosen, "clip")
        np.exp(s, s)
        add_up(s, 1, None, total, True)
        np.log(total_flat, losses)
        subtract(losses, chosen, losses)
        loss[0] = float(add_up(losses)) / size.batch
        np.divide(s, total, s)
        flat[places] -= one
        multiply(s, share, s)
        after = s
        for k in range(last, -1, -1):
            matmul(after.T, h[k], to_weights[k])
            add_up(after, 0, None, to_biases[k])
            if k:
                matmul(after, weights[k], back[k])
                greater(h[k], zero, masks[k])
                after = multiply(back[k], masks[k], back[k])
        for weight, to_weight, bias, to_bias in updates:
            subtract(weight, to_weight, weight)
            subtract(bias, to_bias, bias)

    return Running(step, lambda: {**params, "loss": np.array(loss[0])})


def by_torch(size: Size) -> Running:
    """PyTorch, eager."""
    import torch

    return _by_torch(size, lambda function: function, torch)


def by_torch_compile(size: Size) -> Running:
    """PyTorch with loss and update compiled."""
    import torch

    try:
        return _by_torch(size, lambda function: torch.compile(function, dynamic=False), torch)
    except Exception as problem:  # whatever its compilers raise
        raise Skipped(f"torch.compile does not work here: {problem}") from problem


# Any: torch comes as a module, and untyped.
def _by_torch(size: Size, prepare: Callable[[Any], Any], torch: Any) -> Running:
    x, t, params = data(size)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(t)
    tensors = {k: torch.from_numpy(v).requires_grad_() for k, v in params.items()}
    weights = [tensors[f"W{k}"] for k in range(size.layers)]
    biases = [tensors[f"C{k}"] for k in range(size.layers)]
    leaves = [*weights, *biases]
    functional = torch.nn.functional
    last, loss = size.layers - 1, [0.0]

    def objective() -> Any:
        h = inputs
        for k in range(size.layers):
            h = functional.linear(h, weights[k], biases[k])
            if k < last:
                h = torch.relu(h)
        return functional.cross_entropy(h, labels)

    @torch.no_grad()
    def update(gradients: Any) -> None:
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.add_(gradient, alpha=-RATE)

    objective, update = prepare(objective), prepare(update)

    def step() -> None:
        value = objective()
        update(torch.autograd.grad(value, leaves))
        loss[0] = value.item()

    return Running(
        step,
        lambda: {
            **{name: tensor.detach().numpy() for name, tensor in tensors.items()},
            "loss": np.array(loss[0]),
        },
    )


def _loss_with(np_: Any, size: Size) -> Callable[..., Any]:
    """The mean loss in what looks like NumPy: JAX's, or autograd's."""
    last = size.layers - 1

    def loss(params: Mapping[str, Any], x: Any, t: Any) -> Any:
        h = x
        for k in range(size.layers):
            h = np_.dot(h, params[f"W{k}"].T) + params[f"C{k}"]
            if k < last:
                h = np_.maximum(h, 0)
        h = h - np_.max(h, axis=1, keepdims=True)
        chosen = h[np_.arange(size.batch), t]
        return np_.mean(np_.log(np_.sum(np_.exp(h), axis=1)) - chosen)

    return loss


def by_jax(size: Size) -> Running:
    """JAX: the whole step compiled, the parameters donated."""
    import jax
    import jax.numpy as jnp

    x, t, params = data(size)
    inputs, labels = jnp.asarray(x), jnp.asarray(t)
    now: list[Any] = [{name: jnp.array(array) for name, array in params.items()}, None]
    derived = jax.value_and_grad(_loss_with(jnp, size))

    def update(params: Any, x: Any, t: Any) -> Any:
        value, gradients = derived(params, x, t)
        return jax.tree.map(lambda p, g: p - RATE * g, params, gradients), value

    compiled = jax.jit(update, donate_argnums=0)

    def step() -> None:
        now[:] = jax.block_until_ready(compiled(now[0], inputs, labels))

    return Running(
        step,
        lambda: {**{k: np.asarray(v) for k, v in now[0].items()}, "loss": np.asarray(now[1])},
    )


def by_autograd(size: Size) -> Running:
    """HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    x, t, params = data(size)
    derived = autograd.value_and_grad(_loss_with(anp, size))
    loss = [0.0]

    def step() -> None:
        value, gradients = derived(params, x, t)
        for name, gradient in gradients.items():
            params[name] -= RATE * gradient
        loss[0] = float(value)

    return Running(step, lambda: {**params, "loss": np.array(loss[0])})
