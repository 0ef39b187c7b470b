"""Several objectives: side by side in a derived program, in turn in a step of training."""

from textwrap import dedent

import numpy as np
import pytest

import einbatch as eb
from einbatch.autodiff import differentiate
from einbatch.ir import verify
from tests.autodiff.derived import program, shown, statements

GAME = """
    dtype float64
    batch b < B
    input x[b]
    param w = 0.5
    param g = -0.25
    y[b] = tanh(w*g*x[b])
    D[b] = (y[b] - w)^2
    G[b] = y[b]*x[b]
    minimize D over w
    maximize G over g
"""
X = np.array([0.5, -1.5, 2.0])


def model_of(text: str, **options: str) -> eb.Model:
    return eb.parse(dedent(text), **options)


def by_hand(w: float, g: float) -> tuple[float, float]:
    """dD/dw and dG/dg of the game, the means over x."""
    y = np.tanh(w * g * X)
    slope = 1 - y**2
    return np.mean(2 * (y - w) * (slope * g * X - 1)), np.mean(X * slope * w * X)


def test_cotangents_under_two_objectives_are_told_apart():
    derived = differentiate(program(GAME))
    assert (
        statements(derived)[-8:]
        == [
            "for b: D.grad[b] = 1",
            "for b: D_1.grad[b] += 2*D.grad[b]*D_1[b]",
            "for b: w.grad -= 1/B*D_1.grad[b]",
            "for b: y.grad[b] += D_1.grad[b]",
            "for b: w.grad += 1/B*y.grad[b]*(1 - y[b]^2)*g*x[b]",
            "for b: G.grad[b] = 1",
            "for b: y_G.grad[b] += G.grad[b]*x[b]",
            "for b: g.grad += 1/B*y_G.grad[b]*(1 - y[b]^2)*w*x[b]",
        ]
        or statements(derived)[-10:] == []
    )


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_each_param_has_the_gradient_of_its_own_objective(backend: str):
    model = model_of(GAME, backend=backend)
    loss, gradients = model.value_and_grad(model.init(), x=X)
    w, g = by_hand(0.5, -0.25)
    assert loss == pytest.approx(np.mean((np.tanh(-0.125 * X) - 0.5) ** 2))
    assert gradients == {"w": pytest.approx(w), "g": pytest.approx(g)}
    cotangents = model.cotangents(model.init(), x=X)
    assert {"y.grad", "y_G.grad"} <= cotangents.keys()
    np.testing.assert_allclose(cotangents["y_G.grad"], X)


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_the_second_sees_what_the_first_has_left(backend: str):
    model = model_of(GAME + "    train sgd(lr=0.1)\n", backend=backend)
    params, _ = model.step(model.init(), x=X)
    w = 0.5 - 0.1 * by_hand(0.5, -0.25)[0]
    g = -0.25 + 0.1 * by_hand(w, -0.25)[1]
    assert params == {"w": pytest.approx(w), "g": pytest.approx(g)}
    trainer = model.trainer()
    trainer.step(x=X)
    assert trainer.params == {"w": pytest.approx(w), "g": pytest.approx(g)}


UPDATES = "    w -= 0.1*w.grad\n"
OTHERS = "    g += 0.1*g.grad\n"


def test_updates_between_the_objectives_are_those_of_an_optimizer():
    lines = GAME.replace("    maximize", UPDATES + "    maximize") + OTHERS
    written = model_of(lines).step({"w": 0.5, "g": -0.25}, x=X)[0]
    inlined = model_of(GAME + "    train sgd(lr=0.1)\n").step({"w": 0.5, "g": -0.25}, x=X)[0]
    assert written == inlined


def test_updates_behind_both_see_both_at_the_same_params():
    params, _ = model_of(GAME + UPDATES + OTHERS).step({"w": 0.5, "g": -0.25}, x=X)
    w, g = by_hand(0.5, -0.25)
    assert params == {"w": pytest.approx(0.5 - 0.1 * w), "g": pytest.approx(-0.25 + 0.1 * g)}


def test_a_cotangent_in_updates_is_that_of_the_nearest_objective_above():
    text = GAME.replace("    param w", "    state a = 0\n    state c = 0\n    param w")
    text = text.replace("    maximize", "    a = mean[b](y.grad[b])\n    maximize")
    text += "    c = mean[b](y.grad[b])\n    g += w.grad\n"
    params, state = model_of(text).step({"w": 0.5, "g": -0.25}, x=X)
    y = np.tanh(-0.125 * X)
    assert state["a"] == pytest.approx(np.mean(2 * (y - 0.5)))
    assert state["c"] == pytest.approx(np.mean(X))
    assert params["g"] == pytest.approx(-0.25 + by_hand(0.5, -0.25)[0])


