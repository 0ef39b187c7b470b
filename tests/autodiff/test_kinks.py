"""What a derivative is where there is none, and where a branch is not taken."""

import math

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from einbatch.ir import verify
from tests.autodiff.derived import backward, holds, program, run, shown

NAN, INF = math.nan, math.inf


def slopes(value: str, *, raw: bool = False, **inputs: list[float]) -> dict[str, list]:
    """The gradient of each input of one statement, where every example has its own loss."""
    declared = "".join(f"input {name}[b]\n" for name in inputs)
    text = f"batch b\n{declared}loss[b] = {value}\nminimize loss\n"
    derived = differentiate(program(text), wrt=tuple(inputs), simplify=not raw)
    values = run(derived, {name: np.array(array, float) for name, array in inputs.items()})
    return {name: values[f"{name}.grad"].tolist() for name in inputs}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("value", "at", "expected"),
    [
        ("relu(x[b])", [-1, 0, 1], [0, 0, 1]),
        ("3*relu(-x[b])", [-1, 0, 1], [-3, 0, 0]),
        ("abs(x[b])", [-2, 0, 2], [-1, 0, 1]),
        ("sign(x[b]) + floor(x[b])", [-2, 0, 1], [0, 0, 0]),
        ("clamp(x[b], -1, 1)", [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]),
        ("max(x[b], 0)", [-1, 0, 1], [0, 0.5, 1]),
        ("min(x[b], 0)", [-1, 0, 1], [1, 0.5, 0]),
        ("max(x[b], x[b])", [-1, 0, 1], [1, 1, 1]),
        ("x[b]^2", [0, 3], [0, 6]),
        ("x[b]*[x[b] > 0]", [-1, 0, 2], [0, 0, 1]),
    ],
)
def test_kinks(value: str, at: list[float], expected: list[float], raw: bool):
    assert slopes(value, x=at, raw=raw)["x"] == expected


def test_a_tie_gives_half_to_each():
    found = slopes("max(x[b], y[b])", x=[1, 2, 2], y=[2, 2, 1])
    assert found == {"x": [0, 0.5, 1], "y": [1, 0.5, 0]}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("statement", "row", "expected"),
    [
        ("y[b] = max[i](x[b,i])", [1, 3, 3, 0], [0, 1, 0, 0]),
        ("y[b] = min[i](x[b,i])", [1, 0, 3, 0], [0, 1, 0, 0]),
        ("for b,i: y[b] max= x[b,i]", [3, 3, 3, 3], [1, 0, 0, 0]),
        ("for b,i: y[b] min= x[b,i]", [2, 1, 1, 2], [0, 1, 0, 0]),
        ("y[b] = prod[i](x[b,i])", [2, 0, 3, 4], [0, 24, 0, 0]),
        ("y[b] = prod[i](x[b,i])", [2, 0, 0, 4], [0, 0, 0, 0]),
        ("for b,i: y[b] *= x[b,i]", [2, 0, 3, 4], [0, 24, 0, 0]),
        ("y[b] = x[b,0]\nfor b,i: y[b] *= x[b,i]", [0, 2, 3, 4], [0, 0, 0, 0]),
        ("y[b] = 1\ny[b] *= x[b,0]\ny[b] *= x[b,1]", [0, 2, 3, 4], [2, 0, 0, 0]),
        ("y[b] = x[b,0]\nfor b,i: y[b] max= x[b,i]", [3, 1, 3, 0], [1, 0, 0, 0]),
        ("y[b] = x[b,1]\nfor b,i: y[b] max= x[b,i]", [3, 3, 3, 0], [0, 1, 0, 0]),
        ("y[b] = x[b,1]\nfor b,i: y[b] min= x[b,i]", [0, 1, 0, 3], [1, 0, 0, 0]),
    ],
)
def test_the_first_extremum_and_products_with_zeros(
    statement: str, row: list[float], expected: list[float], raw: bool
):
    text = f"batch b\nindex i < 4\ninput x[b,i]\n{statement}\nminimize y\n"
    derived = differentiate(program(text), wrt=("x",), simplify=not raw)
    found = run(derived, {"x": np.array([row, row[::-1]], float)})
    assert found["x.grad"][0].tolist() == expected


def test_the_first_in_the_order_of_the_loop_nest():
    """Index j runs outside i, so (i, j) = (1, 0) comes before (0, 1)."""
    text = "index i, j < 2\ninput A[i,j]\nfor j,i: s max= A[i,j]\nminimize s\n"
    derived = differentiate(program(text), wrt=("A",))
    assert run(derived, {"A": [[0.0, 5.0], [5.0, 0.0]]})["A.grad"].tolist() == [[0, 0], [1, 0]]


