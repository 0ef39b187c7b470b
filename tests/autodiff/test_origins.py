"""A derived program says which calls of definitions its statements come from."""

from textwrap import dedent

import pytest

import einbatch as eb
from einbatch.cli.main import main
from einbatch.diagnostics import Source
from einbatch.elaborate import elaborate
from einbatch.syntax import format_source, parse
from tests.course.running import COURSE

LAYERS = """\
batch b < B
index i < 3, j < 2
input x[b,t,i]
param U[j,i] ~ glorot()
param C[j] = 0
param V[j,k] ~ glorot()
def affine[j,i](W, T, x) = sum[i](W[j,i]*x) - T[j]
def swish(x) = x*sigmoid(x)
scan t:
    for b,j: z[b,t,j] = affine[j,i](U, C, x[b,t,i])
    for b,j,k: z[b,t,j] += V[j,k]*(h[b,t-1,k] else 0)
    for b,j: h[b,t,j] = swish(
        z[b,t,j]
    )
for b,t,j: loss[b] += h[b,t,j]^2
minimize loss
"""

DERIVED = """\
scan t:
    # affine[j,i](U, C, x[b,t,i])
    for b,j: z[b,t,j] = sum[i](U[j,i]*x[b,t,i]) - C[j]

    for b,j,k: z[b,t,j] += V[j,k]*(h[b,t-1,k] else 0)
    # swish(z[b,t,j])
    for b,j: h_1[b,t,j] = sigmoid(z[b,t,j])
    for b,j: h[b,t,j] = z[b,t,j]*h_1[b,t,j]

for b,t,j: loss[b] += h[b,t,j]^2
for b: loss.grad[b] = 1
for b,t,j: h.grad[b,t,j] += 2*loss.grad[b]*h[b,t,j]
scan t down:
    # swish(z[b,t,j])
    for b,j: h_1.grad[b,t,j] += h.grad[b,t,j]*z[b,t,j]
    for b,j: z.grad[b,t,j] += h.grad[b,t,j]*h_1[b,t,j]
    for b,j: z.grad[b,t,j] += h_1.grad[b,t,j]*h_1[b,t,j]*(1 - h_1[b,t,j])

    for b,j,k: (h.grad[b,t-1,k] else 0) += z.grad[b,t,j]*V[j,k]
    for b,j,k: V.grad[j,k] += 1/B*z.grad[b,t,j]*(h[b,t-1,k] else 0)
    # affine[j,i](U, C, x[b,t,i])
    for b,j: C.grad[j] -= 1/B*z.grad[b,t,j]
    for b,j,i: U.grad[j,i] += 1/B*z.grad[b,t,j]*x[b,t,i]
"""


def test_layers_and_functions_are_named_where_they_were_put_in():
    text = str(eb.parse(LAYERS).backward)
    assert text.endswith(DERIVED)
    assert format_source(Source("derived.ein", text)) == text
    again = elaborate(parse(Source("derived.ein", text)))
    assert again == eb.parse(LAYERS).backward.program


def test_calls_are_named_once_as_they_were_typed():
    text = """\
        param Wŷ[i] = [1, 2]
        def double(x) = 2*x
        def twice(x) = double(double(x))
        y[i] = twice(Wŷ[i]) + double(3) + double(3)
        s = sum[i](y[i]) + double(0)
        q = 1 + double(1)
        minimize s
    """
    lines = str(eb.parse(dedent(text)).backward).splitlines()
    assert lines[1:] == [
        "# twice(Wŷ[i]), double(3)",
        "for i: y[i] = 2*(2*Wŷ[i]) + 2*3 + 2*3",
        "# double(0)",
        "s = sum[i](y[i]) + 2*0",
        "# double(1)",
        "q = 1 + 2*1",
        "",
        "s.grad = 1",
        "# double(0)",
        "for i: y.grad[i] += s.grad",
        "# twice(Wŷ[i]), double(3)",
        "for i: Wŷ.grad[i] += 4*y.grad[i]",
    ]


@pytest.mark.parametrize("path", sorted(COURSE.glob("*.ein")), ids=lambda path: path.stem)
@pytest.mark.parametrize("option", ["--raw", "--update"])
def test_what_is_printed_is_canonical(path, option: str, capsys: pytest.CaptureFixture[str]):
    assert main(["grad", str(path), option]) == 0
    text = capsys.readouterr().out
    assert format_source(Source("derived.ein", text)) == text
    assert ("\n# " in text or "    # " in text) == ("def " in path.read_text("utf-8"))
