"""The loop nest against values worked out by hand."""

import math

import numpy as np
import pytest

from einbatch.diagnostics import EinbatchError
from einbatch.dual import DERIVATIVES, directional_derivative, tangents_of
from einbatch.ir.primitives import PRIMITIVES, REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Expression,
    IndexValue,
    Let,
    Number,
    Objective,
    Operator,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    Tensor,
)
from einbatch.loops import KEEPING, MEANING, REDUCING, run


def read(text: str) -> Read:
    """`A[i,0]` as a read: letters are indices, digits are numbers."""
    name, _, rest = text.partition("[")
    items = rest.rstrip("]").split(",") if rest else []
    return Read(name, tuple(Number(int(i)) if i.isdigit() else IndexValue(i) for i in items))


def statement(indices: str, target: str, op: Operator, value: Expression) -> Statement:
    left = read(target)
    return Statement(left.tensor, left.subscripts, op, value, tuple(indices.split()))


def apply(primitive: str, *arguments: Expression) -> Apply:
    return Apply(primitive, arguments)


def program(tensors: dict[str, tuple[int, ...]], *steps: Step, **rest: object) -> Program:
    integer = rest.pop("integer", ())
    declared = tuple(
        Tensor(name, "value", tuple(map(Number, shape)), integer=name in integer)
        for name, shape in tensors.items()
    )
    return Program(tensors=declared, statements=steps, **rest)


def test_every_primitive_and_reduction_has_a_meaning():
    assert MEANING.keys() == PRIMITIVES.keys()
    assert REDUCING.keys() | KEEPING.keys() == REDUCTIONS.keys()
    assert KEEPING.keys() == {name for name, item in REDUCTIONS.items() if item.keeps}


def test_a_contraction_and_a_bias():
    W = np.array([[1.0, 2, 3], [4, 5, 6]])
    x = np.array([[1.0, 0, -1], [2, 2, 2]])
    p = program(
        {"W": (2, 3), "x": (2, 3), "h": (2, 2)},
        statement("b i j", "h[b,j]", "+=", apply("mul", read("W[j,i]"), read("x[b,i]"))),
        statement("b j", "h[b,j]", "-=", Number(1)),
    )
    h = run(p, {"W": W, "x": x}, {"b": 2, "i": 3, "j": 2})["h"]
    assert h.tolist() == [[-3, -3], [11, 29]]


@pytest.mark.parametrize(
    ("op", "expected"),
    [("+=", 6), ("-=", -6), ("*=", 6), ("max=", 3), ("min=", 1)],
)
def test_accumulation_starts_from_the_identity(op: Operator, expected: float):
    p = program({"y": ()}, statement("i", "y", op, apply("add", IndexValue("i"), Number(1))))
    assert run(p, {}, {"i": 3})["y"] == expected


def test_elements_that_are_not_reached_hold_the_identity():
    p = program(
        {"a": (2,), "m": (2,)},
        statement("", "a[0]", "=", Number(7)),
        statement("", "m[1]", "max=", Number(7)),
    )
    values = run(p, {}, {})
    assert values["a"].tolist() == [7, 0]
    assert values["m"].tolist() == [-math.inf, 7]


def test_a_scatter_counts_duplicates():
    p = program(
        {"t": (3,), "c": (3,)},
        statement("k", "c[k]", "=", Number(0)),
        Statement("c", (read("t[b]"),), "+=", Number(1), ("b",)),
        integer=("t",),
    )
    assert run(p, {"t": [1, 1, 2]}, {"b": 3, "k": 3})["c"].tolist() == [0, 2, 1]


def test_a_subscript_outside_names_tensor_axis_and_element():
    p = program(
        {"t": (2,), "x": (2,), "y": (2,)},
        statement("b", "y[b]", "=", Read("x", (read("t[b]"),))),
        integer=("t",),
    )
    with pytest.raises(EinbatchError) as caught:
        run(p, {"t": [1, -1], "x": [5.0, 6.0]}, {"b": 2})
    assert caught.value.diagnostics[0].code == "E0605"
    for part in ("`x`", "-1", "b=1", "2"):
        assert part in str(caught.value)


def test_otherwise_is_taken_outside():
    before = apply("add", IndexValue("i"), Number(-1))
    p = program(
        {"x": (3,), "y": (3,)},
        statement("i", "y[i]", "=", Read("x", (before,), Number(9))),
    )
    assert run(p, {"x": [1, 2, 3]}, {"i": 3})["y"].tolist() == [9, 1, 2]


