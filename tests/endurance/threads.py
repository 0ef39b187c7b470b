"""SHA-256 of what a training comes to, for `--deterministic` at any number of threads.

    OPENBLAS_NUM_THREADS=2 python -m tests.endurance.threads

prints it with and without `deterministic`, and the number of BLAS's threads. The matrix
products are large enough for BLAS to split them.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

import einbatch as eb
from tests.endurance.stops import digest

PROGRAM = """\
batch b < B
index i < 700, j < 300, k < 10
input x[b,i]
input t[b] in k
param W[j,i] ~ he()
param V[k,j] ~ glorot()
for b,j: h[b,j] = relu(sum[i](W[j,i]*x[b,i]))
for b,k: s[b,k] = sum[j](V[k,j]*h[b,j])
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
train adam(lr=0.01), batch=300, epochs=5, holdout=0.2
"""


def run(deterministic: bool) -> str:
    numbers = np.random.default_rng(0)
    data = {"x": numbers.normal(size=(750, 700)), "t": numbers.integers(0, 10, 750)}
    return digest(eb.parse(PROGRAM).fit(data, deterministic=deterministic))


if __name__ == "__main__":
    threads = [pool["num_threads"] for pool in threadpool_info()]
    print(run(deterministic=True), run(deterministic=False), *threads)