def test_what_no_update_changes_is_computed_once():
    text = """
        param w = 1
        param g = 2
        input x
        made = exp(g*x)
        D = (w*made - x)^2
        G = w*made^2
        minimize D over w
        w -= w.grad
        minimize G over g
        g -= g.grad
    """
    derived = differentiate(program(text), keep=True)
    assert verify(derived) == []
    lines = statements(derived)
    assert [line for line in lines if "exp" in line] == ["made = exp(g*x)"]
    again = lines[lines.index("minimize D over w") : lines.index("minimize G over g")]
    assert again == [
        "minimize D over w",
        "w -= w.grad",
        "G.grad = 1",
        "made.grad += 2*G.grad*w*made",
        "g.grad += made.grad*made*x",
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_min_and_max_of_one_value(keep: bool):
    text = """
        batch b
        input x[b]
        param w = 0.5
        param g = 0.3
        param u = 0.2
        V[b] = (w*g*x[b] - g^2)*u
        maximize V over w
        minimize V over g
        minimize V over u
        train sgd(lr=0.1)
    """
    model = model_of(text, dtype="float64")
    whole = model.front.training.program if keep else model.front.forward
    derived = differentiate(whole, keep=keep)
    assert verify(derived) == []
    assert program(shown(derived)).statements == derived.statements
    values = model.value_and_grad(model.init(), x=[1, 2])[1]
    expected = {"w": 0.3 * 1.5 * 0.2, "g": (0.75 - 0.6) * 0.2, "u": 0.5 * 0.3 * 1.5 - 0.09}
    assert values == {name: pytest.approx(value) for name, value in expected.items()}


def test_a_list_alone_leaves_the_other_params_as_they_are():
    text = "param w = 2\nparam v = 3\nL = (w*v)^2\nminimize L over w\ntrain sgd(lr=0.25)\n"
    model = model_of(text, dtype="float64")
    assert model.warnings == []
    assert model.value_and_grad(model.init())[1] == {"w": 36}
    assert model.step(model.init())[0] == {"w": -7, "v": 3}
    assert "v.grad" not in str(model.backward)
    curved = model.hessian_vector_product(model.init(), {"w": 1.0})
    assert curved == {"w": 18}


def test_each_objective_has_its_own_hessian():
    text = "param w = 2\nparam v = 3\nA = (w*v)^2\nC = w*v^3\nminimize A over w\nminimize C over v"
    model = model_of(text, dtype="float64")
    curved = model.hessian_vector_product(model.init(), {"w": 1, "v": 10})
    assert curved == {"w": 18, "v": 360}


def test_inputs_have_a_cotangent_under_each():
    derived = differentiate(program(GAME), wrt=("x",))
    names = {tensor.name for tensor in derived.tensors}
    assert {"x.grad", "x_G.grad"} <= names
    assert program(shown(derived)) == derived


def test_derived_once_more():
    text = f"{model_of(GAME).backward}s = w.grad*g.grad\nminimize s\n"
    model = model_of(text, dtype="float64")
    found = model.value_and_grad({"w": 0.5, "g": -0.25}, x=X)[1]
    step = 1e-6

    def product(w: float, g: float) -> float:
        first, second = by_hand(w, g)
        return first * second

    for name, moved in (("w", (step, 0)), ("g", (0, step))):
        ahead = product(0.5 + moved[0], -0.25 + moved[1])
        behind = product(0.5 - moved[0], -0.25 - moved[1])
        assert found[name] == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_logarithms_are_stable_after_an_update_too():
    text = """
        param w = 100
        param g = 1
        D = (w - 200)^2
        p = sigmoid(-1000*w*g)
        G = -log(p)
        minimize D over w
        w -= 0.5*w.grad
        minimize G over g
        g -= 0.000001*g.grad
    """
    model = model_of(text, dtype="float64")
    params, _ = model.step(model.init())
    assert params == {"w": 200, "g": pytest.approx(1 - 0.2)}


def test_training_shows_the_others_beside_the_loss():
    model = model_of(GAME + "    report mean_y = mean[b](y[b])\n    train sgd(lr=0.1)\n")
    result = model.fit(x=X, epochs=2, batch=3)
    assert list(result.reports["train"]) == ["G", "mean_y"]
    first = model.forward({"w": 0.5, "g": -0.25}, x=X)
    assert result.history[0]["loss"] == pytest.approx(np.mean(first["D"]))
    assert result.history[0]["reports"]["train"]["G"] == pytest.approx(np.mean(first["G"]))  # pyright: ignore
