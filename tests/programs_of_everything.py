"""Small programs that hold every construct of the language between them."""

PROGRAMS = {
    "a perceptron": """
batch b < B
index i < 4, j < 3, k < 2
let scale = 1/16
input x[b,i]
input label[b] in k
param W[j,i] ~ normal(0, sqrt(2/|i|))
param C[j] = 0
param V[k,j] ~ glorot()
for b,j,i: h̃[b,j] += W[j,i] * x[b,i] * scale
for b,j: h[b,j] = relu(h̃[b,j] - C[j])
for b,k,j: s[b,k] += V[k,j] * h[b,j]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,label[b]])
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = label[b]])
train sgd(lr=0.2, momentum=0.9), batch=2, epochs=1, seed=0
""",
    "equations, blocks and spellings": """
dtype float64
batch b
index j < 3
input x[b,i]
param W⁰[j,i] ~ uniform(-1, 1)
param b¹[j] = [0.1, -0.2, 1/3]
h[b,j] = σ(Σ_i (W⁰[j,i] x[b,i]) − b¹[j])
for b:
  for j:
    z[b,j] = h[b,j]² + 10⁻¹ * (h[b,j] − 1)^3
    q[b] += z[b,j]
  loss[b] = q[b]/|j|
minimize loss
train adam(lr=0.01), batch=2
""",
    "accumulations of every kind": """
index i < 3, k < 2
input x[i,k]
param w[i] ~ he()
s += w[i]*x[i,k]
s -= x[i,0]
s *= 1/|i|
top[k] max= w[i]*x[i,k]
low[k] min= w[i] + x[i,k]
P[i] *= w[i]*(1 + x[i,k]^2)
T[i] = 0
T[i] += w[i]
loss = s + sum[k](top[k]*low[k]) + prod[i](P[i]) + sum[i](T[i]^2)
minimize loss
""",
    "functions and conditions": """
batch b
input x[b]
param a = 0.5
y[b] = exp(-x[b]) + log(1 + x[b]^2) + sqrt(abs(x[b])) + sign(x[b])*a + sin(a)*cos(a) + tan(a)
z[b] = tanh(y[b]) + sigmoid(y[b]) + relu(y[b]) + softplus(y[b]) + gelu(y[b]) + erf(y[b])
u[b] = max(y[b], a) + min(z[b], 1) + mod(z[b], 2) + clamp(z[b], -1, 1) + floor(y[b])
v[b] = if u[b] > 0 and not (a < 0 or y[b] = 0) then u[b]*a else if z[b] != 1 then a^2 else 0
loss[b] = v[b]*[x[b] >= 0] - v[b]*[x[b] < 0] + 2^a + inf*0*[a > 1 and a < 0]
maximize loss
""",
    "integers and gathers": """
batch b < B
index t < 4, w < 5, d < 3
input word[b,t] in w
param E[w,d] ~ normal(0, 1)
param C[w] = 0
e[b,t,d] = E[word[b,t],d]*sin(t/100^(2*d/|d|))
count[word[b,t]] += 1
next[b,t] = mod(word[b,t] + 1, |w|)
best[b] = argmax[t](e[b,t,0])
for b,t: g[b] += C[next[b,t]]*count[word[b,t]] + e[b,best[b],1]
h[b] = mean[t,d](e[b,t,d]) + e[b,0,0]
loss[b] = (g[b] + h[b])^2
minimize loss
""",
    "attention": """
batch b
index q < |k|, d < 2
input x[b,k,d]
param A[d,m] ~ normal(0, 1)
param B[d,m] ~ normal(0, 1)
index m < 3
for b,q,m: Q[b,q,m] = sum[d](A[d,m]*x[b,q,d])
for b,k,m: K[b,k,m] = sum[d](B[d,m]*x[b,k,d])
for b,q,k: S[b,q,k] = sum[m](Q[b,q,m]*K[b,k,m])/sqrt(|m|)
for b,q,k: P[b,q,k] = exp(S[b,q,k])/Σ_k exp(S[b,q,k])
for b,q,k,d: y[b,q,d] += P[b,q,k]*x[b,k,d]
for b: loss[b] = logsumexp[q,d](y[b,q,d]) - max[q](y[b,q,0]) + min[q](log_softmax[q](y[b,q,1]))
minimize loss
""",
    "updates and states": """
batch b < B
index i < 2
let β = 0.9
input x[b,i]
input t[b]
param W[i] = 0.5
state v[i] = 0
for b: loss[b] = (sum[i](W[i]*x[b,i]) - t[b])^2
minimize loss
report size = sum[i](W[i]^2)
for i: g[i] = W.grad[i] + 0.01*W[i]
for i: v[i] = β*v[i] + g[i]
for i: W[i] -= 0.1*v[i]
for b,i: W.grad[i] += 2/B*(sum[i](W[i]*x[b,i]) - t[b])*x[b,i]
train batch=2, epochs=2, holdout=0.25
""",
    "batch statistics": """
batch b < B
index b2 < B
input x[b,j]
param γ[j] = 1
for b,j: m[j] += 1/B*x[b,j]
for b,j: v[j] += 1/B*(x[b,j] - m[j])^2
for b,j: y[b,j] = γ[j]*(x[b,j] - m[j])/sqrt(v[j] + 0.001)
for b,b2,j: D[b,b2] += (y[b,j] - y[b2,j])^2
for b: loss[b] = sum[b2](exp(-D[b,b2]))/B
minimize loss
""",
    "literals": """
index i < 2, j < 3
input x[i,j] = [[1, 2.5, -3], [1/3, pi, 2^-1]]
input t[i] in j = [2, 0]
param W[j] = j/|j| + 1
param c = 2
s[i] = sum[j](W[j]*x[i,j]) + x[i,t[i]]*c
loss = mean[i](s[i]^2)
minimize loss
""",
    "a scan": """
batch b
index t < 4, j < 2
input x[b,t]
param U[j] = 0.5
param V[j,k] ~ normal(0, 1)
index k < |j|
scan t:
  h[b,t,j] = tanh(U[j]*x[b,t] + sum[k](V[j,k]*(h[b,t-1,k] else 0)))
loss[b] = sum[j](h[b,3,j]^2)
minimize loss
""",
    "a convolution": """
batch b
index k < 3, o < 2
input x[b,n]
param K[o,k] ~ normal(0, 1)
for b,t,o,k: y[b,t,o] += K[o,k]*x[b,2*t+k]
for b,n,o,k: z[b,n,o] += K[o,k]*(x[b,n+k-1] else 0)
loss[b] = mean[t,o](relu(y[b,t,o])) + mean[n,o](z[b,n,o]^2)
minimize loss
""",
    "draws and definitions": """
batch b
index j < 3
def swish(x) = x*sigmoid(x)
def affine[j,i](W, T, x) = sum[i](W[j,i]*x) - T[j]
input x[b,i]
param W[j,i] ~ normal(0, 1)
param C[j] = 0
mask[b,j] ~ bernoulli(0.9)
h[b,j] = swish(affine[j,i](W, C, x[b,i]))*mask[b,j]/0.9
y[b] = sum[j](h[b,j]) + stop(h[b,0])*[training]
loss[b] = y[b]^2
minimize loss
train sgd(lr=0.1)
""",
}
