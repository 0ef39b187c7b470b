"""The tables that interpret the language are complete: a new primitive is one line in each."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb
from einbatch.autodiff.activity import FLAT_PRIMITIVES, FLAT_REDUCTIONS
from einbatch.autodiff.partials import BY_OUTPUT, PARTIALS
from einbatch.autodiff.pull import REDUCTION_RULES
from einbatch.backends.numpy.operations import OPERATIONS
from einbatch.diagnostics import EinbatchError
from einbatch.dual import DERIVATIVES, DUAL_MEANING
from einbatch.ir import FUNCTIONS, PRIMITIVES, REDUCTIONS, evaluate_constant
from einbatch.ir.program import Apply, Number
from einbatch.loops import KEEPING, MEANING, REDUCING
from einbatch.plan.operations import POINTWISE

CONDITIONS = {name for name, primitive in PRIMITIVES.items() if primitive.gives == "condition"}
FLAT = {*FLAT_PRIMITIVES, "stop", *CONDITIONS}
"""What lets no derivative through."""


@pytest.mark.parametrize(
    "table", [PARTIALS, MEANING, DUAL_MEANING], ids=["partials", "loops", "dual"]
)
def test_every_primitive_is_in_every_table(table: dict[str, object]):
    assert set(table) == set(PRIMITIVES)


def test_every_primitive_that_is_not_flat_has_a_derivative():
    assert set(DERIVATIVES) | {"select"} | FLAT == set(PRIMITIVES)
    assert not BY_OUTPUT - set(PRIMITIVES)


def test_every_reduction_is_in_every_table():
    assert {**REDUCING, **KEEPING}.keys() == REDUCTIONS.keys()
    assert set(KEEPING) == {name for name, reduction in REDUCTIONS.items() if reduction.keeps}
    assert set(REDUCTION_RULES) | set(FLAT_REDUCTIONS) == set(REDUCTIONS)
    assert not set(REDUCTION_RULES) & set(FLAT_REDUCTIONS)


def test_every_primitive_has_a_value_as_a_constant():
    for name, primitive in PRIMITIVES.items():
        truth = Apply("lt", (Number(0), Number(1)))
        one = truth if primitive.takes == "condition" else Number(1)
        arguments = [one] * (primitive.arity or 2)
        if name == "select":
            arguments[0] = truth
        try:
            evaluate_constant(Apply(name, tuple(arguments)), {}, {})
        except EinbatchError as error:
            raise AssertionError(f"{name} is no part of a constant") from error


def test_every_operation_of_a_plan_is_written_by_the_backend():
    assert set(POINTWISE) <= set(OPERATIONS)


def test_no_name_is_a_function_and_a_reduction_but_max_and_min():
    assert set(FUNCTIONS) & set(REDUCTIONS) == {"max", "min"}


FORMS = {
    "add": "x[i] + z[i] - 1", "mul": "x[i]*z[i]*2", "neg": "-x[i]", "div": "x[i]/z[i]",
    "pow": "abs(x[i])^z[i]", "eq": "[x[i] = z[i]]", "ne": "[x[i] != z[i]]", "lt": "[x[i] < z[i]]",
    "le": "[x[i] <= z[i]]", "gt": "[x[i] > z[i]]", "ge": "[x[i] >= z[i]]",
    "and": "[x[i] > 0 and z[i] > 0]", "or": "[x[i] > 0 or z[i] > 0]", "not": "[not x[i] > z[i]]",
    "iverson": "[i > 1]*x[i]", "select": "if x[i] > 0 then x[i] else z[i]",
}  # fmt: skip
"""How the primitives that are no functions are written."""


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_computed_alike_everywhere(name: str):
    arity = PRIMITIVES[name].arity or 2
    value = FORMS.get(name) or f"{name}({', '.join(['x[i]', 'z[i]', '1 + z[i]'][:arity])})"
    x, z = np.array([-1.5, 0.0, 0.5, 2.0, 1.0]), np.array([0.5, 0.25, 0.75, 2.0, -1.0])
    if name in ("log", "sqrt"):
        x = np.abs(x)
    found = [
        eb.function(f"y[i] = {value}", dtype="float64", backend=backend)(x=x, **_needed(value, z))
        for backend in ("numpy", "loops")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_every_reduction_is_computed_alike_everywhere(name: str):
    x = np.array([[0.5, -1.0, 0.5], [2.0, 2.0, -3.0]])
    left = "y[i,j]" if REDUCTIONS[name].keeps else "y[i]"
    text = f"{left} = {name}[j](x[i,j])"
    numpy, loops = (
        eb.function(text, dtype="float64", backend=backend)(x=x) for backend in ("numpy", "loops")
    )
    np.testing.assert_allclose(numpy, loops, rtol=1e-12)


def _needed(value: str, z: np.ndarray) -> dict[str, np.ndarray]:
    return {"z": z} if "z[" in value else {}
