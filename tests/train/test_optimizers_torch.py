"""Every built-in optimizer, twenty steps beside PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

import einbatch as eb

torch = pytest.importorskip("torch")

PROGRAM = """
batch b < B
index i < 3, j < 4
dtype float64
input x[b,i]
input t[b]
param W[j,i] = 0
param V[j] = 0
param c = 0
h[b,j] = tanh(sum[i](W[j,i]*x[b,i]))
y[b] = sum[j](V[j]*h[b,j]) + c
loss[b] = (y[b] - t[b])^2
"""
Tensors = Iterable["torch.Tensor"]
Make = Callable[[Tensors], "torch.optim.Optimizer"]
Clip = Callable[[Tensors], object]
optim = torch.optim
SAME: list[tuple[str, Make]] = [
    ("sgd(lr=0.1)", lambda p: optim.SGD(p, lr=0.1)),
    ("sgd(lr=0.1, momentum=0.9)", lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
    (
        "sgd(lr=0.1, momentum=0.8, nesterov=1)",
        lambda p: optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    ),
    ("sgd(lr=0.1, weight_decay=0.3)", lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3)),
    (
        "sgd(lr=0.1, momentum=0.9, nesterov=1, weight_decay=0.1)",
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    ),
    ("adam()", optim.Adam),
    (
        "adam(lr=0.05, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.2)",
        lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.2),
    ),
    ("adamw()", optim.AdamW),
    (
        "adamw(lr=0.05, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.3)",
        lambda p: optim.AdamW(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    ),
    ("rmsprop()", optim.RMSprop),
    (
        "rmsprop(lr=0.02, alpha=0.9, eps=1e-4, momentum=0.7, centered=1, weight_decay=0.1)",
        lambda p: optim.RMSprop(
            p, lr=0.02, alpha=0.9, eps=1e-4, momentum=0.7, centered=True, weight_decay=0.1
        ),
    ),
    ("rmsprop(centered=1)", lambda p: optim.RMSprop(p, centered=True)),
    ("adagrad()", optim.Adagrad),
    (
        "adagrad(lr=0.2, lr_decay=0.1, eps=1e-4, weight_decay=0.1)",
        lambda p: optim.Adagrad(p, lr=0.2, lr_decay=0.1, eps=1e-4, weight_decay=0.1),
    ),
]


def follow(
    line: str,
    make: Make,
    *,
    clip: Clip | None = None,
    sense: str = "minimize",
    backend: str = "numpy",
    schedule: Callable[[int], float] | None = None,
) -> None:
    """Twenty steps of both; every param the same to 1e-10 after each."""
    text = f"{PROGRAM}{sense} loss\ntrain {line}\n"
    model = eb.parse(text, backend=backend)
    draws = np.random.default_rng(3)
    start = {key: draws.normal(size=array.shape) for key, array in model.init().items()}
    trainer = model.trainer(start, steps=20)
    peers = {key: torch.tensor(array, requires_grad=True) for key, array in start.items()}
    optimizer = make(peers.values())
    state: dict[str, np.ndarray] | None = None
    params: dict[str, np.ndarray] = start
    for step in range(20):
        x, t = draws.normal(size=(5, 3)), 2 * draws.normal(size=5)
        trainer.step(x=x, t=t)
        params, state = model.step(params, state, x=x, t=t, steps=20)
        optimizer.zero_grad()
        hidden = torch.tanh(torch.tensor(x) @ peers["W"].T)
        y = hidden @ peers["V"] + peers["c"]
        ((y - torch.tensor(t)) ** 2).mean().backward()
        if clip is not None:
            clip(peers.values())
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(step + 1)
        optimizer.step()
        for key, peer in peers.items():
            expected = peer.detach().numpy()
            np.testing.assert_allclose(trainer.params[key], expected, rtol=0, atol=1e-10)
            np.testing.assert_allclose(params[key], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("line", "make"), SAME, ids=[line for line, _ in SAME])
def test_twenty_steps(line: str, make: Make) -> None:
    follow(line, make)


def test_twenty_steps_of_the_loop_nest() -> None:
    follow(
        "adamw(lr=0.05, clip_value=9, clip_norm=99)",
        lambda p: optim.AdamW(p, lr=0.05),
        backend="loops",
    )


CLIPPED: list[tuple[str, Clip]] = [
    ("clip_norm=0.5", lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)),
    ("clip_value=0.1", lambda p: torch.nn.utils.clip_grad_value_(p, 0.1)),
]


@pytest.mark.parametrize(("setting", "clip"), CLIPPED, ids=[s for s, _ in CLIPPED])
@pytest.mark.parametrize(
    ("line", "make"),
    [
        ("sgd(lr=0.1, ", lambda p: optim.SGD(p, lr=0.1)),
        (
            "sgd(lr=0.1, momentum=0.9, weight_decay=0.1, ",
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        ),
        ("adamw(lr=0.05, ", lambda p: optim.AdamW(p, lr=0.05)),
        ("rmsprop(", optim.RMSprop),
    ],
)
def test_clipped(line: str, make: Make, setting: str, clip: Clip) -> None:
    follow(f"{line}{setting})", make, clip=clip)


def test_values_are_clipped_before_the_norm() -> None:
    def both(params: Tensors) -> None:
        tensors = list(params)
        torch.nn.utils.clip_grad_value_(tensors, 0.1)
        torch.nn.utils.clip_grad_norm_(tensors, 0.2)

    follow("sgd(lr=0.1, clip_norm=0.2, clip_value=0.1)", lambda p: optim.SGD(p, lr=0.1), clip=both)


ASCENDING: list[tuple[str, Make]] = [
    ("sgd(lr=0.001)", lambda p: optim.SGD(p, lr=0.001, maximize=True)),
    (
        "sgd(lr=0.001, momentum=0.9, weight_decay=0.5, clip_norm=0.1)",
        lambda p: optim.SGD(p, lr=0.001, momentum=0.9, weight_decay=0.5, maximize=True),
    ),
    ("adam(weight_decay=0.5)", lambda p: optim.Adam(p, weight_decay=0.5, maximize=True)),
    ("adamw(weight_decay=0.5)", lambda p: optim.AdamW(p, weight_decay=0.5, maximize=True)),
    (
        "rmsprop(momentum=0.5, centered=1)",
        lambda p: optim.RMSprop(p, momentum=0.5, centered=True, maximize=True),
    ),
    ("adagrad(weight_decay=0.5)", lambda p: optim.Adagrad(p, weight_decay=0.5, maximize=True)),
]


@pytest.mark.parametrize(("line", "make"), ASCENDING, ids=[line for line, _ in ASCENDING])
def test_going_up(line: str, make: Make) -> None:
    def clip(params: Tensors) -> None:
        if "clip" in line:
            torch.nn.utils.clip_grad_norm_(params, 0.1)

    follow(line, make, clip=clip, sense="maximize")


SCHEDULES: list[tuple[str, Callable[[int], float]]] = [
    ("0.1*min(1, step/5)", lambda s: 0.1 * min(1, s / 5)),
    ("0.1*0.5^floor(step/7)", lambda s: 0.1 * 0.5 ** (s // 7)),
    ("0.1*(1 + cos(pi*step/steps))/2", lambda s: 0.1 * (1 + np.cos(np.pi * s / 20)) / 2),
    ("if step < 10 then 0.1 else 0.01", lambda s: 0.1 if s < 10 else 0.01),
]


@pytest.mark.parametrize(("lr", "schedule"), SCHEDULES, ids=[text for text, _ in SCHEDULES])
def test_schedules(lr: str, schedule: Callable[[int], float]) -> None:
    follow(
        f"sgd(lr=({lr}), momentum=0.9)",
        lambda p: optim.SGD(p, lr=1, momentum=0.9),
        schedule=schedule,
    )
    follow(f"adamw(lr=({lr}))", lambda p: optim.AdamW(p, lr=1), schedule=schedule)
