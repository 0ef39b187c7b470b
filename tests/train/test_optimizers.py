"""Optimizers as statements: their text, their arithmetic, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb
from einbatch.diagnostics import Source
from einbatch.elaborate import elaborate
from einbatch.syntax import parse, unparse
from einbatch.train.optimizers import inline_optimizer

HEAD = "index i < 2\nparam W⁰[i] = 1\nparam c = 2\nL = sum[i](W⁰[i]^2) + c^2\n"


def inlined(line: str, objective: str = "minimize L") -> str:
    """The statements that stand after the objective."""
    tree = parse(Source("t.ein", f"{HEAD}{objective}\n{line}\n"))
    return unparse(inline_optimizer(tree, elaborate(tree))).split(f"{objective}\n")[1]


def refusal(line: str) -> str:
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse(f"{HEAD}minimize L\n{line}\n")
    return str(caught.value)


def test_sgd_is_one_statement():
    assert inlined("train sgd(lr=0.1), batch=2") == (
        "for i: W⁰[i] -= 0.1*W⁰.grad[i]\nc -= 0.1*c.grad\ntrain batch=2\n"
    )


def test_sgd_with_momentum_keeps_a_velocity():
    assert inlined("train sgd(lr=0.1, momentum=0.9)") == (
        "state W⁰_velocity[i] = 0\n"
        "for i: W⁰_velocity[i] = 0.9*W⁰_velocity[i] + W⁰.grad[i]\n"
        "for i: W⁰[i] -= 0.1*W⁰_velocity[i]\n"
        "state c_velocity = 0\n"
        "c_velocity = 0.9*c_velocity + c.grad\n"
        "c -= 0.1*c_velocity\n"
        "train\n"
    )


def test_maximize_goes_the_other_way():
    assert "c += 0.1*c.grad\n" in inlined("train sgd(lr=0.1)", "maximize L")


def test_adam_corrects_its_bias():
    text = inlined("train adam(lr=0.01), batch=2")
    assert (
        "c -= 0.01*(c_moment1/(1 - 0.9^step))/(sqrt(c_moment2/(1 - 0.999^step)) + 1e-8)\n" in text
    )


def test_a_taken_name_is_left_alone():
    text = f"{HEAD}c_velocity = 3\nminimize L\ntrain sgd(lr=1, momentum=0.5)\n"
    tree = parse(Source("t.ein", text))
    assert "c_velocity2 = 0.5*c_velocity2 + c.grad" in unparse(
        inline_optimizer(tree, elaborate(tree))
    )


def test_a_constant_may_be_a_setting():
    model = eb.parse(f"let m = 0\n{HEAD}minimize L\ntrain sgd(lr=0.1, momentum=m)")
    assert model.fit().state.keys() == {"step"}
    model = eb.parse(f"let m = 0\n{HEAD}minimize L\ntrain sgd(lr=0.1, momentum=m)", set={"m": 0.5})
    assert model.fit().state.keys() == {"step", "W0_velocity", "c_velocity"}


def test_the_next_cotangent_is_the_one_that_updates():
    derived = str(eb.parse(f"{HEAD}minimize L").backward)
    model = eb.parse(f"{derived}G = sum[i](W⁰.grad[i]^2)\nminimize G\ntrain sgd(lr=0.1)")
    assert np.allclose(model.fit().params["W0"], 1 - 0.1 * 8)


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_adam_does_what_the_paper_says(backend: str):
    model = eb.parse(f"{HEAD}minimize L\ntrain adam(lr=0.1)", dtype="float64", backend=backend)
    params, state = model.init(), None
    w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    for t in range(1, 4):
        params, state = model.step(params, state)
        m = 0.9 * m + 0.1 * 2 * w
        v = 0.999 * v + 0.001 * (2 * w) ** 2
        w = w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert np.allclose(params["W0"], w, rtol=1e-12)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train sdg(lr=1)", "there is no optimizer `sdg`"),
        ("train sgd(rate=1)", "`sgd` has no setting `rate`"),
        ("train sgd()", "`sgd` needs a value for `lr`"),
        ("c -= c.grad\ntrain sgd(lr=1)", "the optimizer `sgd` would update the params a second"),
    ],
)
def test_what_an_optimizer_refuses(line: str, said: str):
    text = refusal(line)
    assert text.startswith(f"error[E0412]: {said}")
    assert "-->" in text
    assert "  help: " in text


def test_step_is_the_optimizers():
    assert "counts the updates in `step`, which means something else here" in refusal(
        "step = 3\ntrain adam()"
    )


def test_settings_are_finite():
    with pytest.raises(eb.EinbatchError, match="nan is no setting"):
        eb.parse(f"{HEAD}minimize L\ntrain sgd(lr=1)").trainer(lr=float("nan"))
    with pytest.raises(eb.EinbatchError, match="there is no optimizer to set `lr` of"):
        eb.parse(f"{HEAD}minimize L").trainer(lr=0.1)


def test_training_needs_an_objective_and_updates():
    assert refusal("train batch=2") == (
        "error[E0802]: nothing updates the params\n"
        "  --> <text>:6:1\n"
        "   |\n"
        " 6 | train batch=2\n"
        "   | ^^^^^^^^^^^^^ to be trained\n"
        "  help: add `train sgd(lr=0.1)`, or update statements after the objective"
    )
    with pytest.raises(eb.EinbatchError, match="E0801"):
        eb.parse("param c = 1\ntrain sgd(lr=1)")
    with pytest.raises(eb.EinbatchError, match="there are no params"):
        eb.parse("input c\nL = c\nminimize L\ntrain sgd(lr=1)")


def test_each_objective_has_its_own_updates_and_its_own_clipping():
    text = (
        "param w = 3\nparam v = 4\nparam g = 2\nA = w^2 + v^2\nC = g^2*w\n"
        "minimize A over w, v\nmaximize C over g\ntrain sgd(lr=0.1, clip_norm=1)\n"
    )
    tree = parse(Source("t.ein", text))
    assert unparse(inline_optimizer(tree, elaborate(tree))).split("C = g^2*w\n")[1] == (
        "minimize A over w, v\n"
        "clip_square += w.grad^2\n"
        "clip_square += v.grad^2\n"
        "clip = min(1, 1/(sqrt(clip_square) + 1e-6))\n"
        "w_descent = clip*w.grad\n"
        "w -= 0.1*w_descent\n"
        "v_descent = clip*v.grad\n"
        "v -= 0.1*v_descent\n"
        "maximize C over g\n"
        "clip_square2 += g.grad^2\n"
        "clip2 = min(1, 1/(sqrt(clip_square2) + 1e-6))\n"
        "g_descent = -clip2*g.grad\n"
        "g -= 0.1*g_descent\n"
        "train\n"
    )
