"""The emitted NumPy module: every construct against the loop nest, and its manners."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from textwrap import dedent

import numpy as np
import pytest

from einbatch.backends import backend
from einbatch.backends.numpy import emit, load
from einbatch.backends.numpy.names import identifier
from einbatch.backends.numpy.operations import OPERATIONS
from einbatch.backends.numpy.special import ERF
from einbatch.diagnostics import EinbatchError, Source, Span
from einbatch.elaborate import bind_extents, elaborate
from einbatch.ir import (
    PRIMITIVES,
    REDUCTIONS,
    Apply,
    Expression,
    Extent,
    Index,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Statement,
    Tensor,
)
from einbatch.loops import run
from einbatch.plan import Plan, plan
from einbatch.plan.operations import POINTWISE
from einbatch.syntax import parse

Arrays = dict[str, np.ndarray]
Ix, Jx, Kx = IndexValue("i"), IndexValue("j"), IndexValue("k")


def program_of(text: str) -> Program:
    return elaborate(parse(Source("<test>", dedent(text))))


def convert(program: Program, arrays: Mapping[str, object], dtype: str) -> Arrays:
    return {
        name: np.ascontiguousarray(a, "int64" if program.tensor(name).integer else dtype)
        for name, a in arrays.items()
    }


def planned(program: Program, arrays: Arrays, **options: object) -> Plan:
    extents = bind_extents(program, {name: a.shape for name, a in arrays.items()})
    return plan(program, extents, **{"dtype": "float64", **options})


def check(program: Program | str, updates: bool = False, **data: object) -> Arrays:
    """The outputs, after they were found to be the loop nest's."""
    program = program_of(program) if isinstance(program, str) else program
    arrays = convert(program, data, "float64")
    before = {name: a.copy() for name, a in arrays.items()}
    made = planned(program, arrays, updates=updates)
    runner = load(emit(made), made)
    found = runner.run(arrays)
    again = runner.run(arrays)
    extents = bind_extents(program, {name: a.shape for name, a in arrays.items()})
    expected = run(program, arrays, extents, updates=updates)
    assert found
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], 1e-12, 1e-13, err_msg=name)
        np.testing.assert_array_equal(array, again[name])
        assert array.dtype == expected[name].dtype
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])
    return found


def ir(
    shapes: Mapping[str, Sequence[int]],
    extents: Mapping[str, int],
    *statements: Statement,
    integer: Sequence[str] = (),
    updates: Sequence[Statement] = (),
    params: Sequence[str] = (),
) -> Program:
    """A program of the core language, for what has no spelling yet."""
    targets = {statement.target for statement in statements}
    return Program(
        indices=tuple(Index(name, None, Number(n)) for name, n in extents.items()),
        tensors=tuple(
            Tensor(
                name,
                "param" if name in params else "value" if name in targets else "input",
                tuple(map(Number, shape)),
                integer=name in integer,
            )
            for name, shape in shapes.items()
        ),
        statements=statements,
        updates=tuple(updates),
    )


def shifted(index: Expression, by: int) -> Apply:
    return Apply("add", (index, Number(by)))


DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(3, 4))


# --- tables


def test_the_tables_are_complete():
    shapes = {"view", "input", "constant", "range", "cast", "copy", "matmul", "reduce"}
    shapes |= {"accumulate"}
    rest = {"argmax", "argmin", "take", "check", "update", "scatter", "scatter_distinct"}
    rest |= {"pick", "pad", "start", "carry", "exit"}
    assert OPERATIONS.keys() == POINTWISE.keys() | shapes | rest


def test_a_backend_is_found_by_its_name():
    assert backend("numpy").emit is emit
    with pytest.raises(KeyError):
        backend("nothing")


