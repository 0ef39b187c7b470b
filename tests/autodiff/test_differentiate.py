"""Derived programs, to the letter."""

import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import EinbatchError
from tests.autodiff.derived import backward, forward, holds, program, shown, statements

SLIDE = """
    batch b < B
    index i < 4, j < 3
    input x[b,i]
    param W[j,i] ~ normal(0, 1)

    for b,i,j: h̃[b,j] += W[j,i]*x[b,i]
    for b,j:   loss[b] += h̃[b,j]^2

    minimize loss
"""

PERCEPTRON = """
    batch b < B
    index i < 4, j < 3, ŷ < 5
    input x[b,i]
    input label[b] in ŷ
    param W⁰[j,i] ~ normal(0, 1)
    param b⁰[j] = 0
    param W¹[ŷ,j] ~ normal(0, 1)
    param b¹[ŷ] = 0

    h[b,j] = σ( Σ_i (W⁰[j,i] x[b,i]) − b⁰[j] )
    s[b,ŷ] = σ( Σ_j (W¹[ŷ,j] h[b,j]) − b¹[ŷ] )
    P[b,ŷ] = softmax_ŷ s[b,ŷ]
    loss[b] = −log(P[b,label[b]])

    minimize loss
"""


def test_the_slide():
    assert backward(SLIDE, "x")[-2:] == [
        "for b,i,j: x.grad[b,i] += h̃.grad[b,j]*W[j,i]",
        "for b,i,j: W.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]",
    ]
    holds(SLIDE)


def test_the_batch_extent_without_a_name():
    unnamed = SLIDE.replace("batch b < B", "batch b")
    assert "for b,i,j: W.grad[j,i] += 1/|b|*h̃.grad[b,j]*x[b,i]" in backward(unnamed)
    holds(unnamed)


def test_the_whole_perceptron():
    assert shown(differentiate(program(PERCEPTRON), wrt=("x",))) == (
        """\
batch b < B
index i < 4, j < 3, ŷ < 5
input x[b,i]
input label[b] in ŷ
param W⁰[j,i] ~ normal(0, 1)
param b⁰[j] = 0
param W¹[ŷ,j] ~ normal(0, 1)
param b¹[ŷ] = 0
for b,j: h_1[b,j] = sum[i](W⁰[j,i]*x[b,i]) - b⁰[j]
for b,j: h[b,j] = sigmoid(h_1[b,j])
for b,ŷ: s_1[b,ŷ] = sum[j](W¹[ŷ,j]*h[b,j]) - b¹[ŷ]
for b,ŷ: s[b,ŷ] = sigmoid(s_1[b,ŷ])
for b,ŷ: P[b,ŷ] = softmax[ŷ](s[b,ŷ])
for b: loss[b] = -log(P[b,label[b]])
for b: loss.grad[b] = 1
for b,ŷ: s.grad[b,ŷ] += loss.grad[b]*(P[b,ŷ] - [ŷ = label[b]])
for b,ŷ: s_1.grad[b,ŷ] += s.grad[b,ŷ]*s[b,ŷ]*(1 - s[b,ŷ])
for b,ŷ: b¹.grad[ŷ] -= 1/B*s_1.grad[b,ŷ]
for b,ŷ,j: h.grad[b,j] += s_1.grad[b,ŷ]*W¹[ŷ,j]
for b,ŷ,j: W¹.grad[ŷ,j] += 1/B*s_1.grad[b,ŷ]*h[b,j]
for b,j: h_1.grad[b,j] += h.grad[b,j]*h[b,j]*(1 - h[b,j])
for b,j: b⁰.grad[j] -= 1/B*h_1.grad[b,j]
for b,j,i: x.grad[b,i] += h_1.grad[b,j]*W⁰[j,i]
for b,j,i: W⁰.grad[j,i] += 1/B*h_1.grad[b,j]*x[b,i]
"""
    )
    holds(PERCEPTRON)


def test_before_simplification_every_tensor_has_its_cotangent():
    lines = backward(PERCEPTRON, raw=True)
    assert lines[:2] == [
        "for b: P.grad[b,label[b]] -= loss.grad[b]/P[b,label[b]]",
        "for b,ŷ: s.grad[b,ŷ] += P[b,ŷ]*(P.grad[b,ŷ] - sum[ŷ](P.grad[b,ŷ]*P[b,ŷ]))",
    ]
    assert backward(SLIDE, raw=True)[0] == "for b,j: h̃.grad[b,j] += loss.grad[b]*2*h̃[b,j]^1"


def test_parts_get_names_and_cotangents_of_their_own():
    text = """
    batch b < B
    index i < 4, j < 3
    input x[b,i]
    param W[j,i] ~ normal(0, 1)
    param h_1[j] = 0
    h[b,j] = tanh(sum[i](W[j,i]*x[b,i]) + h_1[j])
    loss[b] = sum[j](h[b,j])
    minimize loss
    """
    assert forward(text) == [
        "for b,j: h_2[b,j] = sum[i](W[j,i]*x[b,i]) + h_1[j]",
        "for b,j: h[b,j] = tanh(h_2[b,j])",
        "for b: loss[b] = sum[j](h[b,j])",
    ]
    assert backward(text) == [
        "for b,j: h.grad[b,j] += loss.grad[b]",
        "for b,j: h_2.grad[b,j] += h.grad[b,j]*(1 - h[b,j]^2)",
        "for b,j: h_1.grad[j] += 1/B*h_2.grad[b,j]",
        "for b,j,i: W.grad[j,i] += 1/B*h_2.grad[b,j]*x[b,i]",
    ]
    holds(text)


