"""The language, section 6: expressions, conditions, functions, reductions, subscripts."""

import math

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import gradients, refusal, values

HEAD = (
    "index i < 3, j < 2\ninput x[i] = [1, -2, 3]\ninput M[j,i] = [[1, 2, 3], [4, 5, 6]]\n"
    "input t[i] in j = [0, 1, 1]\ninput u[j] in i = [2, 0]\n"
)
SIGMOID = 1 / (1 + math.exp(-1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(1) + log(2) + sqrt(3)", math.e + math.log(2) + math.sqrt(3)),
        ("abs(-3) + sign(-3) + sign(0)", 2),
        (
            "sin(1) + cos(1) + tan(1) + tanh(1)",
            sum(f(1) for f in (math.sin, math.cos, math.tan, math.tanh)),
        ),
        ("sigmoid(1)", SIGMOID),
        ("relu(-2) + relu(2)", 2),
        ("softplus(1)", math.log1p(math.e)),
        ("gelu(1)", (1 + math.erf(1 / math.sqrt(2))) / 2),
        ("erf(0.5) + floor(-0.5)", math.erf(0.5) - 1),
        ("max(1, 2) + min(1, 2) + mod(-7, 3)", 5),
        ("clamp(9, 0, 5) + clamp(-1, 0, 5) + clamp(2, 0, 5)", 7),
        ("2^-1 + 7/2 - 1e-3", 4 - 1e-3),
        ("if 1 < 2 then 3 else 4", 3),
        ("[1 < 2 and 2 < 1] + [1 < 2 or 2 < 1] + [not 1 < 2] + [1 = 1] + [1 != 1]", 2),
        (
            "sum[i](x[i]) + prod[i](x[i]) + mean[i](x[i]) + max[i](x[i]) + min[i](x[i])",
            2 - 6 + 2 / 3 + 1,
        ),
        ("logsumexp[i](x[i])", math.log(math.e + math.exp(-2) + math.exp(3))),
        ("argmax[i](x[i]) + 10*argmin[i](x[i])", 12),
        ("sum[i,j](M[j,i])", 21),
        ("M[1,t[0]] + M[t[2],0]", 8),
        ("x[argmin[i](x[i])]", -2),
        ("x[floor(1.5)] + x[[1 < 2]] + x[mod(5, 3)] + x[2*1 - 1] + x[|i| - 1]", -2 - 2 + 3 - 2 + 3),
        ("M[t[u[0]],u[t[0]]]", 6),
    ],
)
def test_values(text: str, expected: float):
    assert values(f"{HEAD}y = {text}")["y"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y[j] = M[j,u[j]]", [3, 4]),
        ("y[i] = M[t[i],i]", [1, 5, 6]),
        ("y[j] = argmax[i](M[j,i])", [2, 2]),
        ("y[i] = t[i] + i", [0, 2, 3]),
        ("for i: y[t[i]] += 1", [1, 2]),
        ("y[j,i] = [i = u[j]]", [[0, 0, 1], [1, 0, 0]]),
        ("y[j,i] = softmax[j](M[j,i])", np.exp([[-3] * 3, [0] * 3]) / (1 + np.exp(-3))),
        (
            "y[j,i] = softmax[j,i](M[j,i])",
            np.exp(np.arange(1, 7).reshape(2, 3)) / np.exp(np.arange(1, 7)).sum(),
        ),
    ],
)
def test_arrays(text: str, expected):
    assert np.allclose(values(HEAD + text)["y"], expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("y = (x[0] > 1)", "E0414"),
        ("y = 1 + (x[0] > 1)", "E0414"),
        ("y = [x[0]]", "E0415"),
        ("y = if x[0] then 1 else 2", "E0415"),
        ("y = argmax[i,j](M[j,i])", "E0208"),
        ("y = x[x[0]]", "E0416"),
        ("y = M[0,1/2]", "E0416"),
    ],
)
def test_a_condition_is_no_number_and_a_number_no_subscript(text: str, code: str):
    assert f"error[{code}]" in refusal(HEAD + text)


@pytest.mark.parametrize("index", ["3", "-1", "|i|", "t[0] + 3"])
@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_integers_out_of_range_are_errors_that_name_the_element(index: str, backend: str):
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse(f"{HEAD}y = x[{index}]", backend=backend).forward()
    said = str(caught.value)
    assert "`x" in said
    assert "3" in said or "-1" in said


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_the_element_of_a_gather_that_is_out_of_range_is_named(backend: str):
    text = f"{HEAD}batch b\ninput n[b] in k\nindex k < 5\ny[b] = x[n[b]]"
    model = eb.parse(text, dtype="float64", backend=backend)
    assert model.forward(n=[2, 0])["y"].tolist() == [3, 1]
    with pytest.raises(eb.EinbatchError) as caught:
        model.forward(n=[2, 4])
    said = str(caught.value)
    assert "4" in said
    assert "at b=1" in said


