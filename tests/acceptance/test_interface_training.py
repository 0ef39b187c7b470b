"""Training from Python beside plain NumPy: `step`, `trainer` and `fit` do what paper says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import einbatch as eb
from einbatch.data import minibatch_order, split_holdout

REGRESSION = """
batch b < B
index j < 2
input x[b,i]
input t[b,j]
param W[j,i] ~ normal(0, 1)
param C[j] = 0.5
for b,j,i: y[b,j] += W[j,i]*x[b,i]
for b,j: y[b,j] -= C[j]
for b: loss[b] = 1/2*sum[j]((y[b,j] - t[b,j])^2)
GOAL loss
report error = mean[b](sum[j](abs(y[b,j] - t[b,j])))
train OPTIMIZER, batch=4, epochs=3, seed=7
"""
N = 10
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(N, 3))
T = RANDOM.normal(size=(N, 2))

Params = dict[str, np.ndarray]
Update = Callable[[Params, Params, int], None]


def model_of(optimizer: str, goal: str = "minimize", backend: str = "numpy") -> eb.Model:
    text = REGRESSION.replace("OPTIMIZER", optimizer).replace("GOAL", goal)
    return eb.parse(text, dtype="float64", backend=backend)


def loss_and_grads(params: Params, x: np.ndarray, t: np.ndarray) -> tuple[float, Params]:
    error = x @ params["W"].T - params["C"] - t
    n = len(x)
    return 0.5 * float((error**2).sum()) / n, {"W": error.T @ x / n, "C": -error.sum(0) / n}


def sgd(lr: float, momentum: float = 0, sign: int = 1) -> Update:
    velocity: Params = {}

    def update(params: Params, grads: Params, _: int) -> None:
        for name, grad in grads.items():
            velocity[name] = momentum * velocity.get(name, 0) + grad
            params[name] -= sign * lr * velocity[name]

    return update


def adam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Update:
    first: Params = {}
    second: Params = {}

    def update(params: Params, grads: Params, step: int) -> None:
        for name, grad in grads.items():
            first[name] = beta1 * first.get(name, 0) + (1 - beta1) * grad
            second[name] = beta2 * second.get(name, 0) + (1 - beta2) * grad**2
            mean, square = first[name] / (1 - beta1**step), second[name] / (1 - beta2**step)
            params[name] -= lr * mean / (np.sqrt(square) + eps)

    return update


CASES = {
    "sgd(lr=0.1)": ("minimize", lambda: sgd(0.1)),
    "sgd(lr=0.1, momentum=0.9)": ("minimize", lambda: sgd(0.1, 0.9)),
    "adam(lr=0.05)": ("minimize", lambda: adam(0.05)),
    "adam(lr=0.05, beta1=0.5, beta2=0.9, eps=0.001)": (
        "minimize",
        lambda: adam(0.05, 0.5, 0.9, 0.001),
    ),
    "sgd(lr=0.01, momentum=0.5)": ("maximize", lambda: sgd(0.01, 0.5, sign=-1)),
}
both = pytest.mark.parametrize("backend", ["numpy", "loops"])
every = pytest.mark.parametrize("optimizer", CASES)


def assert_same(found: Params, wanted: Params) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-11, atol=1e-13)


@both
@every
def test_step_and_trainer_do_what_plain_numpy_does(optimizer: str, backend: str):
    goal, make = CASES[optimizer]
    model, update = model_of(optimizer, goal, backend), make()
    params = model.init(3, x=X)
    trainer = model.trainer(params)
    by_hand = {name: value.copy() for name, value in params.items()}
    state = None
    for step, rows in enumerate([slice(0, 4), slice(4, 8), slice(8, 10), slice(0, 1)], 1):
        wanted, grads = loss_and_grads(by_hand, X[rows], T[rows])
        assert trainer.step(x=X[rows], t=T[rows]) == pytest.approx(wanted, rel=1e-12)
        params, state = model.step(params, state, x=X[rows], t=T[rows])
        update(by_hand, grads, step)
        assert_same(params, by_hand)
        assert_same(trainer.params, by_hand)
    assert state is not None
    assert state["step"] == trainer.state["step"] == 4


@both
@every
def test_fit_is_its_minibatches_by_hand(optimizer: str, backend: str):
    goal, make = CASES[optimizer]
    model, update = model_of(optimizer, goal, backend), make()
    result = model.fit(x=X, t=T, holdout=0.3)
    by_hand = model.init(7, x=X)
    trained, held = split_holdout(N, 0.3, 7)
    assert sorted([*trained, *held]) == list(range(N))
    assert len(held) == 3
    step = 0
    for epoch in range(3):
        total = 0.0
        orders = minibatch_order(len(trained), 4, 7, epoch)
        assert [len(order) for order in orders] == [4, 3]
        for order in orders:
            rows = trained[order]
            value, grads = loss_and_grads(by_hand, X[rows], T[rows])
            total += value * len(rows)
            step += 1
            update(by_hand, grads, step)
        record = result.history[epoch]
        assert record["loss"] == pytest.approx(total / len(trained), rel=1e-10)
        wanted, _ = loss_and_grads(by_hand, X[held], T[held])
        assert record["holdout_loss"] == pytest.approx(wanted, rel=1e-10)
    assert_same(result.params, by_hand)
    error = np.abs(X[held] @ by_hand["W"].T - by_hand["C"] - T[held]).sum(1).mean()
    assert result.reports["holdout"]["error"] == pytest.approx(error, rel=1e-10)


@both
def test_one_seed_one_result(backend: str):
    model = model_of("sgd(lr=0.1, momentum=0.9)", backend=backend)
    first, again = model.fit(x=X, t=T, seed=5), model.fit(x=X, t=T, seed=5)
    other = model.fit(x=X, t=T, seed=6)
    assert all(np.array_equal(first.params[k], again.params[k]) for k in first.params)
    assert first.history == again.history
    assert not np.array_equal(first.params["W"], other.params["W"])
    fixed = {name: np.zeros_like(value) for name, value in first.params.items()}
    one, two = (model.fit(x=X, t=T, params=fixed, seed=seed) for seed in (5, 6))
    assert not np.array_equal(one.params["W"], two.params["W"])  # another order
    assert not any(value.any() for value in fixed.values())


@both
def test_what_is_kept_goes_on(backend: str):
    model = model_of("adam(lr=0.05)", backend=backend)
    whole = model.trainer(seed=2)
    half = model.trainer(seed=2)
    for _ in range(3):
        whole.step(x=X, t=T)
        half.step(x=X, t=T)
    rest = model.trainer(half.params, state=half.state)
    kept = {name: value.copy() for name, value in rest.params.items()}
    params, state = half.params, half.state
    for _ in range(2):
        assert whole.step(x=X, t=T) == rest.step(x=X, t=T)
        params, state = model.step(params, state, x=X, t=T)
    assert_same(rest.params, whole.params)
    assert_same(params, whole.params)
    assert_same(half.params, kept)


def test_two_models_and_two_trainers_interleaved():
    alone = {}
    for optimizer in ("sgd(lr=0.1)", "adam(lr=0.05)"):
        trainer = model_of(optimizer).trainer(seed=1)
        alone[optimizer] = [trainer.step(x=X[k:], t=T[k:]) for k in range(4)]
    models = {optimizer: model_of(optimizer) for optimizer in alone}
    trainers = [(name, models[name].trainer(seed=1)) for name in alone for _ in range(2)]
    found = [[] for _ in trainers]
    for k in range(4):
        for losses, (name, trainer) in zip(found, trainers, strict=True):
            losses.append(trainer.step(x=X[k:], t=T[k:]))
            models[name].value_and_grad(trainer.params, x=X[:3], t=T[:3])
            models[name].forward(trainer.params, x=X[::-1], outputs=("y",))
    assert found == [alone[name] for name, _ in trainers]


@pytest.mark.parametrize("holdout", [0.2, 0.5, 0.99])
def test_one_example_is_trained_on(holdout: float):
    result = model_of("sgd(lr=0.1)").fit(x=X[:1], t=T[:1], holdout=holdout)
    assert result.holdout_loss is None
    assert result.loss < result.history[0]["loss"]
    assert result.reports["holdout"] == {}
