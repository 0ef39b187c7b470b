"""What products pack, beside the arrays of a plan."""

from __future__ import annotations

import pytest

from einbatch.diagnostics import EinbatchError
from einbatch.ir import Program
from einbatch.plan import Plan
from tests.plan.core import build, plan_of


def product(rows: int, depth: int, columns: int) -> Program:
    extents = {"b": columns, "i": depth, "j": rows}
    shapes = {"x": (columns, depth), "W": (rows, depth), "y": (columns, rows)}
    return build(extents, shapes, "y[b,j] += W[j,i]*x[b,i]")


def made(rows: int, depth: int, columns: int) -> Plan:
    return plan_of(product(rows, depth, columns), "float32")


@pytest.mark.parametrize(
    ("sizes", "elements"),
    [
        ((300, 200, 100), 200 * (300 + 100)),
        ((300, 2000, 100), 768 * (300 + 100)),
        ((20_000, 500, 100), 500 * (8192 + 100)),
        ((100, 100, 100), 0),
        ((1, 2000, 1000), 0),
        ((2000, 1000, 1), 0),
    ],
    ids=str,
)
def test_strips_of_both_operands_are_packed(sizes: tuple[int, int, int], elements: int):
    assert made(*sizes).workspace == 4 * elements


def test_the_largest_product_counts_in_the_precision_of_the_plan():
    extents = {"b": 300, "i": 200, "j": 100, "k": 400}
    shapes = {"x": (300, 200), "W": (100, 200), "U": (400, 100), "y": (300, 100), "z": (300, 400)}
    statements = ("y[b,j] += W[j,i]*x[b,i]", "z[b,k] += U[k,j]*y[b,j]")
    plan = plan_of(build(extents, shapes, *statements), "float64")
    assert plan.workspace == 8 * 200 * (300 + 100)


def test_the_peak_is_all_arrays_and_the_workspace():
    plan = made(300, 200, 100)
    arrays = 4 * (100 * 200 + 300 * 200 + 100 * 300)
    assert plan.peak == arrays + plan.workspace
    assert f"  workspace (estimate)   {plan.workspace} bytes (312.5 KiB)\n" in plan.describe()
    assert f"  peak                   {plan.peak} bytes" in plan.describe()


def test_an_estimate_refuses_nothing(monkeypatch: pytest.MonkeyPatch):
    plan = made(300, 200, 100)
    arrays = plan.peak - plan.workspace
    monkeypatch.setenv("EINBATCH_MEMORY", str(arrays))
    assert made(300, 200, 100) == plan
    monkeypatch.setenv("EINBATCH_MEMORY", str(arrays - 1))
    with pytest.raises(EinbatchError, match=f"needs {arrays} bytes"):
        made(300, 200, 100)
