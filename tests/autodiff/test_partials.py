"""Every line of the table of partial derivatives, against dual numbers."""

import math

import pytest

from einbatch.autodiff import differentiate
from einbatch.autodiff.activity import FLAT_PRIMITIVES
from einbatch.autodiff.partials import BY_OUTPUT, PARTIALS
from einbatch.autodiff.pull import REDUCTION_RULES
from einbatch.dual import DERIVATIVES
from einbatch.ir import PRIMITIVES, REDUCTIONS
from tests.autodiff.derived import arrays_for, holds, program, run

CALLS = {
    "add": "u[b] + w + v[b]",
    "mul": "u[b]*w*v[b]",
    "neg": "-(u[b] + w)",
    "div": "(u[b] + w)/(v[b] + 3)",
    "pow": "(u[b] + w + 6)^(v[b] - w)",
    "log": "log(u[b]*w + 5)",
    "sqrt": "sqrt(u[b]*w + 5)",
    "max": "max(u[b]*w, v[b])",
    "min": "min(u[b]*w, v[b])",
    "mod": "mod(u[b]*w, v[b] + 3)",
    "clamp": "clamp(3*u[b]*w, v[b] - 2, v[b] + 1/2)",
    "floor": "floor(u[b] + w)*v[b]",
    "sign": "sign(u[b] + w)*v[b]",
    "iverson": "[u[b] + w > 0]*v[b]",
    "select": "if u[b] > 0 then u[b]*w else v[b]^2",
}
JUMPS = {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}
HEAD = """
    batch b < B
    input u[b]
    input v[b]
    param w = 1.25
"""


def differentiable() -> list[str]:
    return [name for name in PARTIALS if name not in JUMPS]


def test_every_primitive_has_a_line():
    assert PARTIALS.keys() == PRIMITIVES.keys()
    assert PRIMITIVES.keys() > BY_OUTPUT


def test_every_reduction_has_a_rule():
    assert REDUCTION_RULES.keys() == REDUCTIONS.keys() - {"argmax", "argmin"}


def test_what_is_constant_between_jumps_is_so_in_both_tables():
    flat = {name for name in PARTIALS if name not in DERIVATIVES} - {"select"}
    assert flat == (JUMPS | set(FLAT_PRIMITIVES)) - {"stop"}  # a dual number has to be stopped


@pytest.mark.parametrize("name", differentiable())
def test_a_primitive_equals_its_dual(name: str):
    call = CALLS.get(name, f"{name}(u[b]*w)")
    holds(f"{HEAD}\n    loss[b] = {call}\n    minimize loss\n")


@pytest.mark.parametrize("name", differentiable())
def test_a_primitive_inside_others(name: str):
    call = CALLS.get(name, f"{name}(u[b]*w)")
    holds(f"{HEAD}\n    loss[b] = v[b]*exp(sin({call})*w)/(2 + cos({call}))\n    minimize loss\n")


@pytest.mark.parametrize("name", REDUCTION_RULES)
@pytest.mark.parametrize(
    "value",
    ["{}[i](x[b,i]*w[i])", "sin({}[i](x[b,i]*w[i] - u[b]))*u[b]", "{}[i,j](x[b,i]*w[j])*u[b]"],
)
def test_a_reduction_equals_its_dual(name: str, value: str):
    keeps = REDUCTIONS[name].keeps
    reduced = value.format(name)
    bound = "[i,j]" if "[i,j]" in value else "[i]"
    whole = f"sum{bound}({reduced}*(i + 2)^2)" if keeps else reduced
    holds(
        f"""
    batch b < B
    index i, j < 3
    input x[b,i]
    input u[b]
    param w[i] ~ normal(0, 1)
    loss[b] = {whole}
    minimize loss
    """
    )


@pytest.mark.parametrize("exponent", ["0", "1", "2", "3", "-1", "-2", "1/2", "-1/2", "7/2", "0.5"])
def test_powers_by_a_number(exponent: str):
    holds(f"{HEAD}\n    loss[b] = v[b]*(u[b] + w + 4)^({exponent})\n    minimize loss\n")


def test_powers_of_zero():
    """x, x² and x³ have derivatives 1, 0 and 0 at 0; x⁰ is constant."""
    text = "batch b\ninput x[b]\nindex k < 4\nfor b,k: loss[b] += x[b]^k\nminimize loss\n"
    derived = differentiate(program(text), wrt=("x",))
    assert run(derived, {"x": [0.0, 2.0]})["x.grad"].tolist() == [1.0, 17.0]


def test_the_constants_of_erf_and_gelu():
    text = "batch b\ninput x[b]\nloss[b] = erf(x[b]) + gelu(x[b])\nminimize loss\n"
    derived = differentiate(program(text), wrt=("x",))
    x = arrays_for(derived)["x"]
    found = run(derived, {"x": x})["x.grad"]
    for value, slope in zip(x, found, strict=True):
        density = math.exp(-value * value / 2) / math.sqrt(2 * math.pi)
        normal = (1 + math.erf(value / math.sqrt(2))) / 2
        expected = 2 / math.sqrt(math.pi) * math.exp(-value * value) + normal + value * density
        assert abs(slope - expected) < 1e-14
