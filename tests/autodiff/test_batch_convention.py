"""`T.grad` is B times the derivative of the mean loss where T is batched, else that derivative."""

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from tests.autodiff.derived import backward, holds, program, run

PROGRAMS = {
    "examples apart": """
        for b,i,j: h[b,j] += W[j,i]*x[b,i]
        loss[b] = sum[j](h[b,j]^2)
        """,
    "tied weights": """
        for b,i,j: h[b,j] += W[j,i]*x[b,i]
        for b,i,j: y[b,i] += W[j,i]*tanh(h[b,j])
        loss[b] = sum[i]((y[b,i] - x[b,i])^2)
        """,
    "batch statistics": """
        for b,i,j: h[b,j] += W[j,i]*x[b,i]
        for j: μ[j] = mean[b](h[b,j])
        for j: v[j] = mean[b]((h[b,j] - μ[j])^2)
        for b,j: n[b,j] = (h[b,j] - μ[j])/sqrt(v[j] + 1)
        loss[b] = sum[j](n[b,j]^3*c[j])
        """,
    "a part without b": """
        for j,i: p[j] += W[j,i]^2
        for b: loss[b] = x[b,0]*sum[j](exp(p[j])*c[j])
        """,
    "a part without b in every example and beside them": """
        for j,i: p[j] += W[j,i]^2
        for b,j: s += sin(p[j]*x[b,0])
        for b: loss[b] = x[b,0]*sum[j](p[j]) + s/B + p[0]
        """,
    "a sum over the batch as the objective": """
        for b,i,j: loss += (W[j,i]*x[b,i])^3
        """,
    "a mean over the batch as the objective": """
        for b,i,j: h[b] += (W[j,i]*x[b,i])^3
        loss = mean[b](h[b]) + sum[j](c[j]^2)
        """,
    "by 1/B, as the slide may have it": """
        for b,i,j: loss += 1/B*(W[j,i]*x[b,i])^3
        """,
    "softmax over the batch": """
        for b,j: a[b,j] = softmax[b](sum[i](W[j,i]*x[b,i]))
        for b,j: loss[b] += a[b,j]^2*c[j]
        """,
    "extrema over the batch": """
        for b,j,i: top[j] max= W[j,i]*x[b,i]
        for j: u[j] = min[b](x[b,0]*W[j,1])
        loss[b] = sum[j](top[j]^2*u[j])*x[b,1]
        """,
    "a product over the batch": """
        for j: p[j] = prod[b](sum[i](W[j,i]*x[b,i]))
        loss[b] = sum[j](p[j])*x[b,0]
        """,
    "pairs of examples": """
        for b,b2: S[b,b2] = sum[i](x[b,i]*x[b2,i]*c[0])
        for b: loss[b] = logsumexp[b2](S[b,b2]) - S[b,b]
        """,
    "the mean over pairs": """
        for b,b2: S[b,b2] = sum[i](W[0,i]*(x[b,i] - x[b2,i])^2)
        loss = mean[b,b2](exp(-S[b,b2]))
        """,
    "two rows for each example": """
        for m: z[m] = tanh(sum[i](W[0,i]*pair[m,i]))
        for b: loss[b] = (z[2*b] - z[2*b+1])^2*x[b,0] + sum[m](z[m]^2)/|m|
        """,
    "the batch index as a number": """
        for b,i: loss[b] += W[0,i]*x[b,i]*(b + 1)/B
        """,
    "examples that read each other": """
        for b,i,j: h[b,j] += W[j,i]*x[b,i]
        for b,j: loss[b] += h[b,j]*h[friend[b],j]
        """,
}
HEAD = """
        batch b < B
        index b2 < B, m < 2*B, i < 3, j < 2
        input x[b,i]
        input pair[m,i]
        input friend[b] in b
        param W[j,i] ~ normal(0, 1)
        param c[j] ~ normal(0, 1)
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_gradient_equals_its_dual(name: str):
    holds(f"{HEAD}{PROGRAMS[name]}\n        minimize loss\n")


def test_the_factors_that_are_written():
    """1/B from batched to unbatched, B the other way, and nothing else."""
    text = f"{HEAD}{PROGRAMS['batch statistics']}\n        minimize loss\n"
    lines = backward(text, "x")
    assert [line for line in lines if "μ.grad[j]" in line.split("=")[0]] == [
        "for j,b: μ.grad[j] -= 1/B*v_1.grad[j,b]"
    ]
    assert "for j,b: h.grad[b,j] += μ.grad[j]" in lines  # B·1/B of the mean
    summed = text.replace("mean[b](h[b,j])", "sum[b](h[b,j])")
    assert "for j,b: h.grad[b,j] += B*μ.grad[j]" in backward(summed, "x")


def test_maximize_has_the_derivatives_of_what_is_written():
    text = f"{HEAD}{PROGRAMS['examples apart']}\n        minimize loss\n"
    assert backward(text) == backward(text.replace("minimize", "maximize"))
    holds(text.replace("minimize", "maximize"))


def test_a_batched_cotangent_is_its_own_example_s():
    """Unscaled: the same whatever the rest of the minibatch, where examples do not mix."""
    text = f"{HEAD}{PROGRAMS['examples apart']}\n        minimize loss\n"
    derived = differentiate(program(text), wrt=("x",))
    draws = np.random.default_rng(2)
    arrays = {
        "x": draws.normal(size=(5, 3)),
        "W": draws.normal(size=(2, 3)),
        "c": np.zeros(2),
        "pair": draws.normal(size=(10, 3)),
        "friend": np.zeros(5, int),
    }
    whole = run(derived, arrays)
    parts = [
        run(
            derived,
            {
                **arrays,
                "x": arrays["x"][k : k + 1],
                "pair": arrays["pair"][:2],
                "friend": np.zeros(1, int),
            },
        )
        for k in range(5)
    ]
    for name in ("x.grad", "h.grad"):
        np.testing.assert_allclose(whole[name], np.concatenate([part[name] for part in parts]))
    np.testing.assert_allclose(whole["W.grad"], np.mean([part["W.grad"] for part in parts], 0))


def test_the_last_shorter_minibatch_averages_over_its_own_examples():
    text = "batch b < B\ninput x[b]\nparam w = 1\nloss[b] = w*x[b]\nminimize loss\n"
    derived = differentiate(program(text))
    for x in ([2.0, 4.0, 6.0], [2.0, 4.0]):
        assert run(derived, {"x": np.array(x), "w": np.array(1.0)})["w.grad"] == np.mean(x)
