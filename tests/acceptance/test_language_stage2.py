"""The language, section 8: affine subscripts, scans, draws, definitions, slices, second order."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import backward, grad, gradients, refusal, values

CONV = (
    "batch b < B\nindex k < 3, c < 2\ninput x[b,s,c]\nparam K[k,c] ~ normal(0, 1)\n"
    "for b,t,k,c: y[b,t] += K[k,c]*x[b,2*t+k,c]\nfor b,t: L[b] += y[b,t]^2\nminimize L\n"
)
X = np.random.default_rng(0).normal(size=(2, 8, 2))
K = np.array([[1.0, 2], [3, 4], [5, 6]])


def test_an_affine_subscript_runs_over_the_largest_range_inside():
    found = values(CONV, {"K": K}, x=X)
    expected = [np.einsum("kc,bkc->b", K, X[:, 2 * t : 2 * t + 3]) for t in range(3)]
    assert np.allclose(found["y"], np.stack(expected, 1))


def test_the_derivative_of_a_shifted_read_is_a_shifted_accumulation():
    lines = backward(CONV, "--wrt", "x")
    assert "for b,t,k,c: x.grad[b,2*t+k,c] += y.grad[b,t]*K[k,c]" in lines
    _, grads = gradients(CONV, {"K": K}, ("x",), x=X)
    y = values(CONV, {"K": K}, x=X)["y"]
    expected = sum(np.einsum("b,bkc->kc", 2 * y[:, t], X[:, 2 * t : 2 * t + 3]) for t in range(3))
    assert np.allclose(grads["K"], expected / 2)


def test_zero_itself_outside_is_an_error():
    assert "error[" in refusal("input x[i] = [1, 2]\nindex k < 3\nfor t,k: y[t] += x[t+k]")


def test_t_plus_0_reads_a_part_of_a_longer_axis():
    found = values("index t < 2\ninput x[s] = [1, 2, 3]\nfor t: y[t] = x[t+0]")
    assert found["y"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("(x[t-1] else 0)", [0, 1, 2]),
        ("(x[t+1] else 9)", [2, 3, 9]),
        ("(x[t+1] else x[0])", [2, 3, 1]),
        ("(x[t+1] else [t = 2])", [2, 3, 1]),
        ("x[mod(t+1)]", [2, 3, 1]),
        ("x[clamp(t+1)]", [2, 3, 3]),
        ("x[mod(t-1)]", [3, 1, 2]),
    ],
)
def test_outside_reads_wraps_and_clamps(read: str, expected: list[float]):
    found = values(f"index t < 3\ninput x[t] = [1, 2, 3]\nfor t: y[t] = {read}")
    assert found["y"].tolist() == expected


def test_gradient_flows_into_the_default():
    text = (
        "batch b\nindex t < 3\ninput x[b,t]\nparam d = 2\n"
        "for b,t: L[b] += (x[b,t-1] else d)^2\nminimize L"
    )
    assert gradients(text, {"d": 2.0}, x=[[1.0, 2, 3]])[1]["d"] == 4


def test_affine_on_the_left():
    head = "index i < 3\ninput x[i] = [1, 2, 3]\n"
    assert values(f"{head}y[2*i+1] = x[i]")["y"].tolist() == [0, 1, 0, 2, 0, 3]
    assert values(f"{head}index k < 7\ny[k] = 0\ny[i+2] += x[i]")["y"].tolist() == [
        0,
        0,
        1,
        2,
        3,
        0,
        0,
    ]
    assert "error[" in refusal(f"{head}index j < 2\nfor i,j: y[i+j] = x[i]*j")


RNN = """
batch b < B
index i < 2, j < 3
input x[b,t,i]
param W[j,i] ~ glorot()
param U[j,k] ~ glorot()
scan t:
    for b,j,i: a[b,t,j] += W[j,i]*x[b,t,i]
    for b,j,k: a[b,t,j] += U[j,k]*(h[b,t-1,k] else 0)
    for b,j: h[b,t,j] = tanh(a[b,t,j])