def test_scans_run_round_by_round_both_ways():
    total = Read("h", (apply("add", IndexValue("t"), Number(-1)),), Number(0))
    later = Read("g", (apply("add", IndexValue("t"), Number(1)),), Number(0))
    up = statement("", "h[t]", "=", apply("add", total, read("x[t]")))
    down = statement("", "g[t]", "=", apply("add", later, read("x[t]")))
    p = program(
        {"x": (3,), "h": (3,), "g": (3,)},
        Scan("t", False, (up,)),
        Scan("t", True, (down,)),
    )
    values = run(p, {"x": [1, 2, 4]}, {"t": 3})
    assert values["h"].tolist() == [1, 3, 7]
    assert values["g"].tolist() == [7, 6, 4]


def test_reductions_are_their_definitions():
    x = np.array([0.5, 2.0, -1.0, 2.0])
    e = np.exp(x)
    expected = {
        "sum": x.sum(),
        "prod": x.prod(),
        "mean": x.mean(),
        "max": 2.0,
        "min": -1.0,
        "logsumexp": math.log(e.sum()),
        "argmax": 1,
        "argmin": 2,
    }
    for name, value in expected.items():
        p = program(
            {"x": (4,), "y": ()}, statement("", "y", "=", Reduce(name, ("i",), read("x[i]")))
        )
        assert run(p, {"x": x}, {"i": 4})["y"] == pytest.approx(value, rel=1e-15), name
    for name, row in {"softmax": e / e.sum(), "log_softmax": np.log(e / e.sum())}.items():
        p = program(
            {"x": (4,), "y": (4,)}, statement("i", "y[i]", "=", Reduce(name, ("i",), read("x[i]")))
        )
        assert run(p, {"x": x}, {"i": 4})["y"] == pytest.approx(row, rel=1e-14), name


def test_a_reduction_may_rebind_an_index_of_its_statement():
    p = program(
        {"x": (3,), "y": (3,)},
        statement(
            "i", "y[i]", "=", apply("div", read("x[i]"), Reduce("sum", ("i",), read("x[i]")))
        ),
    )
    assert run(p, {"x": [1, 2, 5]}, {"i": 3})["y"].tolist() == [0.125, 0.25, 0.625]


@pytest.mark.parametrize(
    ("primitive", "arguments", "expected"),
    [
        ("log", (0,), -math.inf),
        ("log", (-1,), math.nan),
        ("sqrt", (-1,), math.nan),
        ("exp", (1000,), math.inf),
        ("div", (1, 0), math.inf),
        ("div", (-1, 0), -math.inf),
        ("div", (0, 0), math.nan),
        ("pow", (-1, 0.5), math.nan),
        ("pow", (0, -1), math.inf),
        ("pow", (10, 400), math.inf),
        ("mod", (1, 0), math.nan),
        ("mod", (-7, 4), 1),
        ("mod", (-0.5, 2), 1.5),
        ("floor", (math.inf,), math.inf),
        ("floor", (-0.5,), -1),
        ("sin", (math.inf,), math.nan),
        ("max", (math.nan, 1), math.nan),
        ("max", (1, math.nan), math.nan),
        ("min", (math.nan, 1), math.nan),
        ("relu", (math.nan,), math.nan),
        ("sign", (-3.5,), -1),
        ("clamp", (5, 0, 2), 2),
        ("mul", (10**300, 10**300), math.inf),
        ("sigmoid", (-1000,), 0),
        ("erf", (math.inf,), 1),
    ],
)
def test_numbers_are_ieee_and_never_raise(
    primitive: str, arguments: tuple[float, ...], expected: float
):
    p = program({"y": ()}, statement("", "y", "=", apply(primitive, *map(Number, arguments))))
    assert run(p, {}, {})["y"] == pytest.approx(expected, nan_ok=True)


def test_only_the_branch_taken_is_evaluated():
    inside = apply("lt", IndexValue("i"), Number(2))
    p = program(
        {"x": (2,), "y": (3,)},
        statement("i", "y[i]", "=", apply("select", inside, read("x[i]"), Number(0))),
    )
    assert run(p, {"x": [1, 2]}, {"i": 3})["y"].tolist() == [1, 2, 0]


def test_argmax_is_an_integer_and_the_first_one():
    p = program(
        {"x": (2, 3), "k": (2,)},
        statement("b", "k[b]", "=", Reduce("argmax", ("i",), read("x[b,i]"))),
        integer=("k",),
    )
    k = run(p, {"x": [[1, 3, 3], [math.nan, 9, math.nan]]}, {"b": 2, "i": 3})["k"]
    assert k.dtype == np.int64
    assert k.tolist() == [1, 0]


