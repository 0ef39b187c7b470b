"""Open sets are tables with one line a primitive: none is missing, none is left over."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb
from einbatch.autodiff.activity import FLAT_REDUCTIONS
from einbatch.autodiff.partials import PARTIALS
from einbatch.autodiff.pull import REDUCTION_RULES
from einbatch.dual import DERIVATIVES, DUAL_MEANING
from einbatch.ir import FUNCTIONS, PRIMITIVES, REDUCTIONS
from einbatch.ir.constants import _MEANING as CONSTANTS  # pyright: ignore[reportPrivateUsage]
from einbatch.loops import KEEPING, MEANING, REDUCING

SELECT = {"select"}
"""Evaluated by what interprets, for one branch only: it has no function of its own."""


@pytest.mark.parametrize(
    "table",
    [PARTIALS, MEANING | dict.fromkeys(SELECT), DUAL_MEANING | dict.fromkeys(SELECT)],
    ids=["partials", "loops", "dual"],
)
def test_every_primitive_has_a_line(table: dict[str, object]) -> None:
    assert table.keys() == PRIMITIVES.keys()


def test_every_primitive_is_a_constant_s_too() -> None:
    assert CONSTANTS.keys() | SELECT == PRIMITIVES.keys()


def test_every_derivative_is_of_a_primitive() -> None:
    assert DERIVATIVES.keys() < PRIMITIVES.keys()


def test_every_reduction_has_a_line() -> None:
    assert KEEPING.keys() | REDUCING.keys() == REDUCTIONS.keys()
    assert REDUCTION_RULES.keys() | set(FLAT_REDUCTIONS) == REDUCTIONS.keys()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_numpy_has_every_function(name: str) -> None:
    arguments = ["x[i]", "0.3", "0.9"][: PRIMITIVES[name].arity]
    text = f"index i < 3\ninput x[i]\nfor i: y[i] = {name}({', '.join(arguments)})\n"
    values = [
        eb.parse(text, backend=backend, dtype="float64").forward({}, x=[0.2, 0.5, 1.4])["y"]
        for backend in ("numpy", "loops")
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-14)


@pytest.mark.parametrize("name", sorted(REDUCTIONS))
def test_numpy_has_every_reduction(name: str) -> None:
    left = "y[i]" if REDUCTIONS[name].keeps else "y"
    text = f"index i < 3\ninput x[i]\n{left} = {name}[i](x[i])\n"
    values = [
        eb.parse(text, backend=backend, dtype="float64").forward({}, x=[0.2, 0.5, 1.4])["y"]
        for backend in ("numpy", "loops")
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-14)
