"""Each pass with a case of its own: what it changes, and that it does not change the values."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import pytest

import einbatch as eb
from einbatch.backends.numpy import native
from einbatch.backends.numpy.instructions import BAND, GROUP
from einbatch.elaborate import bind_extents
from einbatch.model.execution import Emitted
from einbatch.model.passes import PASSES
from einbatch.model.restrict import restrict
from einbatch.model.trainer import Updating

RECORDED = ("replay", "group_loops", "loop_over_rows", "use_threads", "share_bands")
"""What is done with recorded steps: there are none where there is no compiled part."""


@dataclass(frozen=True)
class Case:
    """A program, the shapes of its inputs (tuples with a number: integers below it), and what
    stands in its plan, its module or its recorded step with a pass, and without it.
    """

    text: str
    shapes: dict[str, tuple[int, ...]]
    after: str
    before: str
    below: dict[str, int] = field(default_factory=dict)

    def data(self) -> dict[str, np.ndarray]:
        draws = np.random.default_rng(0)
        return {
            name: draws.integers(0, self.below[name], shape)
            if name in self.below
            else draws.normal(size=shape)
            for name, shape in self.shapes.items()
        }


CHAIN = "input x[i]\nfor i: y[i] = tanh(x[i]*x[i] + 1)\n"
DESCENT = """\
batch b < B
index i < 6, j < 5, k < 4
input x[b,i]
input t[b,k]
param W[j,i] ~ normal(0, 1)
param V[k,j] ~ normal(0, 1)
for b,j,i: h[b,j] += W[j,i]*x[b,i]
for b,j: a[b,j] = tanh(h[b,j])
for b,k,j: s[b,k] += V[k,j]*a[b,j]
for b,k: loss[b] += (s[b,k] - t[b,k])^2
minimize loss
train sgd(lr=0.1)
"""
RECURRENCE = """\
index t < 7, i < 3, j < 4, k < 4
input x[t,i]
input W[j,i]
input U[j,k]
scan t:
"""
LAYER = RECURRENCE + "    h[t,j] = tanh(sum[i](W[j,i]*x[t,i]) + sum[k](U[j,k]*(h[t-1,k] else 0)))\n"

LONG = {"x": (8, 6), "t": (8, 4)}
SCANNED = {"x": (7, 3), "W": (4, 3), "U": (4, 4)}
PICKED = "index k < 4\ninput l[b] in k\n"

CASES = {
    "simplify": Case(DESCENT, LONG, r"\+= 2\*loss\.grad", r"\^1$"),
    "stabilize": Case(
        "input x[i]\ny = log(sum[i](exp(x[i])))", {"x": (5,)}, r"maximum\.reduce", r"np\.exp\(x,"
    ),
    "distribute": Case(
        RECURRENCE
        + "    g[t,j] += W[j,i]*x[t,i]\n"
        + "    g[t,j] += U[j,k]*(h[t-1,k] else 0)\n"
        + "    h[t,j] = tanh(g[t,j])\n"
        + "    s[j] += h[t,j]\n",
        SCANNED,
        "for t,j,i: g",
        "for j,i: g",
    ),
    "lift_products": Case(LAYER, SCANNED, "× .t,i.", "× .i. .*24 × 7"),
    "order_contractions": Case(
        "input A[i,j]\ninput B[j,k]\ninput c[k]\nfor i,j,k: y[i] += A[i,j]*B[j,k]*c[k]",
        {"A": (6, 5), "B": (5, 4), "c": (4,)},
        r"\[j,k\] × \[k\]|\[k\] × \[j,k\]",
        r"\[i,j\] × \[j,k\]",
    ),
    "sum_by_products": Case(
        "input x[i,j]\nfor i,j: y[i] += exp(x[i,j])",
        {"x": (5, 4)},
        r"all statements 240",
        r"all statements 220",
    ),
    "scale_smallest": Case(
        "input a[i]\ninput c[j]\nfor i,j: y[i,j] = 3*a[i]*c[j]",
        {"a": (5,), "c": (4,)},
        "total 24",
        "total 40",
    ),
    "slide": Case(
        "input K[u]\ninput x[s]\nfor t,u: y[t] += K[u]*x[t+u]",
        {"K": (3,), "x": (9,)},
        "3 rounds",
        r"copy\)  +3 × 7",
    ),
    "block": Case(
        "input K[o,i,u]\ninput x[b,i,s]\nfor b,o,i,t,u: y[b,o,t] += K[o,i,u]*x[b,i,t+u]",
        {"K": (3, 2, 3), "x": (5, 2, 9)},
        "5 rounds",
        "3 rounds",
    ),
    "pad": Case(
        "input K[u]\ninput x[t]\nfor t,u: y[t] += K[u]*(x[t+u-1] else 0)",
        {"K": (3,), "x": (9,)},
        r"\(pad\)",
        r"np\.take",
    ),
    "put_one_hot": Case(
        PICKED + "input p[b,k]\nfor b,k: y[b,k] = p[b,k] - [k = l[b]]",
        {"p": (5, 4), "l": (5,)},
        r"subtract\.at",
        r"np\.equal",
        {"l": 4},
    ),
    "scatter_rows": Case(
        PICKED + "input p[b,i]\nT[k,i] = 0\nfor b,i: T[l[b],i] += p[b,i]",
        {"p": (5, 3), "l": (5,)},
        r"add\.at\(T, l, p\)",
        r"reshape\(15\)",
        {"l": 4},
    ),
    "prove_inside": Case(
        PICKED + "input p[k]\nfor b: y[b] = p[l[b]]",
        {"p": (4,), "l": (5,)},
        r"import numpy as np\n\ndef bind",
        r"check\(0",
        {"l": 4},
    ),
    "number_values": Case(
        "input x[i]\nfor i: z[i] = exp(x[i]) + tanh(exp(x[i]))",
        {"x": (5,)},
        r"all statements 105",
        r"all statements 155",
    ),
    "fold_scales": Case(DESCENT, LONG, r"all statements 2,600", r"all statements 2,700"),
    "write_first": Case(
        LAYER, SCANNED, r"k_v = np\.broadcast_to\(k, \(4,\)\)", r"np\.copyto\(h, k_v\)"
    ),
    "fuse_products": Case(DESCENT, LONG, r"accumulate\(W", r"np\.subtract\(W"),
    "compute_constants": Case(
        "input x[i]\nfor i: y[i] = x[i]*exp(i)",
        {"x": (5,)},
        r"total 5$",
        r"total 55$",
    ),
    "overwrite": Case(CHAIN, {"x": (5,)}, "in place", r"arena at 64"),
    "share_memory": Case(DESCENT, LONG, r"arena +896 bytes", r"arena +1152 bytes"),
    "put_directly": Case(LAYER, SCANNED, r"np\.tanh\(t_?\d*, h_v", r"np\.copyto\(h_v_?\d*, t"),
    "replay": Case(CHAIN, {"x": (5,)}, "^replayed natively", "^run as Python"),
    "group_loops": Case(CHAIN, {"x": (5,)}, "^group of 3 loops", "^group of 1 loops"),
    "loop_over_rows": Case(CHAIN, {"x": (5,)}, "[1-9] by rows", ", 0 by rows"),
    "share_bands": Case(
        "input x[b,i]\ninput W[j,i]\nfor b,j: h[b,j] = tanh(sum[i](W[j,i]*x[b,i]))",
        {"x": (256, 128), "W": (128, 128)},
        "^band",
        "^group",
    ),
    "use_threads": Case(CHAIN, {"x": (30_000,)}, "shared$", "by rows$"),
}
"""What stands in the one that does not stand in the other."""


def emitted(model: eb.Model, case: Case) -> Emitted:
    """One update where the program trains, else its forward statements."""
    training = model.front.training
    if training.program.train is None:
        program, updates = model.front.forward, False
        outputs = tuple(t.name for t in program.tensors if t.kind == "value")[-1:]
        program = restrict(program, outputs)
    else:
        updating = Updating(training, model.execution)
        program, outputs, updates = updating.program, updating.outputs, True
    extents = bind_extents(program, case.shapes)
    return model.execution.emitted(program, extents, outputs, updates=updates)


def values(model: eb.Model, case: Case) -> dict[str, np.ndarray]:
    if model.program.train is None:
        return model.forward(data=case.data())
    return model.step(model.init(0), None, case.data())[0]


def words_of(code: bytes) -> Iterator[str]:
    """What groups of a recorded step are."""
    words = struct.unpack(f"{len(code) // 8}q", code)
    place = 0
    while place < len(words):
        if words[place] == GROUP:
            loops = list(_loops(words[place + 5 : place + words[place + 1]]))
            by_rows = sum(1 for loop in loops if loop[7])
            shared = ", shared" if words[place + 4] else ""
            yield f"group of {len(loops)} loops, {by_rows} by rows{shared}"
        if words[place] == BAND:
            yield "band"
        place += words[place + 1]


def _loops(words: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    while words:
        yield words[: words[1]]
        words = words[words[1] :]


def shown(model: eb.Model, case: Case) -> str:
    """The plan, the module and what was recorded of its step, as text."""
    made = emitted(model, case)
    with patch.object(native, "replay", wraps=native.replay) as recorded:
        values(model, case)
    lines = [line for call in recorded.call_args_list for line in words_of(call.args[0])]
    return "\n".join([made.plan.describe(), made.runner.describe(), made.source, *lines])


def parsed(case: Case, **options: object) -> eb.Model:
    return eb.parse(case.text, dtype="float64", **options)


def test_every_pass_has_a_case():
    assert list(CASES) == list(PASSES)


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_shows_and_changes_no_value(name: str):
    if name in RECORDED and not native.is_available():
        pytest.skip("steps are not replayed here")
    if name == "share_bands" and not native.can_share_blas():
        pytest.skip("threads cannot call this BLAS side by side")
    case = CASES[name]
    models = parsed(case), parsed(case, without=[name])
    after, before = (shown(model, case) for model in models)
    assert re.search(case.after, after, re.MULTILINE), after
    assert re.search(case.before, before, re.MULTILINE), before
    assert not re.search(case.after, before, re.MULTILINE), before
    assert not re.search(case.before, after, re.MULTILINE), after
    expected = values(parsed(case, backend="loops"), case)
    for model in models:
        found = values(model, case)
        for tensor, array in expected.items():
            np.testing.assert_allclose(found[tensor], array, 1e-12, 1e-12)


def test_a_pass_that_there_is_not_is_refused():
    for action in (
        lambda: eb.parse("y = 1", without=["fuse_product"]),
        lambda: eb.parse("y = 1", without="fuse_product", backend="loops"),
    ):
        with pytest.raises(eb.EinbatchError) as caught:
            action()
        assert str(caught.value) == (
            "error[E0812]: there is no pass `fuse_product`\n  help: did you mean `fuse_products`?"
        )


def test_a_name_like_none_lists_them_all():
    with pytest.raises(eb.EinbatchError, match=f"there are {', '.join(PASSES)}$"):
        eb.parse("y = 1", without=["zzz"])


def test_models_keep_to_what_they_leave_out():
    """A plan that one model made is not what another one, without a pass, runs."""
    case = CASES["put_one_hot"]
    for without in ((), ("put_one_hot",), ()):
        text = emitted(parsed(case, without=without), case).source
        assert ("np.equal" in text) == bool(without)
