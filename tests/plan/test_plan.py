"""What a plan computes, shares, keeps and refuses."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from einbatch.diagnostics import EinbatchError, Source
from einbatch.elaborate import bind_extents, elaborate, erase_statement
from einbatch.ir import Program
from einbatch.plan import Plan, allowance, check_tensors, plan
from einbatch.plan.allowance import parse_size
from einbatch.plan.order_contractions import order_contractions
from einbatch.syntax import parse, unparse

DIGITS = Path(__file__).parents[2] / "programs" / "digits.ein"


def program_of(text: str) -> Program:
    return elaborate(parse(Source("test.ein", dedent(text))))


def planned(text: str, shapes: dict[str, tuple[int, ...]], **options: object) -> Plan:
    program = program_of(text)

    def describe(statement: object) -> str:
        return unparse(erase_statement(program, statement))

    extents = bind_extents(program, shapes)
    return plan(program, extents, describe_statement=describe, **options)


def operations(made: Plan) -> list[str]:
    """What is computed at each call, views left out."""
    steps = zip(made.values, made.constant, strict=True)
    hidden = ("view", "input")
    return [v.operation for v, constant in steps if not constant and v.operation not in hidden]


MLP = """
input x[b,i]
input W[j,i]
input C[j]
input label[b] in j
for b,i,j: g[b,j] += W[j,i]*x[b,i]
for b,j: g[b,j] -= C[j]
for b,j: P[b,j] = softmax[j](g[b,j])
for b: loss[b] = logsumexp[j](g[b,j]) - g[b,label[b]]
"""
SHAPES = {"x": (5, 7), "W": (3, 7), "C": (3,), "label": (5,)}


def test_only_what_is_wanted_is_computed():
    made = planned(MLP, {**SHAPES}, outputs=("g",))
    assert [operand.name for operand in made.inputs] == ["x", "W", "C"]
    assert operations(made) == ["matmul", "subtract"]
    assert [operand.name for operand in planned(MLP, SHAPES).outputs] == ["g", "P", "loss"]


def test_what_two_statements_need_is_computed_once():
    found = operations(planned(MLP, SHAPES))
    assert found.count("exp") == 1
    assert found.count("log") == 1
    assert found.count("reduce") == 1


def test_a_lone_contribution_is_no_copy():
    made = planned("input x[i]\nfor i: g[i] += x[i]\nfor i: y[i] += 2*g[i]\n", {"x": (4,)})
    assert operations(made) == ["multiply"]


def test_seeds_and_ones_cost_nothing():
    text = "input x[i]\nfor i: s[i] = 1\nfor i: g[i] += s[i]*x[i]\nfor i: y[i] = exp(g[i])\n"
    assert operations(planned(text, {"x": (4,)}, outputs=("y",))) == ["exp"]


def test_a_coefficient_goes_into_the_product():
    made = planned(
        "input x[b,i]\ninput g[b,j]\nfor b,i,j: W[j,i] += 1/4*g[b,j]*x[b,i]\n",
        {"x": (4, 50), "g": (4, 3)},
    )
    assert operations(made) == ["matmul"]
    assert [v.attributes[2] for v in made.values if v.operation == "matmul"] == [0.25]


def test_one_hot_terms_are_put_in_place():
    text = "input P[b,k]\ninput n[b] in k\nfor b,k: g[b,k] = P[b,k] - [k = n[b]]\n"
    assert "scatter_distinct" in operations(planned(text, {"P": (4, 9), "n": (4,)}))
    text = "input P[b,k]\ninput n[b]\nfor b,k: g[b,k] = P[b,k] - [k = n[b]]\n"
    assert "equal" in operations(planned(text, {"P": (4, 9), "n": (4,)}))


def test_products_over_shared_axes_are_stacks_of_matrices_without_copies():
    text = """
    input q[b,t,h,d]
    input k[b,u,h,d]
    input v[b,u,h,d]
    for b,h,t,u,d: s[b,h,t,u] += q[b,t,h,d]*k[b,u,h,d]
    for b,h,t,u:   a[b,h,t,u] = softmax[u](s[b,h,t,u])
    for b,h,t,u,d: o[b,t,h,d] += a[b,h,t,u]*v[b,u,h,d]
    """
    shapes = {"q": (2, 5, 3, 4), "k": (2, 6, 3, 4), "v": (2, 6, 3, 4)}
    found = operations(planned(text, shapes, outputs=("o",)))
    assert found.count("matmul") == 2 + 1  # and one that sums the exponentials
    assert "copy" not in found


def test_factors_are_contracted_in_the_cheapest_order():
    assert order_contractions([["i", "j"], ["j", "k"], ["k"]], ["i"], dict.fromkeys("ijk", 9)) == (
        (1, 2),
        (0, 1),
    )
    text = "input A[i,j]\ninput B[j,k]\ninput c[k]\nfor i,j,k: y[i] += A[i,j]*B[j,k]*c[k]\n"
    made = planned(text, {"A": (30, 40), "B": (40, 50), "c": (50,)})
    assert [(c.left, c.right) for c in made.contractions] == [
        (("j", "k"), ("k",)),
        (("i", "j"), ("j",)),
    ]


def test_memory_is_shared_by_live_range():
    chain = "".join(f"for i: y{n + 1}[i] = exp(y{n}[i]*y{n}[i])\n" for n in range(20))
    text = "input y0[i]\n" + chain
    made = planned(text, {"y0": (1000,)}, outputs=("y20",))
    assert made.arena == 0  # the chain is computed where its end will be
    assert made.peak == 8000
    assert planned(text, {"y0": (1000,)}).peak >= 20 * 4000


def test_updates_are_made_in_place():
    text = """
    index i < 9
    param W[i] = 0
    state v[i] = 0
    loss += W[i]
    minimize loss
    for i: v[i] = 0.9*v[i] + W[i]
    for i: W[i] -= 0.1*v[i]
    """
    made = planned(text, {}, outputs=("loss",), updates=True)
    assert made.written == ()
    assert [operand.name for operand in made.owned] == ["W", "v"]


def test_the_text_of_a_plan():
    made = planned(
        """
        input x[b,i]
        input W[j,i]
        for b,i,j: g[b,j] += W[j,i]*x[b,i]
        for b,j: h[b,j] = relu(g[b,j])
        """,
        {"x": (5, 7), "W": (3, 7)},
        outputs=("h",),
    )
    assert made.describe() == dedent(
        """\
        statements  (contractions in order; operations on numbers)
          for b,i,j: g[b,j] += W[j,i]*x[b,i]
              [j,i] × [b,i] → [b,j]  210
              total 210
          for b,j: h[b,j] = relu(g[b,j])
              total 15
          all statements 225

        buffers
          x                5 × 7                float  input
          W                3 × 7                float  input
          g                5 × 3                float  output
          h                5 × 3                float  output, in place

        memory
          inputs and parameters  224 bytes
          arena                  0 bytes
          workspace (estimate)   0 bytes
          peak                   288 bytes
        """
    )


# --- memory


def test_a_tensor_beyond_the_allowance_is_refused_at_once():
    program = program_of("index i < 10^12\nfor i: y[i] = 1\nfor i: z += y[i]\n")
    start = time.perf_counter()
    with pytest.raises(EinbatchError) as caught:
        plan(program, bind_extents(program, {}), allowance=2**30)
    assert time.perf_counter() - start < 0.5
    (finding,) = caught.value.diagnostics
    assert caught.value.is_refusal
    assert finding.code == "E0701"
    assert finding.message == (
        "tensor `y` needs 4000000000000 bytes (3.6 TiB), and 1073741824 bytes (1.0 GiB) are allowed"
    )
    assert finding.labels[0].span.line == 2
    assert finding.labels[0].text == "its extents are 1000000000000"
    assert "EINBATCH_MEMORY=8GiB" in finding.help


def test_a_tensor_of_unknown_size_is_not_refused():
    program = program_of("index i < 10^12\ninput x[b]\nfor b,i: y[b,i] = x[b]\n")
    assert check_tensors(program, {"i": 10**12}, "float32", 2**30) == []
    found = check_tensors(program, {"i": 10**12, "b": 1, "|b|": 1}, "float32", 2**30)
    assert all(finding.code == "E0701" for finding in found)


def test_an_intermediate_beyond_the_allowance_is_refused_with_its_line():
    text = """\
    index i, j, k < 2000
    input x[i,k]
    input W[j,k]
    for i,j,k: y[i,j] += abs(x[i,k] - W[j,k])
    """
    with pytest.raises(EinbatchError) as caught:
        planned(text, {"x": (2000, 2000), "W": (2000, 2000)}, allowance=2**30)
    (finding,) = caught.value.diagnostics
    assert finding.code == "E0702"
    assert finding.message.startswith("this program needs 32")
    assert finding.labels[0].span.line == 4
    assert finding.labels[0].text == (
        "the largest part is an intermediate subtract, 32000000000 bytes (29.8 GiB)"
    )


def test_the_allowance_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EINBATCH_MEMORY", "3MiB")
    assert allowance() == 3 * 2**20
    monkeypatch.delenv("EINBATCH_MEMORY")
    assert allowance() > 2**26
    monkeypatch.setenv("EINBATCH_MEMORY", "a lot")
    with pytest.raises(EinbatchError) as caught:
        allowance()
    assert caught.value.diagnostics[0].code == "E0703"
    assert caught.value.diagnostics[0].message == "EINBATCH_MEMORY is 'a lot', which is no size"


@pytest.mark.parametrize(
    ("text", "size"),
    [("12", 12), ("8GiB", 8 * 2**30), ("500 MB", 5 * 10**8), ("1.5k", 1500), ("2TB", 2 * 10**12)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int):
    assert parse_size(text) == size


# --- the house


def test_planning_imports_no_numpy():
    code = f"""
import sys
from einbatch.plan import plan
from einbatch.syntax import parse
from einbatch.elaborate import bind_extents, elaborate
from einbatch.diagnostics import Source
program = elaborate(parse(Source("x", {MLP!r})))
plan(program, bind_extents(program, {SHAPES!r})).describe()
assert "numpy" not in sys.modules and "opt_einsum" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plan_is_the_same_each_time():
    assert planned(MLP, SHAPES) == planned(MLP, SHAPES)