for b,t,j: loss[b] += h[b,t,j]^2
minimize loss
"""


def test_a_scan_runs_in_order_and_its_backward_is_one_the_other_way():
    draws = np.random.default_rng(3)
    x, W, U = draws.normal(size=(2, 4, 2)), draws.normal(size=(3, 2)), draws.normal(size=(3, 3))

    def run(W: np.ndarray, U: np.ndarray) -> float:
        h, loss = np.zeros((2, 3)), np.zeros(2)
        for t in range(4):
            h = np.tanh(x[:, t] @ W.T + h @ U.T)
            loss = loss + (h**2).sum(1)
        return loss.mean()

    found, grads = gradients(RNN, {"W": W, "U": U}, x=x)
    assert found == pytest.approx(run(W, U))
    step = np.zeros((3, 3))
    step[1, 2] = 1e-6
    slope = (run(W, U + step) - run(W, U - step)) / 2e-6
    assert grads["U"][1, 2] == pytest.approx(slope, rel=1e-7)
    assert "scan t down:\n" in grad(RNN)


def test_reading_a_later_round_is_an_error():
    assert "error[" in refusal(RNN.replace("t-1", "t+1"))


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_a_scan_need_not_mention_its_index(backend: str):
    text = "batch b < B\nindex t < 3, s < 2\ninput x[b]\nparam w = 2\nscan t:\n"
    text += "    scan s:\n        for b: total[b] += w*x[b]\n    rounds += 1\n"
    text += "loss[b] = total[b]*rounds\nminimize loss\ntrain sgd(lr=1)\n"
    model = eb.parse(text, backend=backend)
    x = np.array([1.0, 2.0])
    assert model.forward({"w": 2}, outputs=("rounds",))["rounds"] == 3
    assert np.allclose(model.forward({"w": 2}, x=x, outputs=("total",))["total"], 12 * x)
    loss, slopes = model.value_and_grad({"w": 2}, x=x)
    assert (loss, slopes["w"]) == (54, 27)
    assert model.step({"w": 2}, x=x)[0]["w"] == -25


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_what_a_scan_computes_beside_what_is_asked_for_needs_no_data(backend: str):
    text = "batch b < B\nindex k < 2\ninput x[b,t]\ninput label[b,t] in k\nparam w[k] = 1\n"
    text += "scan t:\n    for b,k: s[b,t,k] = w[k]*x[b,t] + (s[b,t-1,k] else 0)\n"
    text += "    for b,k: m[b,t,k] = 2*s[b,t,k]\n"
    text += "    for b: loss[b] += logsumexp[k](s[b,t,k]) - s[b,t,label[b,t]]\nminimize loss\n"
    model = eb.parse(text, backend=backend)
    x = np.array([[1.0, 2, 3]])
    found = model.forward(model.init(), x=x, outputs=("s",))["s"]
    assert np.array_equal(found[0, :, 0], [1, 3, 6])
    assert np.array_equal(model.predict(model.init(), x=x)["m"], 2 * found)


@pytest.mark.parametrize(
    "statement",
    [
        "for b,k: q[b,t,c[b,t]] += g[b,t,k]*(q[b,t-1,k] else 1)",
        "for b: q[b,t,c[b,t]] += g[b,t,0]*(q[b,t-1,1] else 1)",
        "for b,k: q[b,t,c[b,t]] *= g[b,t,k]*(q[b,t-1,k] else 1)",
        "for b,k: q[b,t,c[b,t]] max= g[b,t,k]*(q[b,t-1,k] else 1)",
        "for b,k: q[b,t,mod(k+1)] += g[b,t,k]*(q[b,t-1,k] else 1)",
        "for b,k: (q[b,t+1,c[b,t]] else 0) += g[b,t,k]*(q[b,t-1,k] else 1)",
    ],
)
def test_a_scatter_in_a_round_is_that_rounds_alone(statement: str):
    text = "batch b < B\nindex k < 2, t < 4\ninput c[b,t] in k\ninput g[b,t,k]\n"
    text += f"for b,t,k: q[b,t,k] += 0*g[b,t,k]\nscan t:\n    {statement}\n"
    if "max=" in text or "*=" in text:
        text = text.replace("for b,t,k: q[b,t,k] += 0*g[b,t,k]\n", "")
    data = {"c": [[0, 1, 1, 0], [1, 1, 0, 1]], "g": np.random.default_rng(0).normal(size=(2, 4, 2))}
    wanted = eb.parse(text, dtype="float64", backend="loops").forward(data=data)["q"]
    assert np.allclose(eb.parse(text, dtype="float64").forward(data=data)["q"], wanted)


def test_the_gradient_of_a_gather_from_an_earlier_round():
    text = "batch b < B\nindex k < 2\ninput x[b,t]\ninput c[b,t] in k\nparam w[t] ~ normal(0, 1)\n"
    text += "param E[k] = [0.3, 0.9]\nscan t:\n"
    text += "    for b,k: h[b,t,k] = tanh((h[b,t-1,c[b,t]] else E[k])*w[t] + E[c[b,t]]*x[b,t])\n"
    text += "for b,t,k: loss[b] += h[b,t,k]^2\nminimize loss\n"
    data = {"x": np.random.default_rng(0).normal(size=(2, 4)), "c": [[0, 1, 1, 0], [1, 1, 0, 1]]}
    model, literal = (eb.parse(text, dtype="float64", backend=b) for b in ("numpy", "loops"))
    params = model.init(data=data)
    found, wanted = (m.value_and_grad(params, data)[1] for m in (model, literal))
    assert all(np.allclose(found[name], wanted[name]) for name in ("w", "E"))


def test_a_scan_down():
    text = "index t < 4\nscan t down:\n    s[t] = (s[t+1] else 0) + t\n"
    assert values(text)["s"].tolist() == [6, 6, 5, 3]


def test_random_draws_are_new_at_every_step_and_alike_on_every_backend():
    text = (
        "batch b\nindex j < 50\ninput x[b]\nparam w[j] = 0\nmask[b,j] ~ bernoulli(0.9)\n"
        "eps[b,j] ~ normal(0, 1)\nfor b,j: L[b] += w[j]*x[b]*mask[b,j]*eps[b,j]\nminimize L\n"
        "train sgd(lr=1)"
    )
    seen = []
    for backend in ("numpy", "loops"):
        model = eb.parse(text, dtype="float64", backend=backend)
        first, state = model.step({"w": np.zeros(50)}, x=[1.0])
        second, _ = model.step({"w": np.zeros(50)}, state, x=[1.0])
        assert not np.allclose(first["w"], second["w"])
        seen.append(np.stack([first["w"], second["w"]]))
    assert np.allclose(*seen)


def test_training_is_1_in_training_and_0_otherwise():
    text = "batch b\ninput x[b]\nparam w = 1\nL[b] = w*x[b]*(1 + [training])\n"
    text += "minimize L\ntrain sgd(lr=1)"
    model = eb.parse(text, dtype="float64")
    assert model.value_and_grad({"w": 1.0}, x=[1.0])[0] == 1
    assert model.step({"w": 1.0}, x=[1.0])[0]["w"] == pytest.approx(-1)


def test_stop_stops_the_gradient():
    text = "batch b\ninput x[b]\nparam w = 3\nL[b] = w*stop(w*x[b])\nminimize L"
    assert gradients(text, {"w": 3.0}, x=[2.0])[1]["w"] == 6


def test_definitions_and_layers():
    text = (
        "batch b\nindex i < 2, j < 3\ninput x[b,i]\nparam U[j,i] = 1\nparam C[j] = 2\n"
        "def swish(x) = x*sigmoid(x)\ndef affine[k,l](W, T, x) = sum[l](W[k,l]*x) - T[k]\n"
        "h[b,j] = swish(affine[j,i](U, C, x[b,i]))\nfor b,j: L[b] += h[b,j]\nminimize L"
    )
    x, start = np.array([[1.0, 2], [3, 4]]), {"U": np.ones((3, 2)), "C": np.full(3, 2.0)}
    z = x.sum(1) - 2
    s = 1 / (1 + np.exp(-z))
    found, grads = gradients(text, start, x=x)
    assert found == pytest.approx(3 * (z * s).mean())
    assert np.allclose(grads["C"], -(s + z * s * (1 - s)).mean())


def test_capital_slices_are_summed_in_the_smallest_product():
    text = "batch b\nindex i < 2, j < 3\ninput x[b,i]\nparam W[j,i] = 1\nparam C[j] = 1\n"
    found = values(
        f"{text}y[b,j] = W[j,I] x[b,I] - C[j]", {"W": np.ones((3, 2)), "C": np.ones(3)}, x=[[1, 2]]
    )
    assert found["y"].tolist() == [[2, 2, 2]]


def test_hessian_vector_products():
    text = "batch b\nindex i < 2\ninput x[b,i]\nparam w[i] = 1\n"
    text += "L[b] = sum[i](w[i]*x[b,i])^2\nminimize L"
    x, v = np.array([[1.0, 2], [3, 5]]), np.array([1.0, -1])
    model = eb.parse(text, dtype="float64")
    found = model.hessian_vector_product({"w": np.ones(2)}, {"w": v}, x=x)
    assert np.allclose(found["w"], 2 * x.T @ x @ v / 2)