def test_a_product_of_integers_is_a_number_and_does_not_overflow():
    found = values("index i < 30\ny = prod[i](i + 1)\nfor i: z *= i + 1")
    assert found["y"] == pytest.approx(math.factorial(30))
    assert found["z"] == pytest.approx(math.factorial(30))


def test_the_branch_not_taken_adds_nothing_inf_and_nan_included():
    text = (
        "batch b\ninput x[b]\nparam w = 1\nL[b] = if x[b] > 0 then log(w*x[b]) else w\nminimize L"
    )
    loss, grads = gradients(text, wrt=("x",), x=[math.e, -1.0, 0.0])
    assert loss == pytest.approx(1)
    assert grads["w"] == pytest.approx(1)
    assert np.allclose(grads["x"], [1 / math.e, 0, 0])
    text = text.replace("log(w*x[b])", "1/x[b]").replace("x[b] > 0", "x[b] != 0")
    loss, grads = gradients(text, wrt=("x",), x=[0.0, 2.0])
    assert loss == pytest.approx((1 + 0.5) / 2)
    assert np.allclose(grads["x"], [0, -0.25])


def test_scatters_count_duplicates():
    text = (
        "batch b\nindex v < 4, i < 2\ninput w[b,t] in v\nparam E[v,i] = 1\n"
        "y[b,t,i] = E[w[b,t],i]\nfor b,t,i: L[b] += y[b,t,i]*(i + 1)\nminimize L"
    )
    _, grads = gradients(text, w=[[0, 0, 3], [1, 0, 3]])
    counts = np.array([3, 1, 0, 2]) / 2
    assert np.allclose(grads["E"], np.outer(counts, [1, 2]))


def test_constant_subscripts():
    text = "batch b\nindex i < 3\ninput z[b,i]\nparam w[i] = 1\nL[b] = z[b,0]*w[2]\nminimize L"
    _, grads = gradients(text, z=[[1.0, 2, 3], [5, 6, 7]])
    assert np.allclose(grads["w"], [0, 0, 3])


STABLE = """
batch b
index k < 3
input z[b,k]
input t[b] in k
param w[k] = 1
for b,k: s[b,k] = w[k]*z[b,k]
P[b,k] = softmax[k](s[b,k])
L[b] = -log(P[b,t[b]])
minimize L
"""


@pytest.mark.parametrize(
    "loss",
    [
        "P[b,k] = softmax[k](s[b,k])\nL[b] = -log(P[b,t[b]])",
        "P[b,k] = log_softmax[k](s[b,k])\nL[b] = -P[b,t[b]]",
        "P[b,k] = s[b,k] - logsumexp[k](s[b,k])\nL[b] = -P[b,t[b]]",
        "P[b,k] = exp(s[b,k])/Σ_k exp(s[b,k])\nL[b] = -log(P[b,t[b]])",
        "P[b,k] = [k = t[b]]\nL[b] = log(Σ_k exp(s[b,k])) - s[b,t[b]]",
    ],
)
def test_logits_of_a_thousand_are_finite_and_right(loss: str):
    text = STABLE.replace("P[b,k] = softmax[k](s[b,k])\nL[b] = -log(P[b,t[b]])", loss)
    z = np.array([[1000.0, -1000, 0], [-1000, 1000, 999]])
    model = eb.parse(text, dtype="float64")
    found, grads = model.value_and_grad(model.init(), z=z, t=[1, 2], wrt=("z",))
    last = math.log1p(math.exp(-1))
    assert found == pytest.approx((2000 + 1 + last) / 2)
    p = 1 / (1 + math.e)
    expected = np.array([[1, -1, 0], [0, 1 - p, p - 1]])
    assert np.allclose(grads["z"], expected)
    assert np.allclose(grads["w"], (expected * z).mean(0))


@pytest.mark.parametrize(
    "loss",
    ["log(1 + exp(z[b]))", "softplus(z[b])", "-log(sigmoid(-z[b]))", "-log(1 - sigmoid(z[b]))"],
)
def test_logistic_losses_are_stable_too(loss: str):
    model = eb.parse(f"batch b\ninput z[b]\nL[b] = {loss}\nminimize L", dtype="float64")
    found, grads = model.value_and_grad(z=[1000.0, -1000], wrt=("z",))
    assert found == pytest.approx(500)
    assert np.allclose(grads["z"], [1, 0])
