"""Plain notation made stable: before, after, and what it comes to."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, elaborate, erase
from einbatch.ir import Program, Read, verify
from einbatch.loops import run
from einbatch.optimize.recognize import find_definition, match_softmax
from einbatch.optimize.stabilize import stabilize
from einbatch.plan import plan
from einbatch.syntax import parse, unparse


def program_of(text: str) -> Program:
    return elaborate(parse(Source("test.ein", dedent(text))))


HEAD = """\
index i, k < 4
input s[b,i]
input label[b] in i
"""
CASES = [
    ("P[b,i] = softmax[i](s[b,i])\ny[b,i] = log(P[b,i])", "log_softmax[i](s[b,i])"),
    ("P[b,i] = softmax[i](s[b,i])\ny[b,k] = log(P[b,k])", "log_softmax[k](s[b,k])"),
    (
        "P[b,i] = softmax[i](s[b,i])\ny[b] = -log(P[b,label[b]])",
        "-(s[b,label[b]] - logsumexp[i](s[b,i]))",
    ),
    (
        "P[b,i] = exp(s[b,i])/sum[k](exp(s[b,k]))\ny[b] = log(P[b,label[b]])",
        "s[b,label[b]] - logsumexp[k](s[b,k])",
    ),
    (
        "E[b,i] = exp(s[b,i])\nZ[b] += E[b,i]\nP[b,i] = E[b,i]/Z[b]\ny[b] = log(P[b,label[b]])",
        "s[b,label[b]] - logsumexp[i](s[b,i])",
    ),
    ("E[b,i] = exp(s[b,i])\nZ[b] += E[b,i]\ny[b,i] = E[b,i]/Z[b]", "softmax[i](s[b,i])"),
    ("Z[b] += exp(s[b,i])\ny[b] = log(Z[b])", "logsumexp[i](s[b,i])"),
    (
        "Z[b] += exp(s[b,i])\ny[b,i] = s[b,i]*log(Z[b])",
        "s[b,i]*logsumexp[i_1](s[b,i_1])",
    ),
    ("y[b,i] = log(softmax[i](s[b,i]))", "log_softmax[i](s[b,i])"),
    ("y[b,i] = log(sigmoid(2*s[b,i]))", "-softplus(-2*s[b,i])"),
    ("p[b,i] = sigmoid(s[b,i])\ny[b,i] = log(1 - p[b,i])", "-softplus(s[b,i])"),
    ("p[b,i] = 1/(1 + exp(-s[b,i]))\ny[b,i] = log(p[b,i])", "-softplus(-s[b,i])"),
    ("y[b,i] = log(exp(s[b,i]))", "s[b,i]"),
    (
        "S[i,k] = s[0,i]*s[0,k]\nZ[k] += exp(S[k,i])\ny[i] = log(Z[i])",
        "logsumexp[i_1](S[i,i_1])",
    ),
    ("y[b] = log(s[b,0])", "log(s[b,0])"),
    ("y[b,i] = exp(s[b,i])/sum[k](exp(2*s[b,k]))", "exp(s[b,i])/sum[k](exp(2*s[b,k]))"),
]


@pytest.mark.parametrize(("text", "stable"), CASES)
def test_before_and_after(text: str, stable: str):
    program = program_of(HEAD + text + "\n")
    after = stabilize(program)
    assert verify(after) == []
    assert stabilize(after) == after
    line = unparse(erase(after)).splitlines()[-1]
    assert line.split(" = ", 1)[1] == stable
    draws = np.random.default_rng(0)
    arrays = {"s": np.abs(draws.normal(size=(3, 4))), "label": np.array([3, 0, 2])}
    arrays = {name: a for name, a in arrays.items() if program.find_tensor(name)}
    extents = bind_extents(after, {name: a.shape for name, a in arrays.items()})
    expected = run(program, arrays, extents)["y"]
    np.testing.assert_allclose(run(after, arrays, extents)["y"], expected, 1e-12)
    made = plan(after, extents, dtype="float64", outputs=("y",))
    used = {operand.name: arrays[operand.name] for operand in made.inputs}
    np.testing.assert_allclose(load(emit(made), made).run(used)["y"], expected, 1e-12)


def test_updates_are_left_alone():
    program = program_of(
        """
        index i < 4
        param W[i] = 0
        P[i] = softmax[i](W[i])
        loss = P[0]
        minimize loss
        W[i] = log(P[i])
        """
    )
    assert stabilize(program) == program


def test_definitions_are_found_and_renamed():
    program = program_of(
        """
        input x[b,i]
        input W[j,i]
        h[b,j] += W[j,i]*x[b,i]
        g[b,j] = 2*h[b,j]
        g[b,j] += 1
        """
    )
    (first, second, _) = program.statements
    found = find_definition(program, Read("h", first.subscripts))
    assert found is not None
    assert found.indices == ("i",)
    assert found.body == first.value
    assert find_definition(program, Read("g", second.subscripts)) is None
    assert find_definition(program, Read("x", second.subscripts)) is None
    captured = Read(
        "h", (first.subscripts[0], program.statements[0].value.arguments[1].subscripts[1])
    )
    assert find_definition(program, captured) is None
    fresh: dict[str, str] = {}
    renamed = find_definition(program, captured, fresh)
    assert renamed is not None
    assert fresh == {"i_1": "i"}
    assert renamed.indices == ("i_1",)


def test_a_quotient_of_other_exponentials_is_no_softmax():
    program = program_of("input s[b,i]\ny[b,i] = exp(s[b,i])/sum[i](exp(2*s[b,i]))\n")
    assert match_softmax(program, program.statements[0].value) is None
