"""The language, section 5: statements, loop lists, accumulation."""

import numpy as np
import pytest

from tests.acceptance.language import backward, grad, gradients, places, refusal, values, warnings

M = np.arange(1.0, 7).reshape(2, 3)
HEAD = (
    "index i < 3, j < 2\ninput x[i] = [1, 2, 3]\ninput M[j,i] = [[1, 2, 3], [4, 5, 6]]\n"
    "input t[i] in j = [0, 1, 1]\n"
)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("for j,i: y[j] += M[j,i]", M.sum(1)),
        ("for i,j: y[j] -= M[j,i]", -M.sum(1)),
        ("for j,i: y[j] *= M[j,i]", M.prod(1)),
        ("for j,i: y[j] max= M[j,i]", M.max(1)),
        ("for j,i: y[j] min= M[j,i]", M.min(1)),
        ("for j: y[j] = M[j,0]", M[:, 0]),
        ("y[j] += M[j,i]", M.sum(1)),
        ("for j: y[j] = sum[i](M[j,i]) + |i|", M.sum(1) + 3),
        ("for j,i: y[j] += M[j,i] x[i]", M @ [1, 2, 3]),
        ("for i: y[t[i]] += x[i]", [1, 5]),
        ("y[i,j] = x[i]", [[1, 1], [2, 2], [3, 3]]),
        ("y[i] = exp(x[i])/Σ_i exp(x[i])", np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()),
        ("y[i] = softmax[i](x[i])", np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()),
        ("y[j] = 0\nfor i: y[0] += x[i]", [6, 0]),
        ("s = 1\nfor i: s += x[i]\ny[j] = s", [7, 7]),
        ("for i: y[i,i] += x[i]", np.diag([1, 2, 3])),
        ("y[j] += M[j,i]\ny[j] *= 1/|i|", M.mean(1)),
        ("y[j] = 2\ny[j] += M[j,i]\ny[j] max= 7", [8, 17]),
        ("y[j] += M[j,i]\ny[j] += M[j,i]\ny[j] min= 13", [12, 13]),
    ],
)
def test_statements_are_their_loop_nests(statement: str, expected):
    assert np.allclose(values(HEAD + statement)["y"], expected)


@pytest.mark.parametrize(
    ("statement", "index", "what"),
    [
        ("for i: y[j] += M[j,i]", "j", "is not in the loop list"),
        ("for i,j,i: y[j] += M[j,i]", "i", "stands twice"),
        ("for i,j: y[i] = x[i]", "j", "does not use it"),
        ("for i,j: y[j] = sum[i](M[j,i])", "i", "does not use it"),
        ("for i,j: y[j] = |i|", "i", "does not use it"),
        ("for i:\n    for j,i: y[j] += M[j,i]", "i", "twice"),
    ],
)
def test_the_list_of_for_is_exactly_the_free_indices(statement: str, index: str, what: str):
    said = refusal(HEAD + statement)
    assert f"index `{index}`" in said.splitlines()[0]
    assert what in said.splitlines()[0]


def test_without_for_the_list_is_in_order_of_first_occurrence():
    text = HEAD + "param W[j] = 0\ny[j] += M[j,i]*x[i]*W[j]\nL = sum[j](y[j])\nminimize L"
    assert "for j,i: y[j] += M[j,i]*x[i]*W[j]" in grad(text) or "y[j] += M[j,i]*x[i]*W[j]" in grad(
        text
    )


def test_an_index_only_on_the_right_of_equals_is_an_error():
    said = refusal(f"{HEAD}y[j] = M[j,i]")
    assert said.startswith(
        "error[E0404]: index `i` is only on the right of `=`; sum over it with `+=` or `sum[i](…)`"
    )


def test_a_term_that_a_bound_index_does_not_touch_is_right_and_a_warning():
    text = (
        "batch b\nindex i < 4\ninput x[b,i]\nparam W[i] = 1\nparam C = 2\ns[b] += W[i]*x[b,i] - C"
    )
    (warning,) = warnings(text)
    assert warning.startswith("warning[W0401]")
    assert "|i| times" in warning
    assert values(text, {"W": np.ones(4), "C": 2}, x=[[1, 2, 3, 4]])["s"] == [10 - 8]


