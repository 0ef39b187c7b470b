"""Backward statements as a person would write them: before and after, and by value."""

from dataclasses import replace

import numpy as np
import pytest

from einbatch.ir import Program, verify
from einbatch.optimize.simplify import simplify
from tests.autodiff.derived import arrays_for, program, run, statements

HEAD = """\
batch b < B
index i < 3, m < 2*B
input x[b,i]
input y[m]
input t[b] in i
param C[i] = 1
for b: h[b] = x[b,0]
for b: g[b] = x[b,1]
"""

CASES = {
    "a one": ("for b: h.grad[b] += 1*g[b]*1", "for b: h.grad[b] += g[b]"),
    "ones alone": ("for b: h.grad[b] += 1*1", "for b: h.grad[b] += 1"),
    "a power of one": ("for b: h.grad[b] += 2*g[b]^1", "for b: h.grad[b] += 2*g[b]"),
    "products in products": (
        "for b: h.grad[b] += g[b]*(h[b]*(x[b,0]*2))",
        "for b: h.grad[b] += 2*g[b]*h[b]*x[b,0]",
    ),
    "numbers": ("for b: h.grad[b] += 1/B*g[b]*2*h[b]*3", "for b: h.grad[b] += 6/B*g[b]*h[b]"),
    "numbers above a bar": (
        "for b: h.grad[b] += 2*(g[b]/|i|)*h[b]",
        "for b: h.grad[b] += 2*g[b]/|i|*h[b]",
    ),
    "numbers that cancel": ("for b: h.grad[b] += 2*(g[b]/2)*h[b]", "for b: h.grad[b] += g[b]*h[b]"),
    "numbers that cancel in part": (
        "for b: h.grad[b] += 6*(g[b]/4)*h[b]",
        "for b: h.grad[b] += 3*g[b]/2*h[b]",
    ),
    "numbers that cancel beside 1/B": (
        "for b: h.grad[b] += 6*(1/B)*(g[b]/4)*h[b]",
        "for b: h.grad[b] += 3/B*g[b]/2*h[b]",
    ),
    "numbers that cancel in a product below": (
        "for b: h.grad[b] += 2*(g[b]/(2*|i|))*h[b]",
        "for b: h.grad[b] += g[b]/|i|*h[b]",
    ),
    "numbers that cancel two bars down": (
        "for b: h.grad[b] += 4*(g[b]/2/|i|)*h[b]",
        "for b: h.grad[b] += 2*g[b]/|i|*h[b]",
    ),
    "a half of a number alone": ("for b: h.grad[b] += 2*(1/2)*g[b]", "for b: h.grad[b] += g[b]"),
    "fractions that are not whole": (
        "for b: h.grad[b] += 2*(g[b]/0.5)",
        "for b: h.grad[b] += 2*g[b]/0.5",
    ),
    "pi": ("for b: h.grad[b] += g[b]*pi*2", "for b: h.grad[b] += 2*g[b]*pi"),
    "a sign": ("for b: h.grad[b] += -g[b]*h[b]", "for b: h.grad[b] -= g[b]*h[b]"),
    "two signs": ("for b: h.grad[b] -= g[b]*-h[b]", "for b: h.grad[b] += g[b]*h[b]"),
    "a sign below a bar": ("for b: h.grad[b] += -g[b]/h[b]", "for b: h.grad[b] -= g[b]/h[b]"),
    "a difference turned": (
        "for b: h.grad[b] -= g[b]*(x[b,0] - h[b])",
        "for b: h.grad[b] += g[b]*(h[b] - x[b,0])",
    ),
    "a sum of negatives": (
        "for b: h.grad[b] += sum[i](-x[b,i])",
        "for b: h.grad[b] -= sum[i](x[b,i])",
    ),
    "a zero term": ("for b: h.grad[b] += g[b] + 0*h[b]", "for b: h.grad[b] += g[b]"),
    "a zero": (
        "for b: h.grad[b] += 0*g[b]\nfor b: h.grad[b] += g[b]",
        "for b: h.grad[b] += g[b]",
    ),
    "a zero and nothing else": ("for b,i: h.grad[b] += 0*x[b,i]", "for b: h.grad[b] += 0"),
    "two zeros and nothing else": (
        "for b: h.grad[b] += 0*g[b]\nfor b: h.grad[b] -= 0*h[b]",
        "for b: h.grad[b] += 0",
    ),
    "a choice that is none": (
        "for b: h.grad[b] += if h[b] > 0 then g[b] else g[b]",
        "for b: h.grad[b] += g[b]",
    ),
    "a choice between numbers": (
        "for b: h.grad[b] += if 2 = 0 then 0 else g[b]",
        "for b: h.grad[b] += g[b]",
    ),
    "a loop that counts": (
        "for b,i: h.grad[b] += g[b]*x[b,i]^0",
        "for b,i: h.grad[b] += g[b]*x[b,i]^0",
    ),
    "a subscript": ("for b: h.grad[b] += y[b+0]*1", "for b: h.grad[b] += y[b+0]"),
    "what a person wrote": ("for b: q[b] = 1*g[b]*0", "for b: q[b] = 1*g[b]*0"),
}


def written(text: str) -> Program:
    """A program whose `.grad` tensors are the cotangents of this level."""
    return replace(program(f"{HEAD}{text}\n"), cotangent=".grad")


@pytest.mark.parametrize("case", CASES)
def test_before_and_after(case: str):
    before, after = CASES[case]
    found = simplify(written(before))
    assert verify(found) == []
    assert statements(found)[2:] == after.splitlines()


@pytest.mark.parametrize("case", CASES)
def test_the_same_values(case: str):
    before = written(CASES[case][0])
    arrays = arrays_for(before)
    expected, found = run(before, arrays), run(simplify(before), arrays)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_once_is_enough(case: str):
    once = simplify(written(CASES[case][0]))
    assert simplify(once) == once
