"""The derived program derived: Hessian-vector products, and gradients of gradients."""

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from tests.autodiff.derived import arrays_for, derivative, holds, program, run, shown

MODEL = """
batch b < B
index i < 3, j < 2, k < 4
input x[b,i]
input label[b] in k
param U[j,i] ~ normal(0, 1)
param V[k,j] ~ normal(0, 1)
h[b,j] = sigmoid(sum[i](U[j,i]*x[b,i]))
for b,j,k: s[b,k] += V[k,j]*h[b,j]
P[b,k] = softmax[k](s[b,k])
loss[b] = -log(P[b,label[b]])
minimize loss
"""
PRODUCT = """
input u[j,i]
input v[k,j]
for j,i: along += U.grad[j,i]*u[j,i]
for k,j: along += V.grad[k,j]*v[k,j]
minimize along
"""


def hessian_vector(text: str = MODEL) -> str:
    return shown(differentiate(program(text))) + PRODUCT


def test_cotangents_of_cotangents():
    derived = differentiate(program(hessian_vector()))
    assert derived.cotangent == ".grad3"
    lines = shown(derived).splitlines()
    assert "along.grad2 = 1" in lines
    assert "for j,i: U.grad.grad2[j,i] += along.grad2*u[j,i]" in lines
    assert lines[-1] == "for b,j,i: U.grad2[j,i] += 1/B*h_1.grad2[b,j]*x[b,i]"
    assert program(shown(derived)) == derived


def test_hessian_vector_products_equal_duals():
    found = program(hessian_vector())
    arrays = arrays_for(found)
    values = run(differentiate(found), arrays)
    for name in ("U", "V"):
        expected = derivative(found, arrays, name)
        np.testing.assert_allclose(values[f"{name}.grad2"], expected, atol=1e-13)


def test_hessian_vector_products_equal_torch():
    torch = pytest.importorskip("torch")
    arrays = arrays_for(program(hessian_vector()), seed=3)
    values = run(differentiate(program(hessian_vector())), arrays)
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    params = [tensors["U"].requires_grad_(), tensors["V"].requires_grad_()]
    s = torch.sigmoid(tensors["x"] @ params[0].T) @ params[1].T
    loss = torch.nn.functional.cross_entropy(s, tensors["label"])
    slopes = torch.autograd.grad(loss, params, create_graph=True)
    along = (slopes[0] * tensors["u"]).sum() + (slopes[1] * tensors["v"]).sum()
    along.backward()
    for name, slope, param in zip(("U", "V"), slopes, params, strict=True):
        np.testing.assert_allclose(values[f"{name}.grad"], slope.detach(), atol=1e-12)
        np.testing.assert_allclose(values[f"{name}.grad2"], param.grad, atol=1e-12)


def test_a_third_time():
    text = "param w = 0.7\ns = exp(2*w) + w^4\nminimize s\n"
    for level in (".grad", ".grad2", ".grad3"):
        derived = differentiate(program(text))
        text = f"{shown(derived)}minimize w{level}\n"
    values = run(derived, {"w": np.array(0.7)})
    power = np.exp(1.4)
    np.testing.assert_allclose(values["w.grad"], 2 * power + 4 * 0.7**3)
    np.testing.assert_allclose(values["w.grad2"], 4 * power + 12 * 0.7**2)
    np.testing.assert_allclose(values["w.grad3"], 8 * power + 24 * 0.7)


@pytest.mark.parametrize(
    "value",
    [
        "x[b]^3*w^2",
        "tanh(w*x[b])*x[b]",
        "gelu(w*x[b])",
        "softplus(w*x[b])^2",
        "sqrt(w^2 + x[b]^2)",
        "log(2 + w^2*x[b]^2)/w",
        "if x[b] > 0 then w^3 else exp(w*x[b])",
        "relu(w*x[b])^2",
        "prod[i](w + i*x[b])",
        "logsumexp[i](w*i*x[b])",
        "sum[i](softmax[i](w*i*x[b])*i)",
        "-log(sum[i]([i = 1]*softmax[i](w*i*x[b])))",
        "max[i](w^2*x[b]*(i - 1))",
        "mean[i]((w*x[b] - i)^2)^2",
    ],
)
def test_second_derivatives(value: str):
    text = (
        f"batch b < B\nindex i < 3\ninput x[b]\nparam w = 1.3\nloss[b] = {value}\nminimize loss\n"
    )
    derived = shown(differentiate(program(text), wrt=("x",)))
    found = program(derived + "for b: z += w.grad^2*x.grad[b]*x[b]\nminimize z\n")
    arrays = arrays_for(found)
    values = run(differentiate(found, wrt=("x",)), arrays)
    for name in ("w", "x"):
        expected = derivative(found, arrays, name)
        scale = 1 + np.max(np.abs(expected))
        np.testing.assert_allclose(values[f"{name}.grad2"], expected, atol=1e-11 * scale)


def test_a_gradient_penalty():
    """A loss made of a gradient with respect to the input, as critics are trained."""
    inner = """
batch b < B
index i < 3
input x[b,i]
param w[i] ~ normal(0, 1)
score[b] = tanh(sum[i](w[i]*x[b,i]))
minimize score
"""
    derived = shown(differentiate(program(inner), wrt=("x",)))
    outer = "for b: penalty[b] = (sqrt(sum[i](x.grad[b,i]^2)) - 1)^2\nminimize penalty\n"
    found = program(derived + outer)
    arrays = arrays_for(found)
    values = run(differentiate(found), arrays)
    np.testing.assert_allclose(values["w.grad2"], derivative(found, arrays, "w"), atol=1e-12)
    holds(inner)
