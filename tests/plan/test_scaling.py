"""Products with numbers: folded into smaller factors, done once for a whole backward pass."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, elaborate
from einbatch.ir import Program
from einbatch.loops import run
from einbatch.plan import Plan, plan
from einbatch.syntax import parse

LAYERS = """
batch b < B
index i < 6, j < 5, k < 4
input x[b,i]
param W0[j,i] = 0
param C0[j] = 0
param W1[k,j] = 0
param C1[k] = 0
for b,i,j: g[b,j] += W0[j,i]*x[b,i]
for b,j: g[b,j] -= C0[j]
for b,j: h[b,j] = relu(g[b,j])
for b,j,k: s[b,k] += W1[k,j]*h[b,j]
for b,k: s[b,k] -= C1[k]
for b,k: loss[b] += s[b,k]^3
minimize loss
"""
SGD = """
for j,i: W0[j,i] -= 0.3*W0.grad[j,i]
for j: C0[j] -= 0.3*C0.grad[j]
for k,j: W1[k,j] -= 0.3*W1.grad[k,j]
for k: C1[k] -= 0.3*C1.grad[k]
"""
DRAWS = np.random.default_rng(0)
SHAPES = {"x": (3, 6), "W0": (5, 6), "C0": (5,), "W1": (4, 5), "C1": (4,)}
ARRAYS = {name: DRAWS.normal(size=shape) for name, shape in SHAPES.items()}


def program_of(text: str) -> Program:
    return elaborate(parse(Source("test.ein", dedent(text))))


def checked(program: Program, outputs: tuple[str, ...], updates: bool) -> Plan:
    """The plan, after it gave what the loop nest gives."""
    shapes = {name: shape for name, shape in SHAPES.items() if program.find_tensor(name)}
    extents = bind_extents(program, shapes)
    made = plan(program, extents, dtype="float64", outputs=outputs, updates=updates)
    names = [operand.name for operand in (*made.inputs, *made.owned)]
    found = load(emit(made), made).run({name: ARRAYS[name] for name in names})
    known = {name: array for name, array in ARRAYS.items() if program.find_tensor(name)}
    expected = run(program, known, extents, updates=updates)
    for name in outputs:
        np.testing.assert_allclose(found[name], expected[name], 1e-12, 1e-14)
    return made


def scalings(made: Plan) -> list[tuple[int, ...]]:
    """The shapes of what is multiplied by a number at each call."""
    return [
        value.shape
        for value, constant in zip(made.values, made.constant, strict=True)
        if value.operation == "multiply" and not constant
        if any(made.values[a].operation == "constant" for a in value.arguments)
    ]


def test_plain_descent_scales_once_and_nothing_large():
    derived = differentiate(program_of(LAYERS + SGD), keep=True)
    made = checked(derived, ("loss", "W0", "C0", "W1", "C1"), updates=True)
    assert scalings(made) == [(3, 4)] * 2
    assert not any(value.operation == "negative" for value in made.values)
    assert "W0.grad" not in dict(made.targets).values()
    updates = [value for value in made.values if value.operation == "accumulate"]
    assert [value.shape for value in updates] == [made.owned[k].shape for k in (3, 2, 1, 0)]


def test_gradients_that_are_wanted_are_not_scaled_twice():
    derived = differentiate(program_of(LAYERS + SGD), keep=True)
    outputs = ("W0.grad", "C0.grad", "W1.grad", "C1.grad", "s.grad", "W0", "C1")
    checked(derived, outputs, updates=True)
    checked(derived, outputs[:4], updates=False)


@pytest.mark.parametrize("number", ["0", "1e20", "1e-20", "-1"])
def test_extreme_numbers_stay_where_they_are(number: str):
    text = f"""
    index i < 6, j < 5
    input x[b,i]
    input W0[j,i]
    for b,i,j: h[b,j] += W0[j,i]*x[b,i]
    for b,j: y[b,j] = {number}*h[b,j]
    for b,j: z[b,j] = {number}*y[b,j]
    for b,j: t[j] += {number}*h[b,j]
    """
    checked(program_of(text), ("z", "t"), updates=False)
    checked(program_of(text), ("z",), updates=False)
    checked(program_of(text), ("y", "z", "t"), updates=False)


def test_a_square_of_what_is_scaled_is_no_scaled_square():
    text = """
    index i < 6, j < 5
    input x[b,i]
    input W0[j,i]
    for b,i,j: h[b,j] += W0[j,i]*x[b,i]
    for b,j: u[b,j] = h[b,j]*exp(x[b,0])
    for b,j: p[b,j] = 0.25*u[b,j]
    for b,j: q[b,j] = 0.25*h[b,j]
    for b,j: r[b,j] = 0.25*(u[b,j]*h[b,j])
    """
    checked(program_of(text), ("p", "q", "r"), updates=False)
    checked(program_of(text), ("p", "q"), updates=False)
