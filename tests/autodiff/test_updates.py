"""Cotangents that update statements read: each is made, and made only then."""

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from einbatch.ir import verify
from tests.autodiff.derived import derivative, program, run, statements

MODEL = """
    batch b < B
    index i < 3, j < 2, k < 4
    input x[b,i]
    input label[b] in k
    param U[j,i] ~ normal(0, 1)
    param V[k,j] ~ normal(0, 1)

    h[b,j] = sigmoid(sum[i](U[j,i]*x[b,i]))
    s[b,k] = sum[j](V[k,j]*h[b,j])
    P[b,k] = softmax[k](s[b,k])
    loss[b] = -log(P[b,label[b]])

    minimize loss
"""


def arrays() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(4)
    return {
        "x": draws.normal(size=(5, 3)),
        "label": draws.integers(0, 4, size=5),
        "U": draws.normal(size=(2, 3)),
        "V": draws.normal(size=(4, 2)),
    }


def test_without_updates_fused_cotangents_are_not_made():
    lines = "\n".join(statements(differentiate(program(MODEL), keep=True)))
    assert "P.grad" not in lines
    assert "(P[b,k] - [k = label[b]])" in lines


def test_updates_read_parameters_cotangents():
    text = MODEL + "    for j,i: U[j,i] -= 0.1*U.grad[j,i]\n"
    whole = differentiate(program(text), keep=True)
    assert verify(whole) == []
    given = arrays()
    values = run(whole, given, updates=True)
    slope = derivative(program(MODEL), given, "U")
    np.testing.assert_allclose(values["U"], given["U"] - 0.1 * slope, rtol=1e-12)
    np.testing.assert_array_equal(values["V"], given["V"])


def test_updates_read_cotangents_of_intermediates():
    text = MODEL + "    size = sum[b,j](h.grad[b,j]^2)\n    for j,i: U[j,i] -= size*U.grad[j,i]\n"
    values = run(differentiate(program(text), keep=True), arrays(), updates=True)
    s_grad = values["P"] - np.eye(4)[arrays()["label"]]
    expected = s_grad @ arrays()["V"]
    np.testing.assert_allclose(values["h.grad"], expected, rtol=1e-12)
    np.testing.assert_allclose(values["size"], np.sum(expected**2), rtol=1e-12)


def test_a_fused_cotangent_is_made_where_an_update_reads_it():
    text = MODEL + "    for b,k: seen[k] += P.grad[b,k]\n    V[k,j] -= 0*seen[k]*V[k,j]\n"
    whole = differentiate(program(text), keep=True)
    values = run(whole, arrays(), updates=True)
    label = arrays()["label"]
    expected = np.zeros((5, 4))
    expected[np.arange(5), label] = -1 / values["P"][np.arange(5), label]
    np.testing.assert_allclose(values["P.grad"], expected, rtol=1e-12)
    np.testing.assert_allclose(values["seen"], expected.sum(0), rtol=1e-12)
    for name in ("U", "V"):
        np.testing.assert_allclose(
            values[f"{name}.grad"], derivative(program(MODEL), arrays(), name), atol=1e-12
        )


def test_an_input_s_cotangent_is_made_where_an_update_reads_it():
    text = MODEL + "    for b,i: U[0,i] += 1/B*x.grad[b,i]\n"
    values = run(differentiate(program(text), keep=True), arrays(), updates=True)
    expected = derivative(program(MODEL), arrays(), "x")
    np.testing.assert_allclose(values["x.grad"], expected, atol=1e-12)
    np.testing.assert_allclose(values["U"][0], arrays()["U"][0] + expected.mean(0), atol=1e-12)


def test_states_reports_and_the_objective_stay():
    text = """
    batch b
    input x[b]
    param w = 1
    state m = 0
    loss[b] = w*x[b]
    minimize loss
    report size = mean[b](abs(x[b]))
    m = 0.9*m + w.grad
    w -= m
    """
    whole = differentiate(program(text), keep=True)
    given = {"x": np.array([2.0, 4.0]), "w": np.array(1.0), "m": np.array(10.0)}
    values = run(whole, given, updates=True)
    assert values["w.grad"] == 3
    assert (values["m"], values["w"], values["size"]) == (12, -11, 3)
    assert whole.objective is not None
    assert [report.target for report in whole.reports] == ["size"]


HANDS = {
    "E": (
        "E[b,k] = exp(z[b,k])",
        "for b,k: Z[b] += E[b,k]\nP[b,k] = E[b,k]/Z[b]",
        "-log(P[b,y[b]])",
    ),
    "E alone": ("E[b,k] = exp(z[b,k])", "Z[b] = sum[k](E[b,k])", "log(Z[b]) - z[b,y[b]]"),
    "E below": ("E[b,k] = exp(z[b,k])", "P[b,k] = exp(z[b,k])/sum[k](E[b,k])", "-log(P[b,y[b]])"),
    "P": ("E[b,k] = softmax[k](z[b,k])", "P[b,k] = E[b,k]", "-log(P[b,y[b]])"),
    "p": ("E[b,k] = sigmoid(z[b,k])", "q[b,k] = 1 - E[b,k]", "-log(q[b,y[b]])"),
    "e": ("E[b,k] = exp(-z[b,k])", "p[b,k] = 1/(1 + E[b,k])", "-log(p[b,y[b]])"),
    "f": ("E[b,k] = exp(z[b,k])", "f[b,k] = 1 + E[b,k]", "log(f[b,y[b]])"),
}


@pytest.mark.parametrize("case", HANDS)
def test_a_cotangent_is_whole_wherever_it_is_fused_away_otherwise(case: str):
    """`E.grad` by an update that reads it is the derivative to an input added to E."""
    first, second, loss = HANDS[case]
    head = "batch b\nindex k < 3\ninput z[b,k]\ninput y[b] in k\ninput nudge[b,k]\n"
    rest = f"{second}\nloss[b] = {loss}\nminimize loss\n"
    given = {
        "z": np.array([[0.3, -1, 2], [1, 0.5, -0.2]]),
        "y": np.array([2, 0]),
        "nudge": np.zeros((2, 3)),
    }
    expected = derivative(program(f"{head}{first} + nudge[b,k]\n{rest}"), given, "nudge")
    whole = differentiate(
        program(f"{head}{first}\n{rest}for b,k: seen += E.grad[b,k]\n"), keep=True
    )
    np.testing.assert_allclose(run(whole, given, updates=True)["E.grad"], expected, atol=1e-14)
