"""Local derivatives as a textbook writes them."""

import pytest

from tests.autodiff.derived import backward, holds

HEAD = """
    batch b < B
    index i < 4, j < 3
    input x[b,i]
    input t[b]
    param W[j,i] ~ normal(0, 1)
    param c ~ normal(0, 1)
    y[b] = sum[i](x[b,i])
    z[b] = c*y[b]
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("exp(z[b])", "loss.grad[b]*loss[b]"),
        ("sigmoid(z[b])", "loss.grad[b]*loss[b]*(1 - loss[b])"),
        ("tanh(z[b])", "loss.grad[b]*(1 - loss[b]^2)"),
        ("sqrt(z[b])", "loss.grad[b]/(2*loss[b])"),
        ("relu(z[b])", "loss.grad[b]*[loss[b] > 0]"),
        ("log(z[b])", "loss.grad[b]/z[b]"),
        ("softplus(z[b])", "loss.grad[b]*sigmoid(z[b])"),
        ("abs(z[b])", "loss.grad[b]*sign(z[b])"),
        ("z[b]^3", "3*loss.grad[b]*z[b]^2"),
        ("z[b]^-2", "2*loss.grad[b]*z[b]^-3"),
        ("z[b]^(3/2)", "3*loss.grad[b]/2*z[b]^(1/2)"),
        ("(z[b] - t[b])^2/2", "loss.grad[b]*(z[b] - t[b])"),
        ("1/2*(t[b] - z[b])^2", "loss.grad[b]*(z[b] - t[b])"),
        ("-z[b]^4/6", "2*loss.grad[b]/3*z[b]^3"),
        ("clamp(z[b], -1, 1)", "loss.grad[b]*[-1 <= z[b] and z[b] <= 1]"),
        ("max(z[b], t[b])", "loss.grad[b]*([z[b] > t[b]] + 1/2*[z[b] = t[b]])"),
        ("if t[b] > 0 then z[b] else t[b]", "if t[b] > 0 then loss.grad[b] else 0"),
    ],
)
def test_local_derivatives_as_the_textbook_has_them(value: str, expected: str):
    text = f"{HEAD}    loss[b] = {value}\n    minimize loss\n"
    line = backward(text)[0]
    assert line.split("= ", 1)[1] == expected
    assert line.count("-=") == value.count("^-2") + value.startswith("-")


def test_every_class_of_a_softmax_at_once():
    text = """
    batch b < B
    index i < 4, j < 3
    input x[b,i]
    input y[b,j]
    param W[j,i] ~ normal(0, 1)
    for b,i,j: s[b,j] += W[j,i]*x[b,i]
    P[b,j] = softmax[j](s[b,j])
    loss[b] = -sum[j](y[b,j]*log(P[b,j]))
    minimize loss
    """
    assert backward(text)[0] == (
        "for b,j: s.grad[b,j] += loss.grad[b]*(P[b,j]*sum[j](y[b,j]) - y[b,j])"
    )
    holds(text)
    alike = text.replace("y[b,j]*log", "log")
    assert backward(alike)[0] == "for b,j: s.grad[b,j] += loss.grad[b]*(P[b,j]*|j| - 1)"
    holds(alike)
    text = text.replace("y[b,j]*log(P[b,j])", "y[b,j]*(if y[b,j] > 0 then log(P[b,j]) else 0)")
    holds(text)


def test_logarithms_are_differentiated_as_a_whole():
    text = """
    batch b
    input z[b]
    input t[b]
    p[b] = sigmoid(z[b])
    loss[b] = -t[b]*log(p[b]) - (1 - t[b])*log(1 - p[b])
    minimize loss
    """
    assert backward(text, "z") == [
        "for b: z.grad[b] += loss.grad[b]*(1 - t[b])*sigmoid(z[b])",
        "for b: z.grad[b] -= loss.grad[b]*t[b]*sigmoid(-z[b])",
    ]
    holds(text)


SCORES = """
    batch b
    index k < 3
    input z[b,k]
    input y[b] in k
"""


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "E[b,k] = exp(z[b,k])\nfor b,k: Z[b] += E[b,k]\nP[b,k] = E[b,k]/Z[b]\n"
            "loss[b] = sum[k](P[b,k]^2)",
            "for b,k: z.grad[b,k] += P[b,k]*(P.grad[b,k] - sum[k](P.grad[b,k]*P[b,k]))",
        ),
        (
            "E[b,k] = exp(z[b,k])\nfor b,k: Z[b] += E[b,k]\nP[b,k] = E[b,k]/Z[b]\n"
            "loss[b] = -log(P[b,y[b]])",
            "for b,k: z.grad[b,k] += loss.grad[b]*(P[b,k] - [k = y[b]])",
        ),
        (
            "p[b,k] = 1/(1 + exp(-z[b,k]))\nloss[b] = sum[k](p[b,k]^2)",
            "for b,k: z.grad[b,k] += p.grad[b,k]*p[b,k]*(1 - p[b,k])",
        ),
        (
            "p[b,k] = 1/(1 + exp(-z[b,k]))\nfor b,k: loss[b] -= log(p[b,k])",
            "for b,k: z.grad[b,k] -= loss.grad[b]*sigmoid(-z[b,k])",
        ),
        (
            "for b,k: loss[b] += log(1 + exp(z[b,k]))",
            "for b,k: z.grad[b,k] += loss.grad[b]*sigmoid(z[b,k])",
        ),
    ],
)
def test_forms_written_by_hand(model: str, expected: str):
    text = (
        SCORES + "\n".join(f"    {line}" for line in model.splitlines()) + "\n    minimize loss\n"
    )
    assert backward(text, "z")[-1] == expected
    holds(text)
