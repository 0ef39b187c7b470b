"""Odd but legal programs: what they derive to is legal too, and exact."""

import pytest

from tests.autodiff.derived import holds

BATCHED = """
batch b < B
index i < 3, j < 2
input x[b,i]
param W[j,i] ~ normal(0, 1)
"""
SQUARE = """
index i, k < 3
param A[i,k] ~ normal(0, 1)
"""
ITEMS = """
batch b < B
index k < 4, n < 2
input t[b,n] in k
input x[b]
param E[k] ~ normal(0, 1)
"""
CLASSES = """
batch b < B
index q, k < 3
input x[b,q]
input y[b] in k
param W[q,k] ~ normal(0, 1)
"""

PROGRAMS = {
    "a reduction that binds its statement's index again": BATCHED
    + "s[b,j] = sum[i](W[j,i]*x[b,i])\nP[b,j] = exp(s[b,j])/Σ_j exp(s[b,j])\n"
    "loss[b] = sum[j](P[b,j]*(j + 1))",
    "the same inside a softmax": BATCHED
    + "s[b,j] = sum[i](W[j,i]*x[b,i])\nP[b,j] = softmax[j](s[b,j]*sum[j](s[b,j]^2))\n"
    "loss[b] = sum[j](P[b,j]*(j + 1))",
    "one index bound three times": BATCHED
    + "s[b,j] = sum[i](W[j,i]*x[b,i])*sum[i](x[b,i]*sum[i](W[j,i]*x[b,i]^2))\n"
    "loss[b] = sum[j](s[b,j]*sum[j](s[b,j]*(j + 2)))",
    "the batch index bound again": BATCHED
    + "P[b,i] = softmax[b](x[b,i]*W[0,i])*mean[b](x[b,i]*W[1,i])\nloss[b] = sum[i](P[b,i]^2)",
    "branches around reductions": BATCHED
    + "loss[b] = sum[j](if sum[i](W[j,i]*x[b,i]) > 0 then (if j = 0 then sum[i](W[j,i]^2) else "
    "prod[i](W[j,i] + x[b,i])) else exp(sum[i](W[j,i]*sin(x[b,i]))))",
    "softmax in a branch": BATCHED
    + "P[b,j] = if W[j,0] > 0 then softmax[j](sum[i](W[j,i]*x[b,i])) else 0\n"
    "loss[b] = sum[j]((j + 1)*P[b,j]^2)",
    "functions in branches": "batch b\ninput x[b]\nparam w = 0.5\n"
    "loss[b] = if x[b] > 0 then log(exp(w)*(x[b] + 1)) else sqrt(w^2 + x[b]^2)",
    "the diagonal": SQUARE + "for i: s += A[i,i]^2*A[i,0]*A[0,0]\nloss = s",
    "a sum into the diagonal": SQUARE
    + "D[i,k] = 0\nfor i: D[i,i] += exp(A[i,0]*A[1,i])\nfor i,k: loss += D[i,k]*A[i,k]",
    "a product into the diagonal": SQUARE
    + "D[i,k] = A[k,i]\nfor i: D[i,i] *= A[i,0]*A[1,i]\nfor i,k: loss += D[i,k]*A[i,k]",
    "an extremum into the diagonal": SQUARE
    + "D[i,k] = A[k,i]\nfor i: D[i,i] max= A[i,0]*A[1,i]\nfor i,k: loss += D[i,k]*A[i,k]",
    "constant subscripts": BATCHED
    + "z[b,j] = W[j,0]*x[b,2] - W[1,1]*W[j,0]\nloss[b] = z[b,0]*z[b,1] + W[0,0]",
    "constant targets": "index k < 3\nparam a[k] ~ normal(0, 1)\nT[k] = a[k]\nT[0] *= a[1]\n"
    "T[2] max= a[0]\nT[1] += a[2]\nT[0] -= a[1]^2\nfor k: loss += T[k]^2*a[k]",
    "a scatter that counts twice": ITEMS
    + "T[k] = 0\nfor b,n: T[t[b,n]] -= x[b]*E[t[b,n]]\nfor k: loss += T[k]^2",
    "a product scattered": ITEMS
    + "T[k] = E[k]\nfor b,n: T[t[b,n]] *= x[b]*E[0]\nfor k: loss += T[k]^2",
    "extrema scattered": ITEMS
    + "T[k] = E[k]\nfor b,n: T[t[b,n]] min= x[b]*E[0]\nfor k: loss += T[k]^2",
    "a target that wraps around": "index i < 3\nparam w[i] ~ normal(0, 1)\nT[i] = 0\n"
    "for i: T[mod(i+1, 3)] += w[i]^2\nfor i: loss += T[i]*w[i]",
    "integers computed and gathered by": ITEMS + "u[b] = mod(t[b,0] + 1, |k|)\n"
    "for b: loss[b] = E[u[b]]*t[b,1] + E[t[b,0]]*[t[b,0] = u[b] - 1]",
    "gathers by argmax": BATCHED + "s[b,j] = sum[i](W[j,i]*x[b,i])\nm[b] = argmax[j](s[b,j])\n"
    "loss[b] = s[b,m[b]]*W[m[b],argmin[i](x[b,i])]",
    "an argmax as a factor": BATCHED
    + "loss[b] = sum[j](argmax[i](x[b,i])*exp(sum[i](W[j,i]*x[b,i])))",
    "integers summed as a factor": ITEMS + "loss[b] = sum[n](t[b,n])*exp(sum[k](E[k]))*x[b]",
    "integers, then scaled": BATCHED
    + "u[b] = argmax[i](x[b,i])\nu[b] *= 0.5\nloss[b] = u[b]*W[0,0]^2",
    "the greatest integer": ITEMS + "for b,n: u[b] max= t[b,n]\nloss[b] = u[b]*E[0]*x[b]",
    "a scalar program": "param a = 2\nparam c = 3\nloss = a*c + sin(a)/c - a^3",
    "several indices averaged": BATCHED
    + "s[j] = mean[b,i](W[j,i]*x[b,i])\nt = mean[b,i,j](W[j,i]^2*x[b,i])\n"
    "loss = mean[j](s[j]^2) + t + mean[b,i](x[b,i]*W[0,1])",
    "one tensor read often": BATCHED
    + "for b,i,j: loss[b] += W[j,i]*W[j,i]*W[j,0]*W[1,i]*x[b,i]*x[b,0]",
    "names that are taken": "batch b\nindex k, k' < 3\ninput x[b,k]\nparam h_1[k'] = 2\n"
    "h_2[b] = prod[k](x[b,k]*h_1[k])\nh[b] = sigmoid(tanh(h_2[b])*h_1[0])*prod[k'](h_1[k'])\n"
    "loss[b] = h[b]*sum[k](x[b,k]*prod[k](h_1[k]))",
    "primes": "batch b\nindex i, i' < 3\ninput x'[b,i]\nparam W'[i,i'] ~ normal(0, 1)\n"
    "h'[b,i] = tanh(sum[i'](W'[i,i']*x'[b,i']))\nloss[b] = prod[i](h'[b,i])",
    "extents that data fix": "batch b\ninput x[b,i]\ninput V[j,i]\nindex k < 2\nparam W[k] = 0.5\n"
    "for b,i,j: h[b] *= x[b,i]*V[j,i]*W[0]\nloss[b] = h[b] + max[i,j](x[b,i]*V[j,i]*W[1])",
    "two indices of one extent that data fix": "input x[i]\nindex k < |i|\nparam w[k] = 2\n"
    "loss = prod[i](x[i]*w[i])*prod[k](w[k] + k)",
    "statements that the loss does not reach": BATCHED
    + "s[b,j] = sum[i](W[j,i]*x[b,i])\nq[j] = sum[i](W[j,i]^2)\nfor j: q[j] *= 3\n"
    "u[b,j] = argmax[i](x[b,i])*exp(s[b,j])\nloss[b] = s[b,0]",
    "a param of no use": BATCHED + "param V[j] = 1\nloss[b] = sum[i](x[b,i]^2)",
    "no param": "batch b\ninput x[b]\nloss[b] = x[b]^2",
    "a param as the objective": "param loss = 1",
    "an input as the objective": "batch b\ninput loss[b]",
    "extents and indices as numbers": BATCHED
    + "for b,j,i: loss[b] += W[j,i]^(i + 1)*x[b,i]*(j + 1)/|i| + B*W[j,i]",
    "params as exponents": BATCHED
    + "for b,j,i: loss[b] += (2 + i)^W[j,i]*x[b,i] + abs(x[b,i])^W[j,i]",
    "an exponent of zero": BATCHED + "for b,j,i: loss[b] += x[b,i]^0*W[j,0]*W[j,1]",
    "a factor of zero": BATCHED
    + "h[j] = sum[i](W[j,i]^2)\nfor b,j: loss[b] += 0*h[j]*x[b,0] + W[j,0]^2",
    "a factor of zero at a gather": ITEMS + "loss[b] = 0*E[t[b,0]]",
    "a branch that is no choice": BATCHED
    + "for b,j,i: loss[b] += (if x[b,i] > 0 then 1 else 1)*W[j,0]^2",
    "a read shifted by zero": "batch b < B\nindex m < 2*B\ninput z[b]\ninput y[m]\n"
    "loss[b] = y[b+0]*z[b]*y[1*b]",
    "conditions of every kind": ITEMS
    + "loss[b] = if t[b,0] = 1 and not E[0] > 3 then E[t[b,1]]*x[b] else "
    "if x[b] > 0 or t[b,0] != 2 then E[0]^2 else -E[1]",
    "bounds with derivatives": "batch b\ninput x[b]\nparam lo = -0.5\nparam hi = 0.5\n"
    "loss[b] = clamp(2*x[b], lo, hi)^2",
    "a constant in the extents": "let n = 2\nindex i < n+1, j < 2*n\nbatch b\ninput x[b,i]\n"
    "param W[j,i] ~ normal(0, 1)\nloss[b] = prod[j](sum[i](W[j,i]*x[b,i]))",
    "a fixed batch": "batch b < 3\ninput x[b]\nindex k < 3\nparam w[k] ~ normal(0, 1)\n"
    "u[k] = w[k]^2\nloss[b] = w[0]*x[b]*u[mod(b,3)]",
    "the log of a softmax at its own row": CLASSES
    + "P[q,k] = softmax[k](W[q,k])\nfor b,q: loss[b] += log(P[q,q])*x[b,q]",
    "the log of a softmax transposed": CLASSES
    + "P[q,k] = softmax[k](W[q,k])\nfor b,q,k: loss[b] += log(P[k,q])*x[b,q]*x[b,k]",
    "the log of a softmax over two indices": CLASSES + "P[b,q,k] = softmax[q,k](W[q,k]*x[b,q])\n"
    "loss[b] = -log(P[b,0,1]) - sum[q](log(P[b,q,q]))",
    "the log of a softmax, and the softmax": CLASSES
    + "P[b,k] = softmax[k](sum[q](W[q,k]*x[b,q]))\n"
    "loss[b] = sum[k](P[b,k]*log(P[b,k])) - log(P[b,y[b]]*P[b,mod(y[b]+1,|k|)])",
    "the log of a softmax in a branch": CLASSES + "P[b,k] = softmax[k](sum[q](W[q,k]*x[b,q]))\n"
    "loss[b] = if x[b,0] > 0 then -log(P[b,y[b]]) else sum[k](log(P[b,k]))",
    "a softmax shifted by hand": CLASSES
    + "s[b,k] = sum[q](W[q,k]*x[b,q])\ntop[b] = max[k](s[b,k])\n"
    "for b,k: e[b,k] = exp(s[b,k] - top[b])\nfor b,k: Z[b] += e[b,k]\n"
    "P[b,k] = e[b,k]/Z[b]\nloss[b] = -log(P[b,y[b]])",
    "a kernel's softmax": "batch b\ninput x[b,i]\ninput y[n,i]\nparam a = 0.5\n"
    "K[b,n] = exp(-a*sum[i]((x[b,i] - y[n,i])²))\nP[b,n] = K[b,n]/Σ_n K[b,n]\n"
    "loss[b] = -log(P[b,0])",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_odd_programs(name: str):
    holds(f"{PROGRAMS[name]}\nminimize loss\n")
