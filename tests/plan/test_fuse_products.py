"""Scales inside products, and products added to what is there; each plan against the loop nest."""

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

SHAPES = {"x": (6, 5), "W": (4, 5), "V": (4, 5), "v": (4, 5)}
HEAD = "batch b < B\nindex i < 5, j < 4\ninput x[b,i]\nparam W[j,i] = 0\n"
LOSS = "for b,j,i: h[b,j] += W[j,i]*x[b,i]\nfor b,j: loss[b] += h[b,j]^2\nminimize loss\n"


def program_of(text: str) -> Program:
    return differentiate(elaborate(parse(Source("test.ein", dedent(text)))), keep=True)


def checked(program: Program, outputs: tuple[str, ...]) -> Plan:
    """The plan of an update, after two of them gave what the loop nest gives."""
    draws = np.random.default_rng(0)
    arrays = {
        name: draws.normal(size=shape)
        for name, shape in SHAPES.items()
        if program.find_tensor(name) is not None
    }
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    made = plan(program, extents, dtype="float64", outputs=outputs, updates=True)
    own = {operand.name: arrays[operand.name].copy() for operand in made.owned}
    step = load(emit(made), made).bind(own)
    for _ in range(2):
        expected = run(program, arrays, extents, updates=True)
        found = step(*(arrays[operand.name] for operand in made.inputs))
        for name, value in zip(outputs, found, strict=True):
            np.testing.assert_allclose(value, expected[name], 1e-12, 1e-13)
        for name, value in own.items():
            np.testing.assert_allclose(value, expected[name], 1e-12, 1e-13)
        arrays |= {name: expected[name] for name in own}
    return made


def accumulations(made: Plan) -> list[tuple[object, ...]]:
    """Alpha and beta of each product that is added to something."""
    return [value.attributes[2:] for value in made.values if value.operation == "accumulate"]


def test_a_step_of_descent_is_one_product_onto_the_param():
    made = checked(program_of(HEAD + LOSS + "for j,i: W[j,i] -= 0.5*W.grad[j,i]\n"), ("loss",))
    ((alpha, beta),) = accumulations(made)
    assert alpha == pytest.approx(-0.5 / 6 * 2)
    assert beta == 1
    assert not any(name == "W.grad" for _, name in made.targets)


def test_momentum_is_beta():
    update = """
    state v[j,i] = 0
    for j,i: v[j,i] = 0.9*v[j,i] + W.grad[j,i]
    for j,i: W[j,i] -= 0.5*v[j,i]
    """
    made = checked(program_of(HEAD + LOSS + dedent(update)), ("loss",))
    assert [beta for _, beta in accumulations(made)] == [0.9]


@pytest.mark.parametrize(
    "update",
    [
        "for j,i: W[j,i] -= W.grad[j,i]*W.grad[j,i]\n",
        "for j,i: W[j,i] = 2*W.grad[j,i] - W[j,i]\n",
        "for j,i: W[j,i] = W.grad[j,i] + W[j,i]*W[j,i]\n",
        "state v[j,i] = 0\nfor j,i: v[j,i] = W.grad[j,i]\nfor j,i: W[j,i] -= v[j,i]\n",
        "state v[j,i] = 0\nfor j,i: v[j,i] = W[j,i]\nfor j,i: W[j,i] -= W.grad[j,i] + v[j,i]\n",
    ],
)
def test_other_updates_are_what_they_say(update: str):
    checked(program_of(HEAD + LOSS + update), ("loss",))


def test_a_gradient_that_is_asked_for_is_there():
    program = program_of(HEAD + LOSS + "for j,i: W[j,i] -= 0.5*W.grad[j,i]\n")
    made = checked(program, ("loss", "W.grad"))
    assert not accumulations(made)


def test_what_reads_the_old_param_later_keeps_it():
    late = "state v[j,i] = 0\nfor j,i: v[j,i] = exp(W[j,i])\nfor j,i: W[j,i] -= 0.5*W.grad[j,i]\n"
    checked(program_of(HEAD + LOSS + late), ("loss",))


def test_contributions_are_added_as_they_are_made():
    text = """
    batch b < B
    index i < 5, j < 4
    input x[b,i]
    param W[j,i] = 0
    param V[j,i] = 0
    for b,j,i: g[b,j] += W[j,i]*x[b,i]
    for b,j,i: g[b,j] += V[j,i]*x[b,i]
    for b,j: loss[b] += g[b,j]^2
    minimize loss
    """
    made = checked(program_of(text), ("loss", "g"))
    assert (1.0, 1.0) in accumulations(made)


def test_a_factor_of_one_is_a_factor():
    checked(program_of(HEAD + LOSS.replace("+= W", "+= 1.0*W", 1)), ("loss",))
