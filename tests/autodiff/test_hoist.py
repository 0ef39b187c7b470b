"""Parts that get names: before and after, as text and by value."""

from textwrap import dedent

import numpy as np
import pytest

from einbatch.autodiff.activity import find_active
from einbatch.autodiff.hoist import hoist_nested
from einbatch.ir import Program, verify
from tests.autodiff.derived import arrays_for, program, run, statements

HEAD = """\
batch b < B
index i < 3, j < 3
input x[b,i]
param W[j,i] ~ normal(0, 1)
param a[j] ~ normal(0, 1)
"""

CASES = {
    "sums of products stay": (
        "h[b,j] = sum[i](W[j,i]*x[b,i]) - a[j]/2",
        """\
        for b,j: h[b,j] = sum[i](W[j,i]*x[b,i]) - a[j]/2
        """,
    ),
    "what carries no derivative stays": (
        "h[b,j] = a[j]*exp(sin(x[b,0]) + x[b,1])",
        """\
        for b,j: h[b,j] = a[j]*exp(sin(x[b,0]) + x[b,1])
        """,
    ),
    "a function of one read stays": (
        "h[b,j] = sin(a[j]) + (2*a[j] - x[b,0])^3",
        """\
        for b,j: h[b,j] = sin(a[j]) + (2*a[j] - x[b,0])^3
        """,
    ),
    "an argument that computes": (
        "h[b,j] = sigmoid(sum[i](W[j,i]*x[b,i]) - a[j])",
        """\
        for b,j: h_1[b,j] = sum[i](W[j,i]*x[b,i]) - a[j]
        for b,j: h[b,j] = sigmoid(h_1[b,j])
        """,
    ),
    "a derivative that is written with the output": (
        "h[b,j] = 3*tanh(a[j]) + x[b,0]",
        """\
        for j: h_1[j] = tanh(a[j])
        for b,j: h[b,j] = 3*h_1[j] + x[b,0]
        """,
    ),
    "a factor that another needs": (
        "h[b,j] = a[j]*sum[i](W[j,i]*x[b,i])",
        """\
        for b,j: h_1[b,j] = sum[i](W[j,i]*x[b,i])
        for b,j: h[b,j] = a[j]*h_1[b,j]
        """,
    ),
    "equal parts get one name": (
        "h[j] = (a[j] - W[j,0])^2\ng[j] = a[j]*exp(a[j] - W[j,0]) - (a[j] - W[j,0])^3",
        """\
        for j: h_1[j] = a[j] - W[j,0]
        for j: h[j] = h_1[j]^2
        for j: g_1[j] = exp(h_1[j])
        for j: g[j] = a[j]*g_1[j] - h_1[j]^3
        """,
    ),
    "the index that a reduction binds": (
        "h[b] = sum[j](exp(sum[i](W[j,i]*x[b,i])))",
        """\
        for b,j: h_1[b,j] = sum[i](W[j,i]*x[b,i])
        for b,j: h_2[b,j] = exp(h_1[b,j])
        for b: h[b] = sum[j](h_2[b,j])
        """,
    ),
    "an index that is bound again": (
        "h[j] = a[j]*sum[j](a[j]^2)",
        """\
        h_1 = sum[j](a[j]^2)
        for j: h[j] = a[j]*h_1
        """,
    ),
    "a softmax stands alone": (
        "h[b] = sum[j](softmax[j](a[j]*x[b,0])*j)",
        """\
        for b,j: h_1[b,j] = softmax[j](a[j]*x[b,0])
        for b: h[b] = sum[j](h_1[b,j]*j)
        """,
    ),
    "a softmax in its long form": (
        "h[j] = exp(a[j])/sum[j](exp(a[j]))",
        """\
        for j: h[j] = softmax[j](a[j])
        """,
    ),
    "an extremum over two indices": (
        "h[b] = max[j,i](W[j,i]*x[b,i])",
        """\
        for b,j,i: h_1[b,j,i] = W[j,i]*x[b,i]
        for b: h[b] = max[j,i](h_1[b,j,i])
        """,
    ),
    "a branch has a value where it is taken": (
        "h[b,j] = if x[b,0] > 0 then log(x[b,0] + a[j]^2) else a[j]",
        """\
        for b,j: h_1[b,j] = if x[b,0] > 0 then x[b,0] + a[j]^2 else 0
        for b,j: h[b,j] = if x[b,0] > 0 then log(h_1[b,j]) else a[j]
        """,
    ),
    "the bottom of a quotient": (
        "h[j] = a[j]/(1 + sum[i](W[j,i]^2))",
        """\
        for j: h_1[j] = 1 + sum[i](W[j,i]^2)
        for j: h[j] = a[j]/h_1[j]
        """,
    ),
}


def hoisted(found: Program) -> Program:
    return hoist_nested(found, find_active(found, ("W", "a")))


@pytest.mark.parametrize("case", CASES)
def test_before_and_after(case: str):
    before, after = CASES[case]
    found = hoisted(program(f"{HEAD}{before}\n"))
    assert verify(found) == []
    assert statements(found) == dedent(after).splitlines()


@pytest.mark.parametrize("case", CASES)
def test_the_same_values(case: str):
    before = program(f"{HEAD}{CASES[case][0]}\n")
    after = hoisted(before)
    arrays = {**arrays_for(before), "x": np.array([[0.5, -1, 2], [-1, 2, 0], [1, 1, 1]])}
    expected, found = run(before, arrays), run(after, arrays)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_once_is_enough(case: str):
    once = hoisted(program(f"{HEAD}{CASES[case][0]}\n"))
    assert hoisted(once) == once
