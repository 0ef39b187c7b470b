"""Programs of any depth, as text."""

from __future__ import annotations

from collections.abc import Sequence


def perceptron_text(widths: Sequence[int], rate: float) -> str:
    """A ReLU perceptron with biases, softmax cross-entropy and plain gradient descent.

    >>> print(perceptron_text((16, 32, 10), 0.1), end="")
    batch b < B
    index i0 < 16, i1 < 32, i2 < 10
    input x[b,i0]
    input t[b] in i2
    param W0[i1,i0] ~ he()
    param C0[i1] = 0
    param W1[i2,i1] ~ he()
    param C1[i2] = 0
    for b,i1,i0: g0[b,i1] += W0[i1,i0]*x[b,i0]
    for b,i1: h0[b,i1] = relu(g0[b,i1] + C0[i1])
    for b,i2,i1: s[b,i2] += W1[i2,i1]*h0[b,i1]
    for b,i2: s[b,i2] += C1[i2]
    for b,i2: P[b,i2] = softmax[i2](s[b,i2])
    for b: loss[b] = -log(P[b,t[b]])
    minimize loss
    train sgd(lr=0.1)
    """
    last = len(widths) - 1
    extents = ", ".join(f"i{k} < {width}" for k, width in enumerate(widths))
    lines = ["batch b < B", f"index {extents}", "input x[b,i0]", f"input t[b] in i{last}"]
    for k in range(last):
        lines.append(f"param W{k}[i{k + 1},i{k}] ~ he()")
        lines.append(f"param C{k}[i{k + 1}] = 0")
    for k in range(last):
        i, j = f"i{k}", f"i{k + 1}"
        before = f"h{k - 1}" if k else "x"
        if k + 1 < last:
            lines.append(f"for b,{j},{i}: g{k}[b,{j}] += W{k}[{j},{i}]*{before}[b,{i}]")
            lines.append(f"for b,{j}: h{k}[b,{j}] = relu(g{k}[b,{j}] + C{k}[{j}])")
        else:
            lines.append(f"for b,{j},{i}: s[b,{j}] += W{k}[{j},{i}]*{before}[b,{i}]")
            lines.append(f"for b,{j}: s[b,{j}] += C{k}[{j}]")
    lines.append(f"for b,i{last}: P[b,i{last}] = softmax[i{last}](s[b,i{last}])")
    lines.append("for b: loss[b] = -log(P[b,t[b]])")
    return "\n".join([*lines, "minimize loss", f"train sgd(lr={rate})"]) + "\n"
