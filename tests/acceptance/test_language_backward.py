"""The language, section 7: the derived program, its text and its values."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import (
    backward,
    formatted,
    grad,
    gradients,
    on_file,
    refusal,
    values,
)

SLIDE = """
batch b < B
index i < 3, j < 2
input x[b,i]
param W[j,i] ~ normal(0, 1)
for b,i,j: h̃[b,j] += W[j,i]*x[b,i]
for b,j: loss[b] += h̃[b,j]^2
minimize loss
"""


def test_the_lectures_form_to_the_letter():
    assert backward(SLIDE, "--wrt", "x") == [
        "for b,j: h̃.grad[b,j] += 2*loss.grad[b]*h̃[b,j]",
        "for b,i,j: x.grad[b,i] += h̃.grad[b,j]*W[j,i]",
        "for b,i,j: W.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]",
    ]
    assert "for b,i,j: W.grad[j,i] += 1/|b|*h̃.grad[b,j]*x[b,i]" in backward(
        SLIDE.replace("b < B", "b")
    )


def test_it_is_a_program_without_minimize_train_or_updates():
    text = grad(f"{SLIDE}report r = mean[b](loss[b])\ntrain sgd(lr=0.1)\n")
    assert "for b: loss.grad[b] = 1\n" in text
    for word in ("minimize", "train", "report"):
        assert word not in text
    assert formatted(text) == text
    assert on_file(text, "check").code == 0
    updates = SLIDE + "W[j,i] -= 1/10*W.grad[j,i]\n"
    assert grad(updates) == grad(SLIDE)


def test_it_runs_and_its_cotangents_are_the_gradients():
    x, W = np.random.default_rng(0).normal(size=(4, 3)), np.array([[1.0, 2, 3], [-1, 0, 1]])
    expected = 2 * (x @ W.T).T @ x / 4
    assert np.allclose(gradients(SLIDE, {"W": W}, x=x)[1]["W"], expected)
    assert np.allclose(values(grad(SLIDE), {"W": W}, x=x)["W.grad"], expected)


def test_it_is_differentiated_again():
    again = grad(SLIDE) + "minimize q\n"
    again = again.replace("minimize q", "for j,i: q += W.grad[j,i]^2\nminimize q")
    text = grad(again)
    assert "W.grad2[j,i]" in text
    assert "W.grad.grad2[j,i]" in text
    x, W = np.random.default_rng(0).normal(size=(4, 3)), np.array([[1.0, 2, 3], [-1, 0, 1]])
    S = 2 * x.T @ x / 4
    _, grads = gradients(again, {"W": W}, x=x)
    assert np.allclose(grads["W"], 2 * W @ S @ S)
    assert np.allclose(values(text, {"W": W}, x=x)["W.grad2"], 2 * W @ S @ S)


def test_the_batch_convention_of_batch_statistics():
    text = (
        "batch b < B\nindex i < 2\ninput x[b,i]\nparam γ[i] = [1, 2]\n"
        "for b,i: m[i] += 1/B*x[b,i]\nfor b,i: y[b,i] = γ[i]*(x[b,i] - m[i])\n"
        "for b,i: L[b] += y[b,i]^3\nminimize L"
    )
    lines = backward(text, "--wrt", "x")
    assert any(line.startswith("for b,i: γ.grad[i] += 1/B*y.grad[b,i]") for line in lines)
    assert any(line.startswith("for b,i: m.grad[i] -= 1/B*y_1.grad[b,i]") for line in lines)
    assert "for b,i: x.grad[b,i] += m.grad[i]" in lines
    x, γ = np.random.default_rng(1).normal(size=(5, 2)), np.array([1.0, 2])
    _, grads = gradients(text, {"γ": γ}, wrt=("x",), x=x)
    centred = x - x.mean(0)
    assert np.allclose(grads["γ"], (3 * (γ * centred) ** 2 * centred).mean(0))
    pulled = 3 * (γ * centred) ** 2 * γ
    assert np.allclose(grads["x"], pulled - pulled.mean(0))


def test_a_logarithm_of_a_sum_over_the_batch():
    text = (
        "batch b < B\nindex j < 2\ninput x[b,j]\nparam w[j] = 1\ng[b,j] = w[j]*x[b,j]\n"
        "Z = sum[b,j](exp(g[b,j]))\nL[b] = log(Z) - g[b,0]\nminimize L"
    )
    assert on_file(grad(text), "check").code == 0
    x = np.array([[1.0, 2], [3, 4], [5, 6]])
    _, grads = gradients(text, wrt=("x",), x=x)
    expected = 3 * np.exp(x) / np.exp(x).sum() - [1, 0]
    assert np.allclose(grads["x"], expected)
    assert np.allclose(grads["w"], (expected * x).mean(0))


def test_a_factor_b_where_it_flows_back():
    text = "batch b < B\ninput x[b]\nparam w = 2\nfor b: m += w*x[b]\nL = m^2\nminimize L"
    lines = backward(text, "--wrt", "x")
    assert any("x.grad[b] += B*m.grad*w" in line for line in lines), lines
    assert "for b: w.grad += m.grad*x[b]" in lines
    _, grads = gradients(text, wrt=("x",), x=[1.0, 2])
    assert np.allclose(grads["x"], 2 * 12 * np.ones(2) * 2)
    assert grads["w"] == pytest.approx(2 * 6 * 3)


def test_tied_weights():
    text = (
        "batch b < B\nindex i < 3, j < 2\ninput x[b,i]\nparam W[j,i] ~ normal(0, 1)\n"
        "for b,j,i: h[b,j] += W[j,i]*x[b,i]\nfor b,j,i: y[b,i] += W[j,i]*h[b,j]\n"
        "for b,i: L[b] += (y[b,i] - x[b,i])^2\nminimize L"
    )
    assert sum(line.split(": ")[1].startswith("W.grad") for line in backward(text)) == 2
    x, W = np.random.default_rng(2).normal(size=(2, 4, 3))
    W = W[:2]
    r = 2 * (x @ W.T @ W - x)
    expected = ((x @ W.T).T @ r + (r @ W.T).T @ x) / 4
    assert np.allclose(gradients(text, {"W": W}, x=x)[1]["W"], expected)


LAYER = """
batch b < B
index i < 3, k < 4
input x[b,i]
input t[b] in k
param W[k,i] ~ normal(0, 1)
for b,k,i: s[b,k] += W[k,i]*x[b,i]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
"""


def test_cross_entropy_is_the_textbooks_and_raw_is_not():
    simplified, raw = backward(LAYER), backward(LAYER, "--raw")
    assert simplified[0] == "for b,k: s.grad[b,k] += loss.grad[b]*(P[b,k] - [k = t[b]])"
    assert not any("P.grad" in line for line in simplified)
    assert any("P.grad" in line for line in raw)
    x, W = np.ones((2, 3)), np.arange(12.0).reshape(4, 3) / 9
    first = values(grad(LAYER), {"W": W}, x=x, t=[0, 3])["W.grad"]
    assert np.allclose(first, values(grad(LAYER, "--raw"), {"W": W}, x=x, t=[0, 3])["W.grad"])


def test_a_local_derivative_uses_the_output():
    text = SLIDE.replace("h̃[b,j]^2", "h[b,j]").replace(
        "for b,j: loss", "h[b,j] = σ(h̃[b,j])\nfor b,j: loss"
    )
    assert any(line.endswith("*h[b,j]*(1 - h[b,j])") for line in backward(text))


def test_a_nested_part_is_hoisted():
    text = (
        "batch b < B\nindex i < 3, j < 2\ninput x[b,i]\nparam W[j,i] ~ normal(0, 1)\n"
        "param C[j] = 0\nh[b,j] = σ( Σ_i (W[j,i] x[b,i]) − C[j] )\n"
        "for b,j: L[b] += h[b,j]\nminimize L"
    )
    derived = grad(text)
    assert "h_1[b,j]" in derived
    assert "h_1.grad[b,j] += h.grad[b,j]*h[b,j]*(1 - h[b,j])" in derived
    assert "for b,j: C.grad[j] -= 1/B*h_1.grad[b,j]\n" in derived


@pytest.mark.parametrize(
    "statement", ["for b,i: L[b] *= w[i]*x[b,i]", "L[b] = prod[i](w[i]*x[b,i])"]
)
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_products_are_differentiated_without_dividing(statement: str, zeros: int):
    text = f"batch b\nindex i < 3\ninput x[b,i]\nparam w[i] = 1\n{statement}\nminimize L"
    x = np.array([[2.0, 3, 5], [1, -1, 4]])
    x[0, :zeros] = 0
    _, grads = gradients(text, {"w": np.ones(3)}, wrt=("x",), x=x)
    others = np.stack([np.delete(x, k, 1).prod(1) for k in range(3)], 1)
    assert np.allclose(grads["x"], others)
    assert np.allclose(grads["w"], (others * x).mean(0))


def test_wrt_only_where_asked_and_unreached_params_have_zeros():
    text = SLIDE.replace("param W", "param Z[i] = 1\nparam W")
    assert "x.grad" not in grad(text)
    x = np.ones((2, 3))
    _, grads = gradients(text, x=x)
    assert set(grads) == {"W", "Z"}
    assert grads["Z"].tolist() == [0, 0, 0]
    assert (
        values(grad(text), {"W": np.ones((2, 3)), "Z": np.ones(3)}, x=x)["Z.grad"].tolist()
        == [0] * 3
    )


@pytest.mark.parametrize(
    ("loss", "x", "expected"),
    [
        ("relu(x[b])", [0.0, 1, -1], [0, 1, 0]),
        ("abs(x[b])", [0.0, 1, -1], [0, 1, -1]),
        ("max(x[b], 1)", [1.0, 2, 0], [0.5, 1, 0]),
        ("min(x[b], 1)", [1.0, 2, 0], [0.5, 0, 1]),
        ("if x[b] >= 0 then 2*x[b] else 3*x[b]", [0.0, 1, -1], [2, 2, 3]),
        ("sign(x[b]) + floor(x[b])", [0.5, 2.5, -1.5], [0, 0, 0]),
    ],
)
def test_kinks(loss: str, x: list[float], expected: list[float]):
    _, grads = gradients(f"batch b\ninput x[b]\nL[b] = {loss}\nminimize L", wrt=("x",), x=x)
    assert np.allclose(grads["x"], expected)


@pytest.mark.parametrize(
    "statement", ["L[b] = max[i,j](x[b,i,j])", "for b,i,j: L[b] max= x[b,i,j]"]
)
def test_a_maximum_gives_all_to_the_first(statement: str):
    text = f"batch b\nindex i < 2, j < 2\ninput x[b,i,j]\n{statement}\nminimize L"
    _, grads = gradients(text, wrt=("x",), x=[[[1.0, 5], [5, 5]], [[2, 2], [2, 2]]])
    assert grads["x"].tolist() == [[[0, 1], [0, 0]], [[1, 0], [0, 0]]]
    swapped = (
        "for b,j,i: L[b] max= x[b,i,j]" if "max=" in statement else "L[b] = max[j,i](x[b,i,j])"
    )
    _, grads = gradients(text.replace(statement, swapped), wrt=("x",), x=[[[1.0, 5], [5, 5]]])
    assert grads["x"].tolist() == [[[0, 0], [1, 0]]]


HAND = SLIDE + "for b,i,j: W.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]\n"


def test_hand_written_gradients_are_checked():
    right = on_file(HAND, "check", "--grads")
    assert right.code == 0
    assert "W.grad, written by hand: OK" in right.out
    wrong = on_file(HAND.replace("1/B*", ""), "check", "--grads")
    assert wrong.code == 1
    assert "W.grad, written by hand: WRONG" in wrong.out
    assert "model.ein:9:" in wrong.err


@pytest.mark.parametrize(
    "loss",
    ["prod[i](w[i]*x[b,i])", "sum[i](w[i]*x[b,i]*mask[b,i])", "w[0]*x[b,0]*(1 + [training])"],
)
def test_every_derivative_can_be_checked(loss: str):
    text = "batch b\nindex i < 3\ninput x[b,i]\nparam w[i] = 1\nmask[b,i] ~ bernoulli(0.5)\n"
    text += f"L[b] = {loss}\nminimize L\nfor b: L.grad[b] = 1\n"
    code, out, err = on_file(text, "check", "--grads")
    assert (code, err) == (0, "")
    assert "L.grad, written by hand: OK" in out
    assert "w.grad, derived: OK" in out


def test_hand_written_gradients_are_never_used_to_train():
    model = eb.parse(HAND.replace("1/B*", "7*") + "train sgd(lr=1)", dtype="float64")
    W, x = np.ones((2, 3)), np.ones((2, 3))
    assert np.allclose(model.value_and_grad({"W": W}, x=x)[1]["W"], 6 * np.ones((2, 3)))
    assert np.allclose(model.step({"W": W}, x=x)[0]["W"], W - 6)


def test_hand_written_claims_take_the_derived_cotangents_upstream():
    text = SLIDE + (
        "for b,j: h̃.grad[b,j] += 3*loss.grad[b]*h̃[b,j]\n"
        "for b,i,j: W.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]\n"
    )
    outcome = on_file(text, "check", "--grads")
    assert outcome.code == 1
    assert "h̃.grad, written by hand: WRONG" in outcome.out
    assert "W.grad, written by hand: OK" in outcome.out


SCANNED = """
batch b < B
index t < 4
input x[b,t]
param w = 1
scan t:
    for b: a[b,t] = w*(h[b,t-1] else 0) + x[b,t]
    for b: h[b,t] = tanh(a[b,t])
