"""Hessian-vector products against differences of gradients."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb

PERCEPTRON = """
batch b < B
index i < 3, j < 4, k < 2
input x[b,i]
input label[b] in k
param W[j,i] ~ normal(0, 1)
param V[k,j] ~ normal(0, 1)
param c = 0.3
for b,j,i: g[b,j] += W[j,i]*x[b,i]
for b,j: h[b,j] = tanh(g[b,j])
for b,k,j: s[b,k] += V[k,j]*h[b,j]
for b,k: P[b,k] = softmax[k](c*s[b,k])
for b: loss[b] = -log(P[b,label[b]])
minimize loss
"""
RECURRENCE = """
batch b
input x[b,t]
param u = 0.4
param w = 0.7
scan t:
    h[b,t] = tanh(u*x[b,t] + w*(h[b,t-1] else 0))
for b,t: loss[b] += h[b,t]^2
minimize loss
"""


def inputs(name: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    if name == "perceptron":
        return {"x": rng.normal(size=(5, 3)), "label": rng.integers(0, 2, 5)}
    return {"x": rng.normal(size=(3, 4))}


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize(("name", "text"), [("perceptron", PERCEPTRON), ("rnn", RECURRENCE)])
def test_the_product_is_the_derivative_of_the_gradient(name: str, text: str, backend: str) -> None:
    model = eb.parse(text, dtype="float64", backend=backend)
    params, data = model.init(seed=1), inputs(name)
    rng = np.random.default_rng(6)
    direction = {key: rng.normal(size=value.shape) for key, value in params.items()}
    found = model.hessian_vector_product(params, direction, data)
    step = 1e-5
    ahead, behind = (
        model.value_and_grad({k: params[k] + sign * step * direction[k] for k in params}, data)[1]
        for sign in (1, -1)
    )
    assert found.keys() == params.keys()
    for key, value in found.items():
        wanted = (ahead[key] - behind[key]) / (2 * step)
        np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=1e-8)


def test_a_direction_is_needed_for_every_param() -> None:
    model = eb.parse(RECURRENCE, dtype="float64")
    with pytest.raises(eb.EinbatchError, match="`w`"):
        model.hessian_vector_product(model.init(), {"u": 1.0}, x=[[1.0]])
