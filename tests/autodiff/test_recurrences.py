"""Recurrences of all kinds: over two indices, over windows, ahead, and derived twice."""

from textwrap import dedent

import numpy as np
import pytest

import einbatch as eb
from tests.autodiff.derived import holds

RECURRENCES = {
    "the longest common subsequence": """
        index i < 4, j < 3
        input a[i] = [1, 2, 3, 4]
        input c[j] = [2, 3, 5]
        param w = 1.5
        scan i:
            scan j:
                s[i,j] = (s[i-1,j-1] else 0) + w
                L[i,j] = if a[i] = c[j] then s[i,j] else max(L[i-1,j] else 0, L[i,j-1] else 0)
        loss = L[3,2]
    """,
    "dynamic time warping": """
        index i < 4, j < 3
        input a[i] = [1, 2.5, 3, 4.2]
        param c[j] = [2, 3.1, 5]
        scan i:
            scan j:
                m[i,j] = min(D[i-1,j] else inf, min(D[i,j-1] else inf, D[i-1,j-1] else inf))
                D[i,j] = (a[i] - c[j])^2 + (if i = 0 and j = 0 then 0 else m[i,j])
        loss = D[3,2]
    """,
    "a window of earlier rounds": """
        index t < 6, k < 3
        param w[k] = [0.5, 0.2, -0.1]
        input x[t] = [1, 2, 3, 4, 5, 6]
        scan t:
            for k: f[t] += w[k]*(f[t-1-k] else x[t])
        loss = sum[t](f[t]^2)
    """,
    "a window, downward": """
        index t < 6, k < 3
        param w[k] = [0.5, 0.2, -0.1]
        input x[t] = [1, 2, 3, 4, 5, 6]
        scan t down:
            f[t] = x[t] + sum[k](w[k]*(f[t+k+1] else 0))
        loss = sum[t](f[t]^2)
    """,
    "a round ahead": """
        index t < 6, j, k < 2
        param U[j,k] = [[0.5, 0.2], [0.1, -0.3]]
        input x[t,j] = [[1, 2], [3, 4], [5, 6], [1, 0], [0, 1], [2, 2]]
        for j: h[0,j] += 1
        scan t:
            for j,k: z[t,j] += U[j,k]*h[t+0,k]
            for j: h[t+1,j] += tanh(z[t,j] + x[t,j]/9)
        loss = sum[j](h[6,j]^2)
    """,
    "two rounds ahead": """
        index t < 6
        param a = 0.9
        param c = -0.5
        scan t:
            f[t+2] = a*f[t+1] + c*f[t+0] + [t = 0]
        loss = f[7]^2
    """,
    "an inner sum": """
        index t < 4, u < 3
        param w[t,u] = [[1, 0, -1], [0.5, 0.2, 0], [0.1, 1, 1], [0, -1, 0.3]]
        scan t:
            scan u:
                c[t,u] = tanh(w[t,u] + (c[t-1,u] else 0) + (c[t,u-1] else 0))
                s[t] += c[t,u]
            r[t] = s[t]*(r[t-1] else 1)
        loss = r[3] + c[3,2]
    """,
    "there and back": """
        index t < 4
        param w = 0.7
        input x[t] = [1, 2, 3, 4]
        scan t:
            f[t] = tanh(w*x[t] + (f[t-1] else 0))
        scan t down:
            g[t] = tanh(f[t] + w*(g[t+1] else 0))
        loss = sum[t](f[t]*g[t])
    """,
}


def with_minimize(text: str) -> str:
    return dedent(text) + "minimize loss\n"


@pytest.mark.parametrize("name", RECURRENCES)
def test_gradients_are_exact(name: str):
    holds(with_minimize(RECURRENCES[name]))


@pytest.mark.parametrize("name", RECURRENCES)
def test_both_backends_agree(name: str):
    model, nest = (
        eb.parse(with_minimize(RECURRENCES[name]), dtype="float64", backend=backend)
        for backend in ("numpy", "loops")
    )
    params = model.init()
    expected = nest.forward(params) | nest.cotangents(params)
    for key, value in (model.forward(params) | model.cotangents(params)).items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", RECURRENCES)
def test_the_derivative_of_the_derivative(name: str):
    """The text of the derived program, with a function of its gradients to be minimized."""
    model = eb.parse(with_minimize(RECURRENCES[name]))
    terms = []
    for param in model.params:
        axes = f"[{','.join(param.axes)}]" if param.axes else ""
        terms.append(f"along += {param.name}.grad{axes}^2\n")
    holds(f"{model.backward}along = 0\n{''.join(terms)}minimize along\n")


def test_values_by_hand():
    found = eb.parse(
        dedent("""
        index i < 5, j < 5
        scan i:
            scan j:
                P[i,j] = (P[i-1,j] else 0) + (P[i-1,j-1] else 0) + [i = 0 and j = 0]
        index t < 8
        scan t:
            f[t+2] = f[t+1] + f[t+0] + [t = 0]
        """)
    ).forward()
    assert found["P"][4].tolist() == [1, 4, 6, 4, 1]
    assert found["f"].tolist() == [0, 0, 1, 1, 2, 3, 5, 8, 13, 21]