def test_an_earlier_value_is_a_version():
    text = """
    batch b
    index t < 4
    input x[b,t]
    param c = 2
    for b,t: h[b] += c*x[b,t]
    for b:   h[b] *= 1/|t|
    loss[b] = h[b]^2
    minimize loss
    """
    assert forward(text) == [
        "for b,t: h_1[b] += c*x[b,t]",
        "for b: h[b] = h_1[b]*(1/|t|)",
        "for b: loss[b] = h[b]^2",
    ]
    assert backward(text) == [
        "for b: h.grad[b] += 2*loss.grad[b]*h[b]",
        "for b: h_1.grad[b] += h.grad[b]/|t|",
        "for b,t: c.grad += 1/|b|*h_1.grad[b]*x[b,t]",
    ]
    holds(text)


def test_products_are_differentiated_without_dividing():
    text = """
    batch b < B
    index i < 4
    input x[b,i]
    param c[i] = 1
    y[b,i] = c[i]*x[b,i]
    loss[b] = prod[i](y[b,i])
    minimize loss
    """
    line = "for b,i: y.grad[b,i] += loss.grad[b]*prod[i'](if i' = i then 1 else y[b,i'])"
    assert backward(text)[0] == line
    holds(text)


def test_extrema_go_to_the_first():
    text = """
    batch b < B
    index i < 4
    input x[b,i]
    param c = 1
    y[b,i] = c*x[b,i]
    loss[b] = max[i](y[b,i]) + min[i](y[b,i])
    minimize loss
    """
    assert backward(text)[:2] == [
        "for b: y.grad[b,argmin[i](y[b,i])] += loss.grad[b]",
        "for b: y.grad[b,argmax[i](y[b,i])] += loss.grad[b]",
    ]
    holds(text)


def test_a_gather_is_a_scatter_back():
    text = """
    batch b < B
    index w < 5, t < 3, d < 2
    input word[b,t] in w
    param E[w,d] ~ normal(0, 1)
    for b,t,d: e[b,d] += E[word[b,t],d]
    loss[b] = sum[d](e[b,d]^2)
    minimize loss
    """
    assert backward(text)[-1] == "for b,t,d: E.grad[word[b,t],d] += 1/B*e.grad[b,d]"
    holds(text)


def test_params_that_the_loss_does_not_reach_have_zeros():
    text = SLIDE.replace("param W", "param V[i] = 1\n    param u = 0\n    param W")
    assert backward(text)[-2:] == ["for i: V.grad[i] = 0", "u.grad = 0"]
    holds(text)


def test_a_factor_of_zero_leaves_nothing_behind():
    text = SLIDE.replace("h̃[b,j]^2", "0*h̃[b,j] + x[b,0]")
    assert backward(text) == ["for j,i: W.grad[j,i] = 0"]
    holds(text)


def test_what_the_loss_does_not_reach_keeps_its_form():
    extra = "q[b,j] = exp(sum[i](W[j,i]*x[b,i]))"
    text = SLIDE.replace("for b,j:   loss", f"{extra}\n    for b,j:   loss")
    assert "for b,j: q[b,j] = exp(sum[i](W[j,i]*x[b,i]))" in forward(text)
    assert not any("q" in line for line in backward(text))


def test_an_unused_loop_counts():
    """A term that a bound index does not touch is added once for each of its values."""
    text = """
    batch b < B
    index i < 4, j < 3
    input x[b,i]
    param C[j] = 1
    for b,i,j: s[b,j] += x[b,i] - C[j]
    loss[b] = sum[j](s[b,j]^2)
    minimize loss
    """
    assert backward(text)[-1] == "for b,j: C.grad[j] -= |i|/B*s.grad[b,j]"
    holds(text)


@pytest.mark.parametrize(
    ("text", "wrt", "code"),
    [
        ("param w = 1\ns = w\n", (), "E0502"),
        ("param w = 1\ns = w\nminimize s\n", ("x",), "E0503"),
        ("param w = 1\ns = w\nminimize s\n", ("s",), "E0503"),
        ("index k < 3\ninput t in k\nparam w = 1\ns = w\nminimize s\n", ("t",), "E0503"),
    ],
)
def test_what_cannot_be_derived_is_an_error(text: str, wrt: tuple[str, ...], code: str):
    with pytest.raises(EinbatchError) as caught:
        differentiate(program(text), wrt=wrt)
    assert [finding.code for finding in caught.value.diagnostics] == [code]


def test_the_derived_program_has_neither_objective_nor_updates():
    text = SLIDE + "    report r = mean[b](loss[b])\n    train sgd(lr=0.1)\n"
    derived = differentiate(program(text))
    assert derived.objective is None
    assert derived.train is None
    assert (derived.reports, derived.updates) == ((), ())
    assert "minimize" not in shown(derived)
    assert statements(derived)[2] == "for b: loss.grad[b] = 1"
