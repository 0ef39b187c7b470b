"""The language, section 7: gradients where examples mix, indices are rebound, parts have names."""

import numpy as np
import pytest

from tests.acceptance.language import formatted, grad, gradients, on_file

HEAD = """
batch b < B
index i < 3, j < 2, b2 < B
input x[b,i]
param W[j,i] ~ normal(0, 1)
param C[j] = 1
for b,j,i: h[b,j] += W[j,i]*x[b,i]
"""
OBJECTIVES = [
    """
E[b,j]=exp(h[b,j])
Z = sum[b,j](E[b,j])
P[b,j] = E[b,j]/Z
L[b] = -log(P[b,0])
""",
    """
E[b,j]=exp(h[b,j])
Z[j] = sum[b](E[b,j])
P[b,j] = E[b,j]/Z[j]
L[b] = -log(P[b,0])*C[1]
""",
    """
E[b,j]=exp(h[b,j])
Z[b] = sum[j](E[b,j])
for b,j: L[b] += C[j]*h[b,j]*log(Z[b])
""",
    """
E[b,j]=exp(h[b,j])
Z[b] = sum[j](E[b,j])
for b,j: L[b] += C[j]*log(E[b,j]/Z[b])
""",
    """
E[b,j]=exp(h[b,j])
Z[j] = sum[b](E[b,j])
for b,b2,j: L[b] += C[j]*log(Z[j])*h[b2,j]
""",
    """
a = exp(C[0])
Z = sum[b](exp(h[b,0]))
L[b] = log(a/Z)*h[b,1]
""",
    """
P[b,j] = softmax[j](h[b,j])
for b,j: L[b] -= C[j]*log(P[b,j])*P[b,j]
""",
    """
P[b,j] = softmax[b](h[b,j])
for b,j: L[b] -= C[j]*log(P[b,j])*P[b,j]
""",
    """
P[b,j] = softmax[b,j](h[b,j])
L = -sum[b,j](C[j]*log(P[b,j])*P[b,j])
""",
    """
P[b,j] = softmax[j](h[b,j])
L[b] = -log(P[b,0]) - mean[b](log(P[b,1]))*sum[b,j](P[b,j])
""",
    """
P[b,j] = softmax[j](h[b,j])
for b,b2: L[b] -= log(P[b2,0])*h[b,1]
""",
    """
s[b] = sigmoid(h[b,0])
L[b] = -log(s[b]) - log(1-s[b]) + log(1+exp(h[b,1]))
""",
    """
L[b] = h[b,0]*sum[b](h[b,1]) + sum[b,j](exp(h[b,j])*h[b,j])*h[b,1]
""",
    """
L[b] = h[b,0]*prod[j](h[b,j])*prod[b](h[b,0])
""",
    """
L[b] = h[b,0]*max[b](h[b,1]) + logsumexp[b](h[b,1])*h[b,1]
L[b] += h[b,1]*sum[b](softmax[b](h[b,0])*h[b,1])
""",
    """
for b,b2,j: D[b,b2] += (h[b,j]-h[b2,j])^2
q[b,b2] = exp(-D[b,b2])*[b != b2]
Z = sum[b,b2](q[b,b2])
for b,b2: L += q[b,b2]/Z*log(q[b,b2]/Z + 1/100)
""",
    """
for b,j: n[b] += h[b,j]^2
u[b,j] = h[b,j]/sqrt(n[b])
for b,b2,j: S[b,b2] += u[b,j]*u[b2,j]/0.5
L[b] = -S[b,b] + log(sum[b2](exp(S[b,b2])*[b2 != b]))
""",
    """
for b,b2,j: S[b,b2] += h[b,j]*h[b2,j]
L[b] = -log(exp(S[b,b])/sum[b2](exp(S[b,b2])))
""",
    """
for b,b2,j: S[b,b2] += h[b,j]*h[b2,j]
for b,b2: Z[b2] += exp(S[b,b2])
L[b] = -S[b,b] + log(Z[b])
""",
    """
for b,b2,j: S[b,b2] += h[b,j]*h[b2,j]
A[b,b2] = softmax[b2](S[b,b2])
for b,b2,j: y[b,j] += A[b,b2]*h[b2,j]
for b,j: L[b] += y[b,j]^2
""",
    """
for b,j: m max= h[b,j]
for b,j: Z += exp(h[b,j]-m)
L[b] = log(Z)+m-h[b,0]
""",
    """
for b,j: s[b] += exp(h[b,j])
for b: s[b] += 1
L[b] = log(s[b])
""",
    """
for b,j: s[b] += exp(h[b,j])
for b: s[b] *= (C[0]^2+1)
L[b] = log(s[b])
""",
    """
L[b] = log(sum[j](exp(h[b,j])*C[j]^2))
""",
    """
L[b] = log(mean[j](exp(h[b,j])))
""",
    """
L = log(mean[b](exp(h[b,0])))
""",
    """
L[b] = log(sum[j](exp(h[b,j])))*log(sum[b](exp(h[b,0])))
""",
]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_right_and_the_derived_program_is_a_program(objective: str):
    text = f"{HEAD}{objective}minimize L\n"
    gradients(text, wrt=("x",), x=np.random.default_rng(1).normal(size=(4, 3)))
    code, out, err = on_file(text, "check", "--grads")
    assert (code, "error" in err) == (0, False)
    assert out.count(": OK") == 3
    derived = grad(text)
    assert formatted(derived) == derived
    assert on_file(derived, "check").code == 0