def test_updates_write_copies_and_lets_are_constants():
    W = np.array([1.0, 2.0])
    step = statement("i", "W[i]", "-=", apply("mul", read("lr"), read("W[i]")))
    p = program(
        {"W": (2,), "lr": ()},
        statement("", "lr", "=", Number(0.5)),
        updates=(step,),
        lets=(Let("c", Number(2)),),
        objectives=(Objective("minimize", "lr"),),
    )
    assert run(p, {"W": W}, {"i": 2})["W"].tolist() == [1, 2]
    assert run(p, {"W": W}, {"i": 2}, updates=True)["W"].tolist() == [0.5, 1]
    assert W.tolist() == [1, 2]


def test_values_come_in_the_dtype_asked_for():
    p = program({"y": ()}, statement("", "y", "=", apply("div", Number(1), Number(3))))
    assert run(p, {}, {}, dtype="float32")["y"].dtype == np.float32
    assert run(p, {}, {})["y"].dtype == np.float64


SAFE = {
    "pow": [(1.3, -0.7), (0.4, 2)],
    "tan": [(0.3,), (-1.2,)],
    "sqrt": [(0.3,), (4.1,)],
    "log": [(0.3,), (4.1,)],
    "mod": [(3.3, 0.7), (-3.3, 0.7), (3.3, -0.7)],
    "clamp": [(0.3, 0, 1), (-0.3, 0, 1), (1.3, 0, 1)],
    "add": [(0.3, 1.7, -0.2)],
    "mul": [(0.3, 1.7, -0.2), (0, 2, 3)],
}
CONSTANT = {"sign", "floor", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "iverson"}


@pytest.mark.parametrize("primitive", sorted(PRIMITIVES))
def test_every_derivative_is_the_limit_of_differences(primitive: str):
    if primitive in CONSTANT | {"select"}:
        assert primitive not in DERIVATIVES
        return
    if primitive == "stop":
        assert DERIVATIVES[primitive](0.3) == (0.0,)
        return
    cases = SAFE.get(primitive, [(0.3, 0.9), (-1.2, 0.7), (1.6, -0.4)])
    step = 1e-6
    for case in cases:
        point = case[: PRIMITIVES[primitive].arity or len(case)]
        for k, slope in enumerate(DERIVATIVES[primitive](*point)):
            high, low = (
                MEANING[primitive](*point[:k], point[k] + sign * step, *point[k + 1 :])
                for sign in (1, -1)
            )
            assert slope == pytest.approx((high - low) / (2 * step), abs=1e-8), (primitive, point)


@pytest.mark.parametrize(
    ("primitive", "point", "slopes"),
    [
        ("relu", (0,), (0,)),
        ("abs", (0,), (0,)),
        ("max", (2, 2), (0.5, 0.5)),
        ("min", (2, 2), (0.5, 0.5)),
        ("min", (1, 2), (1, 0)),
        ("clamp", (0, 0, 1), (1, 0, 0)),
        ("clamp", (1, 0, 1), (1, 0, 0)),
        ("pow", (0, 0), (0, 0)),
        ("pow", (0, 2), (0, 0)),
        ("pow", (0, 1), (1, 0)),
        ("mul", (0, 0, 3), (0, 0, 0)),
    ],
)
def test_derivatives_at_kinks_are_what_the_language_says(
    primitive: str, point: tuple[float, ...], slopes: tuple[float, ...]
):
    assert DERIVATIVES[primitive](*point) == slopes


@pytest.mark.parametrize("op", ["max=", "min="])
def test_the_first_extremum_takes_the_whole_tangent(op: Operator):
    p = program(
        {"x": (3,), "y": (), "z": ()},
        statement("i", "y", op, read("x[i]")),
        statement("", "z", "=", Reduce(op.removesuffix("="), ("i",), read("x[i]"))),
    )
    tangents = tangents_of(p, {"x": [2, 2, 2]}, {"i": 3}, {"x": [5, 7, 11]})
    assert tangents["y"] == tangents["z"] == 5


def test_a_product_with_zeros_has_its_derivative():
    p = program(
        {"x": (3,), "y": (), "z": ()},
        statement("", "y", "=", Reduce("prod", ("i",), read("x[i]"))),
        statement("i", "z", "*=", read("x[i]")),
    )
    tangents = tangents_of(p, {"x": [0, 2, 3]}, {"i": 3}, {"x": [1, 1, 1]})
    assert tangents["y"] == tangents["z"] == 6


def test_the_branch_not_taken_adds_nothing():
    log = apply("log", read("x[i]"))
    positive = apply("gt", read("x[i]"), Number(0))
    p = program(
        {"x": (2,), "y": (2,)},
        statement("i", "y[i]", "=", apply("select", positive, log, Number(0))),
        objectives=(Objective("minimize", "y"),),
    )
    values = {"x": [0, 2]}
    assert tangents_of(p, values, {"i": 2}, {"x": [1, 1]})["y"].tolist() == [0, 0.5]
    assert directional_derivative(p, values, {"i": 2}, {"x": [1, 1]}) == 0.25
