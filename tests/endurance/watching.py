"""What `--check-finite` costs.

    python -m tests.endurance.watching

trains 784-256-10 on random data in minibatches of 64, and measures the seconds that are
spent in the watch: the difference of two trainings is lost in their own variation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np

import einbatch as eb
from einbatch.model.finite import Guard

PROGRAM = """\
batch b < B
index i < 784, j < 256, k < 10
input x[b,i]
input t[b] in k
param W[j,i] ~ he()
param c[j] = 0
param V[k,j] ~ glorot()
param d[k] = 0
for b,j: h[b,j] = relu(sum[i](W[j,i]*x[b,i]) + c[j])
for b,k: s[b,k] = sum[j](V[k,j]*h[b,j]) + d[k]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
train sgd(lr=0.01, momentum=0.9), batch=64, epochs=2
"""
COUNT = 64 * 250


def run() -> float:
    """The part of a training's seconds that is spent in the watch."""
    numbers = np.random.default_rng(0)
    data = {"x": numbers.random((COUNT, 784), "f4"), "t": numbers.integers(0, 10, COUNT)}
    model = eb.parse(PROGRAM)
    spent = 0.0

    def timed(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            nonlocal spent
            began = perf_counter()
            method(*arguments)
            spent += perf_counter() - began

        return call

    for name in ("start", "step", "settled"):
        setattr(Guard, name, timed(getattr(Guard, name)))
    model.fit(data, epochs=1)
    spent, began = 0.0, perf_counter()
    model.fit(data, check_finite=True)
    return spent / (perf_counter() - began)


if __name__ == "__main__":
    part = run()
    print(f"watching takes {part:.2%} of the time")
    sys.exit(part >= 0.01)