@pytest.mark.parametrize(
    "text",
    [
        "s += x[i]\nq = s\ns += x[i]",
        "T[j] = 1\nT[j] = 2",
        "T[j] += M[j,i]\nT[j] = 2",
    ],
)
def test_a_written_tensor_is_not_set_again_nor_accumulated_into_after_a_read(text: str):
    assert places(refusal(HEAD + text)) == 2


@pytest.mark.parametrize("left", ["T[i,i]", "T[t[i]]"])
def test_equals_through_a_repeated_or_gathered_left_index_is_an_error(left: str):
    said = refusal(f"{HEAD}{left} = x[i]")
    assert "error[E0407]" in said
    assert "`+=`" in said


VERSIONS = """
batch b < B
index i < 3, t < 2
input x[b,i,t]
param W[i] = [1, 2, 3]
for b,i,t: h[b,i] += W[i]*x[b,i,t]
for b,i: h[b,i] *= 1/|t|
for b,i: loss[b] += h[b,i]^2
minimize loss
"""


def test_the_earlier_value_is_a_version_of_its_own():
    text = grad(VERSIONS)
    assert "for b,i,t: h_1[b,i] += W[i]*x[b,i,t]\n" in text
    assert "for b,i: h.grad[b,i] += 2*loss.grad[b]*h[b,i]" in text
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    loss, grads = gradients(VERSIONS, x=x)
    m = x.mean(2)
    W = np.array([1.0, 2, 3])
    assert loss == pytest.approx(((W * m) ** 2).sum(1).mean())
    assert np.allclose(grads["W"], (2 * W * m**2).mean(0))


def test_softmax_keeps_its_index_and_all_others_bind_theirs():
    assert "only on the right" in refusal(f"{HEAD}y = softmax[i](x[i])")
    assert "does not use it" in refusal(f"{HEAD}for i: y = logsumexp[i](x[i])")
    assert values(f"{HEAD}for i: y[i] = log_softmax[i](x[i])")["y"].shape == (3,)


OBJECTIVE = "batch b < B\ninput x[b]\nparam w = 3\n"


@pytest.mark.parametrize(
    ("statement", "loss", "slope"),
    [
        ("L[b] = w*x[b]\nminimize L", 6, 2),
        ("L[b] = w*x[b]\nmaximize L", 6, 2),
        ("L = mean[b](w*x[b])\nminimize L", 6, 2),
        ("for b: L += w*x[b]\nminimize L", 18, 6),
        ("minimize mean[b](w*x[b])", 6, 2),
    ],
)
def test_the_objective_is_a_scalar_or_a_mean_over_the_batch(statement, loss, slope):
    if statement.startswith("minimize mean"):
        statement = "L = mean[b](w*x[b])\nminimize L"
    found, grads = gradients(OBJECTIVE + statement, x=[1.0, 2, 3])
    assert found == loss
    assert grads["w"] == slope


def test_the_optimizer_ascends_where_it_maximizes():
    import einbatch as eb

    text = f"{OBJECTIVE}L[b] = w*x[b]\nmaximize L\ntrain sgd(lr=0.5)"
    for backend in ("numpy", "loops"):
        model = eb.parse(text, dtype="float64", backend=backend)
        assert model.step(model.init(), x=[1.0, 2, 3])[0]["w"] == pytest.approx(4)


@pytest.mark.parametrize(
    "loss",
    ["w*x[b]/B", "1/B*w*x[b]", "w*x[b]/|b|", "w x[b]/(2 B)", "Σ_b w x[b]/B", "mean[b](w*x[b])"],
)
def test_a_loss_that_averages_and_carries_b_gets_a_warning(loss: str):
    (warning,) = warnings(f"{OBJECTIVE}L[b] = {loss}\nminimize L")
    assert "warning[W0402]" in warning


def test_an_objective_of_another_index_is_an_error():
    assert "error" in refusal(f"{OBJECTIVE}index i < 2\nL[b,i] = w*x[b]*i\nminimize L")


def test_inputs_declare_what_backward_prints():
    text = f"{OBJECTIVE}L[b] = w*x[b]\nminimize L"
    assert backward(text) == ["for b: w.grad += 1/B*L.grad[b]*x[b]"]