for b,t: loss[b] += h[b,t]
minimize loss
"""
ADJOINT = """
scan t down:
    for b: h.grad[b,t] += loss.grad[b]
    for b: slope[b,t] = 1 - h[b,t]^2
    for b: a.grad[b,t] += h.grad[b,t]*slope[b,t]
    for b: (h.grad[b,t-1] else 0) += a.grad[b,t]*w
    for b: w.grad += 1/B*a.grad[b,t]*(h[b,t-1] else 0)
"""


def test_the_adjoint_of_a_recurrence_written_by_hand_is_checked():
    right = on_file(SCANNED + ADJOINT, "check", "--grads")
    assert (right.code, right.err) == (0, "")
    assert all(f"{name}.grad, written by hand: OK" in right.out for name in ("h", "a", "w"))
    wrong = on_file(
        SCANNED + ADJOINT.replace("a.grad[b,t]*w", "2*a.grad[b,t]*w"), "check", "--grads"
    )
    assert wrong.code == 1
    assert "h.grad, written by hand: WRONG" in wrong.out
    assert "a.grad, written by hand: OK" in wrong.out
    assert "model.ein:16:" in wrong.err


def test_one_that_sums_over_all_rounds_is_checked_against_a_scan():
    claim = "for b,t: w.grad += 1/B*a.grad[b,t]*(h[b,t-1] else 0)\n"
    right = on_file(SCANNED + claim, "check", "--grads")
    assert (right.code, right.err) == (0, "")
    wrong = on_file(SCANNED + claim.replace("1/B*", ""), "check", "--grads")
    assert wrong.code == 1
    assert "divide by the batch extent" in wrong.err


def test_gradients_by_hand_in_a_scan_are_never_used_to_train():
    x = np.random.default_rng(0).normal(size=(2, 4))
    plain = eb.parse(SCANNED + "train sgd(lr=1)", dtype="float64")
    claimed = eb.parse(SCANNED + ADJOINT.replace("1/B*", "7*") + "train sgd(lr=1)", dtype="float64")
    start = plain.init()
    assert claimed.step(start, x=x)[0] == plain.step(start, x=x)[0]


def test_a_draw_beside_a_gradient_by_hand_stays():
    drawn = "index i < 3\nparam w[i] = 1\nL = sum[i](w[i]^2)\nminimize L\nfor i:\n"
    update = "    e[i] ~ normal(0, 1)\n    w[i] -= w.grad[i]*e[i]\n"
    plain, claimed = eb.parse(drawn + update), eb.parse(drawn + "    w.grad[i] = w[i]\n" + update)
    start = plain.init()
    assert np.array_equal(claimed.step(start)[0]["w"], plain.step(start)[0]["w"])


def test_what_has_no_derivative_is_an_error_at_its_span():
    assert refusal("minimize L\n").startswith("error[")