def argument(kind: str, at: float) -> Expression:
    number = Apply("add", (Read("x", (Ix,)), Number(at)))
    return number if kind == "number" else Apply("gt", (number, Number(0.1)))


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_every_primitive_is_the_loop_nests(primitive: str):
    meaning = PRIMITIVES[primitive]
    kinds = [meaning.takes] * (meaning.arity or 3)
    if primitive == "select":
        kinds[0] = "condition"
    arguments = tuple(argument(kind, 0.3 * k) for k, kind in enumerate(kinds))
    value: Expression = Apply(primitive, arguments)
    if meaning.gives == "condition":
        value = Apply("iverson", (value,))
    positive = primitive in ("log", "sqrt", "pow")
    x = np.linspace(0.1 if positive else -4, 4, 23) + 1e-3
    check(ir({"x": (23,), "y": (23,)}, {"i": 23}, Statement("y", (Ix,), "=", value, ("i",))), x=x)


@pytest.mark.parametrize("indices", [("j",), ("i", "j"), ("k",)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_reduction_is_the_loop_nests(reduction: str, indices: tuple[str, ...]):
    """Over an index, over two, and over one that the body does not have."""
    if REDUCTIONS[reduction].single and len(indices) > 1:
        pytest.skip("takes one index")
    value = Reduce(reduction, indices, Read("x", (Ix, Jx)))
    free = [name for name in ("i", "j", "k") if name in indices or name != "k"]
    if not REDUCTIONS[reduction].keeps:
        free = [name for name in free if name not in indices]
    shape = {"i": 3, "j": 4, "k": 2}
    left = tuple(IndexValue(name) for name in free)
    statement = Statement("y", left, "=", value, tuple(free))
    check(ir({"x": (3, 4), "y": [shape[n] for n in free]}, shape, statement), x=X)


@pytest.mark.parametrize("operator", ["=", "+=", "-=", "*=", "max=", "min="])
def test_every_operator_reduces_and_accumulates(operator: str):
    indices = ("i", "j") if operator != "=" else ("i",)
    value = Read("x", (Ix, Jx if operator != "=" else Number(1)))
    first = Statement("y", (Ix,), operator, value, indices)
    shapes = {"x": (3, 4), "y": (3,)}
    check(ir(shapes, {"i": 3, "j": 4}, first), x=X)
    untouched = Statement("y", (Ix,), operator, Read("x", (Ix, Number(0))), indices)
    again = Statement("y", (Ix,), operator, Number(2), ("i",))
    check(ir(shapes, {"i": 3, "j": 4}, first, untouched, again), x=X)


@pytest.mark.parametrize("operator", ["=", "+=", "-=", "*=", "max=", "min="])
@pytest.mark.parametrize("places", [[2, 0, 3], [1, 1, 0]])
def test_every_operator_scatters(operator: str, places: list[int]):
    left = (Read("n", (Ix,)),)
    statement = Statement("y", left, operator, Read("w", (Ix,)), ("i",))
    start = Statement("y", (Jx,), "=", Read("v", (Jx,)), ("j",))
    shapes = {"n": (3,), "w": (3,), "v": (4,), "y": (4,)}
    data = {"n": places, "w": X[:, 0], "v": X[0]}
    check(ir(shapes, {"i": 3, "j": 4}, statement, integer="n"), n=places, w=X[:, 0])
    check(ir(shapes, {"i": 3, "j": 4}, start, statement, integer="n"), **data)


# --- subscripts


def test_subscripts_of_all_kinds_read():
    check(
        """
        index i < 3, j < 4, k, l < 3
        input x[i,j]
        input X[k,l]
        input n[q] in j
        d[k] = X[k,k]
        c[i] = x[i,2]
        e = x[1,3]
        g[q,i] = x[i,n[q]]
        h[q] = X[2,mod(n[q],3)]
        m[k,l] = X[l,k]
        o[i] = x[i,argmax[j](x[i,j])]
        r[q] = x[[n[q] > 1], n[q]]
        """,
        x=X,
        X=X[:, :3],
        n=[3, 0, 3, 1, 2],
    )


def test_shifted_strided_and_reversed_subscripts_read():
    t = IndexValue("t")
    reversed_ = Apply("add", (Number(9), Apply("neg", (t,))))
    window = Apply("add", (Apply("mul", (Number(2), Ix)), Kx))
    shapes = {"x": (10,), "a": (4,), "b": (10,), "w": (3,), "c": (4,), "d": (4, 3)}
    check(
        ir(
            shapes,
            {"i": 4, "k": 3, "t": 10},
            Statement("a", (Ix,), "=", Read("x", (shifted(Ix, 2),)), ("i",)),
            Statement("c", (Ix,), "+=", Apply("mul", (Read("x", (window,)), Read("w", (Kx,)))),
                      ("i", "k")),
            Statement("d", (Ix, Kx), "=", Read("x", (window,)), ("i", "k")),
            Statement("b", (t,), "=", Read("x", (reversed_,)), ("t",)),
        ),
        x=np.arange(10.0),
        w=X[:, 0],
    )  # fmt: skip


def test_outside_reads_take_what_stands_after_else():
    read = Read("x", (Apply("add", (Ix, Kx, Number(-1))),), otherwise=Number(0))
    nested = Read("x", (shifted(Ix, 3),), otherwise=Read("x", (shifted(Ix, -3),), Number(7)))
    product = Apply("mul", (read, Read("w", (Kx,))))
    check(
        ir(
            {"x": (5,), "w": (3,), "y": (5,), "z": (5,)},
            {"i": 5, "k": 3},
            Statement("y", (Ix,), "+=", product, ("i", "k")),
            Statement("z", (Ix,), "=", nested, ("i",)),
        ),
        x=np.arange(1.0, 6.0),
        w=X[:, 0],
    )


@pytest.mark.parametrize("operator", ["=", "+=", "max="])
def test_shifted_and_repeated_subscripts_write(operator: str):
    shapes = {"x": (3, 4), "a": (6, 4), "b": (3, 3), "c": (9,), "d": (2, 4)}
    i2 = Apply("mul", (Number(2), Ix))
    statements = [
        Statement("a", (shifted(Ix, 2), Jx), operator, Read("x", (Ix, Jx)), ("i", "j")),
        Statement("b", (Ix, Ix), operator, Read("x", (Ix, Number(1))), ("i",)),
        Statement("d", (Number(1), Jx), operator, Read("x", (Number(0), Jx)), ("j",)),
    ]
    if operator != "=":
        overlapping = (Apply("add", (i2, Jx)),)
        statements.append(Statement("c", overlapping, operator, Read("x", (Ix, Jx)), ("i", "j")))
    check(ir(shapes, {"i": 3, "j": 4}, *statements), x=X)


def test_the_branch_not_taken_adds_nothing():
    found = check(
        """
        input x[i]
        y[i] = if x[i] > 0 then log(x[i]) else 0
        z[i] = if x[i] != 0 then 1/x[i] else -1
        """,
        x=[-1.0, 0.0, 2.0],
    )
    assert found["y"].tolist() == [0, 0, math.log(2)]
    assert found["z"].tolist() == [-1, -1, 0.5]


def test_a_subscript_outside_is_no_error_where_it_is_not_wanted():
    read = Read("x", (Read("n", (Ix,)),))
    value = Apply("select", (Apply("lt", (Read("n", (Ix,)), Number(3))), read, Number(-1)))
    statement = Statement("y", (Ix,), "=", value, ("i",))
    program = ir({"x": (3,), "n": (4,), "y": (4,)}, {"i": 4}, statement, integer="n")
    found = check(program, x=X[:, 0], n=[0, 3, 2, 99])
    assert found["y"].tolist() == [X[0, 0], -1, X[2, 0], -1]


def test_integers_stay_exact():
    found = check(
        """
        index t < 4
        input n[i]
        input x[i]
        k[i] = floor(x[i])
        m[i] = mod(floor(x[i])*7919, 13)
        e[t,i] = [mod(t*t + 1, 4) = mod(floor(x[i]), 4)]
        p[t] = sin(t/10000^(2*t/|t|))
        """,
        x=[-1.5, 2.0, 1e6 + 0.25],
        n=[1, 2, 3],
    )
    assert found["k"].tolist() == [-2, 2, 10**6]


# --- numbers


def test_erf_is_accurate_to_the_last_digits():
    namespace: dict[str, object] = {"np": np}
    exec(ERF, namespace)
    x = np.concatenate([np.linspace(-7, 7, 40_001), np.logspace(-300, 0, 500), [0.46875, 4.0]])
    out = np.empty_like(x)
    namespace["erf"](x, out)
    exact = np.array([math.erf(value) for value in x])
    assert np.max(np.abs(out - exact) / np.maximum(np.abs(exact), 1e-300)) < 5e-16
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0])
    namespace["erf"](special, special)
    np.testing.assert_array_equal(special, [np.nan, 1, -1, 0, 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_logits_are_no_trouble(dtype: str):
    program = program_of(
        """
        index i < 4
        input s[b,i]
        P[b,i] = softmax[i](s[b,i])
        L[b,i] = log_softmax[i](s[b,i])
        z[b] = logsumexp[i](s[b,i])
        g[b,i] = sigmoid(s[b,i])
        p[b,i] = softplus(s[b,i])
        """
    )
    inf = np.inf
    rows = [[1000, -1000, 0, 1000], [-inf, -inf, -inf, -inf], [0, -inf, 1, -inf], [inf, 0, 1, -inf]]
    arrays = convert(program, {"s": rows}, dtype)
    made = planned(program, arrays, dtype=dtype)
    found = load(emit(made), made).run(arrays)
    np.testing.assert_allclose(found["P"][0], [0.5, 0, 0, 0.5])
    np.testing.assert_allclose(found["P"][2].sum(), 1)
    np.testing.assert_array_equal(found["P"][3, 1:], 0)
    np.testing.assert_allclose(found["z"][:1], 1000 + math.log(2))
    assert found["z"][1] == -inf
    assert found["z"][3] == inf
    np.testing.assert_allclose(found["L"][0], [-math.log(2), -2000 - math.log(2)] * 1 + [
        -1000 - math.log(2), -math.log(2)])  # fmt: skip
    np.testing.assert_allclose(found["g"][0], [1, 0, 0.5, 1])
    np.testing.assert_allclose(found["p"][0], [1000, 0, math.log(2), 1000])


# --- errors


@pytest.mark.parametrize("bad", [5, -1])
def test_a_subscript_outside_names_tensor_value_and_place(bad: int):
    program = program_of("input x[i]\ninput f[k]\nfor k: y[k] = x[floor(f[k])]\n")
    arrays = {"x": np.zeros(3), "f": np.array([0.5, 1, bad, 2])}
    made = planned(program, arrays)
    runner = load(emit(made), made)
    with pytest.raises(EinbatchError) as caught:
        runner.run(arrays)
    (finding,) = caught.value.diagnostics
    assert finding.code == "E0605"
    assert finding.message == f"subscript 1 of `x` is {bad}, outside 0 … 2"
    assert finding.labels[0].text == "at k=2"
    assert finding.labels[0].span.text == "x[floor(f[k])]"
    fine = {**arrays, "f": np.zeros(4)}
    assert runner.run(fine)["y"].tolist() == [0, 0, 0, 0]


def test_declared_members_need_no_check():
    program = program_of("index i < 3\ninput x[i]\ninput n[k] in i\nfor k: y[k] = x[n[k]]\n")
    made = planned(program, {"x": np.zeros(3), "n": np.zeros(2, "int64")})
    assert "outside" not in emit(made)


# --- running


def momentum() -> Program:
    return program_of(
        """
        input x[i]
        param W[i] = 0
        param V[i] = 0
        state m[i] = 0
        for i: h[i] = W[i]*x[i]
        loss += h[i]
        minimize loss
        for i: m[i] = 0.9*m[i] + h[i]
        for i: W[i] -= 0.1*m[i]
        for i: W[i] *= 0.99
        for i: old[i] = V[i]
        for i: V[i] = W[i]
        for i: W[i] += old[i]
        """
    )


def test_update_statements_read_what_the_ones_before_wrote():
    data = {"x": X[0], "W": X[1], "V": X[2], "m": X[0] * X[1]}
    program = momentum()
    arrays = convert(program, data, "float64")
    outputs = ("loss", "W", "V", "m", "h", "old")
    made = planned(program, arrays, updates=True, outputs=outputs)
    found = load(emit(made), made).run(arrays)
    extents = bind_extents(program, {name: a.shape for name, a in arrays.items()})
    expected = run(program, arrays, extents, updates=True)
    for name in outputs:
        np.testing.assert_allclose(found[name], expected[name], 1e-13)


def test_a_bound_step_rewrites_its_arrays_in_place():
    program = momentum()
    arrays = convert(program, {"x": X[0], "W": X[1], "V": X[2], "m": X[0]}, "float64")
    own = {name: arrays[name].copy() for name in ("W", "V", "m")}
    made = planned(program, arrays, updates=True, outputs=("loss",))
    step = load(emit(made), made).bind(own)
    extents = bind_extents(program, {name: a.shape for name, a in arrays.items()})
    state = dict(arrays)
    for _ in range(3):
        expected = run(program, state, extents, updates=True)
        (loss,) = step(X[0])
        assert loss.shape == ()
        assert loss.item() == pytest.approx(expected["loss"].item())
        state = {name: expected[name] for name in arrays}
        for name in own:
            np.testing.assert_allclose(own[name], expected[name], 1e-13)


def test_params_may_trade_places():
    program = program_of(
        """
        index i < 4
        param W[i] = 0
        param V[i] = 0
        loss += W[i]*V[i]
        minimize loss
        for i: old[i] = W[i]
        for i: W[i] = V[i]
        for i: V[i] = old[i]
        """
    )
    own = {"W": X[0].copy(), "V": X[1].copy()}
    made = planned(program, own, updates=True, outputs=("loss", "old"))
    step = load(emit(made), made).bind(own)
    _, old = step()
    np.testing.assert_array_equal(own["W"], X[1])
    np.testing.assert_array_equal(own["V"], X[0])
    np.testing.assert_array_equal(old, X[0])


def test_outputs_stay_valid_after_the_next_call():
    program = program_of("input x[i]\nfor i: y[i] = 2*x[i]\nfor i: z[i] = x[i]\n")
    arrays = {"x": np.arange(3.0)}
    made = planned(program, arrays)
    runner = load(emit(made), made)
    first = runner.run(arrays)
    runner.run({"x": np.full(3, 9.0)})
    np.testing.assert_array_equal(first["y"], [0, 2, 4])
    first["z"][:] = 5
    np.testing.assert_array_equal(arrays["x"], [0, 1, 2])


# --- the module as text


def test_the_module_stands_alone():
    program = program_of("index i < 3\nfor i: y[i] = gelu(i/2)\nfor i: z[i] = sin(y[i])\n")
    made = planned(program, {})
    source = emit(made) + "\nprint(bind()()[0].tolist())\n"
    result = subprocess.run(
        [sys.executable, "-I", "-c", source], capture_output=True, text=True, check=True
    )
    expected = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in (0, 0.5, 1)]
    assert ast.literal_eval(result.stdout) == pytest.approx(expected)
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    assert [alias.name for node in imports for alias in node.names] == ["numpy"]
    assert emit(planned(program, {})) == emit(made)


def test_names_in_the_module_are_our_own():
    program = program_of("input ŷ[i]\ninput np[i]\nfor i: class[i] = ŷ[i]*np[i]\n")
    found = check(program, ŷ=[1.0, 2.0], np=[3.0, 4.0])
    assert found["class"].tolist() == [3, 8]
    assert identifier("β'") == "beta_prime"
    assert identifier("σ²") == "sigma2"


def test_text_of_the_user_stands_in_comments_only():
    hostile = Source("x", "y = 1\nimport os")
    statement = Statement("y", (), "=", Number(1), (), Span(hostile, 0, 15))
    program = Program(tensors=(Tensor("y", "value", ()),), statements=(statement,))
    made = plan(program, {}, describe_statement=lambda s: s.span.text + "\r\f\x00'''\"\"\"\\")
    source = emit(made)
    code = [line for line in source.splitlines() if not line.strip().startswith("#")]
    assert not any("import os" in line for line in code)
    assert load(source, made).run({})["y"] == 1


def test_extents_are_numbers_in_a_program():
    statement = Statement("y", (Ix,), "=", Apply("div", (Ix, Extent("i"))), ("i",))
    assert check(ir({"y": (4,)}, {"i": 4}, statement))["y"].tolist() == [0, 0.25, 0.5, 0.75]
