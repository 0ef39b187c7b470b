"""Trainings that are stopped and resumed come to the bits of one that was not.

    python -m tests.endurance.stops 25

stops a training with each optimizer at 25 places, each twice: at a random update, and
again at a random later one. SHA-256 of params and state is compared at the end.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import einbatch as eb
from einbatch.model.fitting import Result
from einbatch.train.loop import Silent
from einbatch.train.state import State

PROGRAM = """\
batch b < B
index i < 5, j < 4, k < 3
input x[b,i]
input t[b] in k
param W[j,i] ~ glorot()
param V[k,j] ~ glorot()
param c[k] = 0
mask[b,j] ~ bernoulli(0.8)
for b,j: h[b,j] = mask[b,j]*tanh(sum[i](W[j,i]*x[b,i]))
for b,k: s[b,k] = sum[j](V[k,j]*h[b,j]) + c[k]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = t[b]])
train OPTIMIZER, batch=8, epochs=5, holdout=0.2, seed=3
"""
OPTIMIZERS = {
    "sgd": "sgd(lr=0.1*min(1, step/10))",
    "momentum": "sgd(lr=0.1, momentum=0.9)",
    "nesterov": "sgd(lr=0.1, momentum=0.9, nesterov=1, weight_decay=0.01)",
    "adam": "adam(lr=0.05)",
    "adamw": "adamw(lr=0.05)",
    "rmsprop": "rmsprop(lr=0.02)",
    "adagrad": "adagrad(lr=0.1)",
}
COUNT = 53
STEPS = 5 * 6
"""Five epochs of 42 examples, in sixes of at most 8."""


class StopAt(Silent):
    """Ends a training after an update, as a signal would."""

    def __init__(self, step: int) -> None:
        self.step_wanted = step
        self.reached = 0

    @property
    def stopped(self) -> str:
        return "interrupted" if self.reached >= self.step_wanted else ""

    def step(self, state: State, values: Sequence[float], /) -> None:
        self.reached = state.step


def data() -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(0)
    return {"x": numbers.normal(size=(COUNT, 5)), "t": numbers.integers(0, 3, COUNT)}


def digest(result: Result) -> str:
    """SHA-256 of all params and state, by name."""
    found = hashlib.sha256()
    for name, value in sorted({**result.params, **result.state}.items()):
        found.update(name.encode())
        found.update(np.asarray(value).tobytes())
    return found.hexdigest()


def check(optimizer: str, stops: Sequence[int], every: int | None, backend: str = "numpy") -> None:
    """Stops a training after these updates, in order, and resumes it each time."""
    model = eb.parse(PROGRAM.replace("OPTIMIZER", OPTIMIZERS[optimizer]), backend=backend)
    whole = model.fit(data())
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        for stop in stops:
            model.fit(data(), resume=run, checkpoint_every=every, progress=StopAt(stop))
        parts = eb.parse(model.front.source.text, backend=backend).fit(data(), resume=run)
    assert digest(parts) == digest(whole), f"{optimizer}, stopped after {stops}, every {every}"
    assert parts.history == whole.history
    assert parts.best is not None
    assert whole.best is not None
    assert (parts.best.epoch, parts.best.loss) == (whole.best.epoch, whole.best.loss)
    for name, value in whole.best.params.items():
        assert (parts.best.params[name] == value).all()


def run(rounds: int, seed: int) -> int:
    """So many random pairs of stops for each optimizer; the number of trainings resumed."""
    choose = random.Random(seed)
    for optimizer in OPTIMIZERS:
        for _ in range(rounds):
            stops = sorted(choose.sample(range(1, STEPS + 1), 2))
            check(optimizer, stops, choose.choice([None, 1, 4, 7]))
    return rounds * len(OPTIMIZERS)


if __name__ == "__main__":
    rounds, seed = int((*sys.argv, "25")[1]), random.randrange(2**32)
    print(f"seed {seed}")
    print(f"{run(rounds, seed)} trainings, stopped twice each: all the same bits")