def test_an_extremum_over_two_indices_names_both_places():
    text = """
        batch b
        index r, s < 2, u, v < 2
        input x[b,p,q]
        for b,r,s: y[b,r,s] = max[u,v](x[b,2*r+u,2*s+v])
        for b: loss[b] = sum[r,s](y[b,r,s])
        minimize loss
    """
    assert backward(text, "x") == [
        "for b,r,s: y.grad[b,r,s] += loss.grad[b]",
        "for b,r,s: y_u[b,r,s] = argmax[u](max[v](x[b,2*r+u,2*s+v]))",
        "for b,r,s: y_v[b,r,s] = argmax[v](x[b,2*r+y_u[b,r,s],2*s+v])",
        "for b,r,s: x.grad[b,2*r+y_u[b,r,s],2*s+y_v[b,r,s]] += y.grad[b,r,s]",
    ]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("statement", "order"),
    [
        ("y[b] = max[i,j,k](x[b,i,j,k])", "ijk"),
        ("y[b] = max[k,i,j](x[b,i,j,k])", "kij"),
        ("y[b] = -min[j,k,i](-x[b,i,j,k])", "jki"),
        ("for k,b,j,i: y[b] max= x[b,i,j,k]", "kji"),
        ("for b,i,k,j: y[b] max= x[b,i,j,k]", "ikj"),
        ("scan i:\n    for b,k,j: y[b] max= x[b,i,j,k]", "ikj"),
    ],
)
def test_the_first_of_several_indices_jointly(statement: str, order: str, raw: bool):
    """Among small whole numbers ties abound; all goes to the first in the loops' order."""
    text = f"batch b\nindex i, j < 3, k < 2\ninput x[b,i,j,k]\n{statement}\nminimize y\n"
    derived = differentiate(program(text), wrt=("x",), simplify=not raw)
    assert verify(derived) == []
    assert program(shown(derived)) == derived
    x = np.random.default_rng(1).integers(0, 3, size=(20, 3, 3, 2)).astype(float)
    found = run(derived, {"x": x})["x.grad"]
    assert (found.sum(axis=(1, 2, 3)) == 1).all()
    nest = [0, *(1 + "ijk".index(name) for name in order)]
    first = x.transpose(nest).reshape(len(x), -1).argmax(1)
    places = found.transpose(nest).reshape(len(x), -1)
    np.testing.assert_array_equal(places, np.eye(18)[first])


def test_a_padded_window_gives_its_padding_nothing():
    text = """
        batch b
        index r, s < 4, u, v < 3
        input x[b,r,s]
        for b,r,s: y[b,r,s] = max[u,v]((x[b,r+u-1,s+v-1] else 0))
        for b: loss[b] = sum[r,s](y[b,r,s]*(r + 2*s))
        minimize loss
    """
    holds(text)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("if x[b] > 0 then log(x[b]) else x[b]", [1, 1, 0.5]),
        ("if x[b] > 0 then sqrt(x[b])*x[b]/x[b] else 3*x[b]", [3, 3, 0.5 / math.sqrt(2)]),
        ("if x[b] <= 0 then 2*x[b] else exp(1000*x[b] - 2000)", [2, 2, 1000]),
        ("if x[b] > 0 then 1/x[b] else if x[b] < 0 then log(-x[b]) else 0", [-1, 0, -0.25]),
        ("(if x[b] = 0 then 1 else x[b])^2", [-2, 0, 4]),
        ("log(if x[b] > 0 then x[b] else 1)", [0, 0, 0.5]),
        ("2*(if x[b] > 0 then log(x[b])*x[b] else 0) + x[b]", [1, 1, 3 + 2 * math.log(2)]),
    ],
)
def test_the_branch_that_is_not_taken_adds_nothing(value: str, expected: list[float], raw: bool):
    found = slopes(value, x=[-1, 0, 2], raw=raw)["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_the_branch_that_is_not_taken_around_reductions():
    holds(
        """
    batch b < B
    index i < 3
    input x[b,i]
    param w[i] ~ normal(0, 1)
    for b: z[b] = x[b,0]
    loss[b] = if z[b] > 0 then log(prod[i](x[b,i]*w[i])^2) else sum[i](softmax[i](x[b,i]*w[i])*i)
    minimize loss
    """,
        given={"x": [[1.0, -1, 2], [-1, 0, 0], [0, 1, 2]]},
    )
