"""Memory that a loop writes slot by slot: assigned at first, filled only where that is seen."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.elaborate import elaborate
from einbatch.loops import run
from einbatch.plan import Plan, plan
from einbatch.syntax import parse

HEAD = "index t < 4, j, k < 3\ninput x[t,j]\ninput U[j,k]\n"
EXTENTS = {"t": 4, "j": 3, "k": 3, "s": 5}


def checked(text: str) -> Plan:
    """The plan of all that a program and its derivative write, equal to the loop nest."""
    program = elaborate(parse(Source("test.ein", HEAD + dedent(text))))
    if program.objective is not None:
        program = differentiate(program, keep=True)
    draws = np.random.default_rng(0)
    shapes = {"x": (4, 3), "U": (3, 3), "a": 3}
    arrays = {name: draws.normal(size=shape) for name, shape in shapes.items()}
    arrays = {name: array for name, array in arrays.items() if program.find_tensor(name)}
    made = plan(program, EXTENTS, dtype="float64")
    expected = run(program, arrays, EXTENTS)
    for _ in range(2):  # the second time memory holds what the first one left
        for name, value in load(emit(made), made).run(arrays).items():
            np.testing.assert_allclose(value, expected[name], 1e-12, 1e-13)
    return made


def operators(made: Plan) -> list[object]:
    """How each slot is written, in order."""
    return [value.attributes[0] for value in made.values if value.operation == "update"]


def fills(made: Plan) -> int:
    """How many pieces of memory hold something before the loop."""
    return sum(value.operation == "start" and bool(value.arguments) for value in made.values)


def test_a_state_written_in_each_round_is_not_filled():
    made = checked("scan t: for j,k: h[t,j] += x[t,j] + U[j,k]*(h[t-1,k] else 0)\n")
    assert operators(made) == ["="]
    assert fills(made) == 0


def test_a_second_contribution_adds_to_the_first():
    made = checked(
        """
        scan t:
            for j:   h[t,j] += x[t,j]*tanh(h[t-1,j] else 1)
            for j,k: h[t,j] += U[j,k]*tanh(h[t-1,k] else 0)
        """
    )
    assert operators(made) == ["=", "+="]
    assert fills(made) == 0


@pytest.mark.parametrize(("operator", "sign"), [("max=", "max"), ("*=", "*")])
def test_other_operators_leave_the_first_number_too(operator: str, sign: str):
    made = checked(f"scan t: for j: h[t,j] {operator} x[t,j] + tanh(h[t-1,j] else 1)\n")
    assert operators(made) == ["="], sign
    assert fills(made) == 0


def test_backwards_no_slot_is_read_before_it_is_written():
    made = checked("scan t down: for j: h[t,j] += x[t,j] + tanh(h[t+1,j] else 0)\n")
    assert operators(made) == ["="]
    assert fills(made) == 0


def test_what_is_subtracted_is_subtracted_from_nothing():
    made = checked("scan t: for j: h[t,j] -= x[t,j] + tanh(h[t-1,j] else 0)\n")
    assert operators(made) == ["-="]
    assert fills(made) == 1


def test_slots_that_are_not_all_of_the_memory_leave_the_rest_as_it_began():
    made = checked(
        """
        index s < 5
        for s,j: h[s,j] = 0
        scan t: for j: h[t+1,j] += x[t,j] + tanh(h[t-1,j] else 0)
        """
    )
    assert fills(made) == 1


def test_a_cotangent_of_two_rounds_is_filled():
    """What comes from the round after is there before the round's own contribution."""
    made = checked(
        """
        param a[j] = 1
        scan t: for j: h[t,j] = a[j]*x[t,j]*tanh(h[t-1,j] else 1)
        for t,j: loss += h[t,j]^2
        minimize loss
        """
    )
    assert "+=" in operators(made)
