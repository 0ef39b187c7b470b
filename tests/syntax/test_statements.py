"""The form of every statement."""

import pytest

from einbatch.syntax import nodes, unparse
from tests.syntax.reading import code, error, read


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("batch b<B", "batch b < B"),
        ("batch b", "batch b"),
        ("index r,c<8,j<2*B+1", "index r, c < 8, j < 2*B + 1"),
        ("let J=256", "let J = 256"),
        ("input image[b,r , c] from \"data/a.npz\"", 'input image[b,r,c] from "data/a.npz"'),
        ('input t[b] in ŷ from "f.npz:key"', 'input t[b] in ŷ from "f.npz:key"'),
        ("input a", "input a"),
        ("input a=3", "input a = 3"),
        ("input x[b,i]=[[1,2],[-3,4/5]]", "input x[b,i] = [[1, 2], [-3, 4/5]]"),
        ("input t[b] in i = [0, 1]", "input t[b] in i = [0, 1]"),
        ("param W[j,i] ~ normal(0,sqrt(2/|i|))", "param W[j,i] ~ normal(0, sqrt(2/|i|))"),
        ("param W[j,i]~glorot( )", "param W[j,i] ~ glorot()"),
        ("param a ~ uniform(-1, 1)", "param a ~ uniform(-1, 1)"),
        ("param C[j] = 0", "param C[j] = 0"),
        ("state v[j,i]=0", "state v[j,i] = 0"),
        ("dtype float64", "dtype float64"),
        ("minimize loss", "minimize loss"),
        ("maximize R[b]", "maximize R[b]"),
        ("report a=mean[b]([c[b]=t[b]])", "report a = mean[b]([c[b] = t[b]])"),
        ("train sgd(lr=.2,momentum=0.9),batch=32", "train sgd(lr=.2, momentum=0.9), batch=32"),
        ("train adam, epochs=3*2", "train adam, epochs=3*2"),
        ("train sgd()", "train sgd"),
        ("train batch=32,seed=-1", "train batch=32, seed=-1"),
        ("train", "train"),
        ("for b,  i,j:h[b,j]+=W[j,i] x[b,i]", "for b,i,j: h[b,j] += W[j,i]*x[b,i]"),
        ("for b:s max= x[b]", "for b: s max= x[b]"),
        ("for b:s  min=x[b]", "for b: s min= x[b]"),
        ("for b: for i:\n x = 1", "for b: for i: x = 1"),
        ("x[b] *= 2", "x[b] *= 2"),
        ("W.grad[j,i] -= 1", "W.grad[j,i] -= 1"),
        ("scan t:h[t]=x[t]", "scan t:\n    h[t] = x[t]"),
        ("scan t  down :\n h[t]=x[t]", "scan t down:\n    h[t] = x[t]"),
        ("scan t: for i: h[t,i]=x", "scan t:\n    for i: h[t,i] = x"),
        ("scan l: scan t: h[l,t]=x", "scan l:\n    scan t:\n        h[l,t] = x"),
        ("scan t:\n a[t]=1\n b[t]=2", "scan t:\n    a[t] = 1\n    b[t] = 2"),
        ("y[t]=x[t-1] else 0", "y[t] = (x[t-1] else 0)"),
        ("y[t]=(x[t-1]else 0)", "y[t] = (x[t-1] else 0)"),
        ("y[t]=2*(x[t-1] else h0[b])", "y[t] = 2*(x[t-1] else h0[b])"),
        ("y[t]=tanh((x[t-1] else 0))", "y[t] = tanh(x[t-1] else 0)"),
        ("y=max(x[i-1] else 0, x[i+1] else [i<1])", "y = max(x[i-1] else 0, x[i+1] else [i < 1])"),
        ("y=sum[k](x[k-1] else 0)", "y = sum[k](x[k-1] else 0)"),
        ("y=x[t-1] else (x[t-2] else 0)", "y = (x[t-1] else (x[t-2] else 0))"),
        ("(g[t-1]else 0)+=h[t]", "(g[t-1] else 0) += h[t]"),
        ("for t,k:(g[t+k-1] else 0)-=1", "for t,k: (g[t+k-1] else 0) -= 1"),
        ("mask[b,j]~bernoulli(.9)", "mask[b,j] ~ bernoulli(.9)"),
        ("for b: e[b]~normal(0,1)", "for b: e[b] ~ normal(0, 1)"),
        ("def swish(x)=x σ(x)", "def swish(x) = x*sigmoid(x)"),
        ("def affine[j,i](W,T,x)=Σ_i W[j,i] x-T[j]",
         "def affine[j,i](W, T, x) = sum[i](W[j,i]*x) - T[j]"),
        ("y[i]=x[mod(i+1)]+x[clamp(i-1)]", "y[i] = x[mod(i+1)] + x[clamp(i-1)]"),
    ],
)  # fmt: skip
def test_statements(text: str, canonical: str):
    (statement,) = read(text).statements
    assert unparse(statement) == canonical


def test_an_index_list_shares_its_extent():
    (statement,) = read("index r, c < 8, j < 64").statements
    assert isinstance(statement, nodes.Indices)
    assert [len(group.names) for group in statement.groups] == [2, 1]


def test_a_train_line_tells_settings_from_options():
    (statement,) = read("train sgd(lr=0.1, batch=2), batch=32").statements
    assert statement == nodes.Train(
        "sgd",
        (nodes.Option("lr", nodes.Number("0.1")), nodes.Option("batch", nodes.Number("2"))),
        (nodes.Option("batch", nodes.Number("32")),),
    )


@pytest.mark.parametrize(
    "text",
    [
        "index i",
        "index i <= 8",
        "index i < 8 <",
        "batch b, c",
        "let x[i] = 1",
        "let x",
        "input x [i]",
        "input x[]",
        "input x[i] in",
        "input x[i+1]",
        "input x = ",
        'x = "a"',
        "param W[i]",
        "param W[i] ~ normal",
        "param W[i] ~ normal(0, 1",
        "state v",
        "dtype",
        "dtype 64",
        "minimize a + b",
        "minimize",
        "report a[i] = 1",
        "train sgd(0.1)",
        "train sgd batch=3",
        "train sgd, adam",
        "for b x = 1",
        "for: x = 1",
        "for b,: x = 1",
        "x",
        "x[b]",
        "x + y = 1",
        "2 = x",
        "(x) = 1",
        "f(x) = 1",
        "x = 1 = ",
        "x += ",
        "x =+ = 1",
        "x = a +",
        "x = * a",
        "x = a and",
        "x = if a then b",
        "x = a + if b then c else d",
        "if a then b",
        "scan: x = 1",
        "scan t x = 1",
        "scan t, s: x = 1",
        "scan t up down: x = 1",
        "scan t: minimize x",
        "for t: scan s: x = 1",
        "scan t: let x = 1",
        "(g[t-1]) += 1",
        "(g else 0) += 1",
        "(g[t-1] else x[0]) += 1",
        "y = x[t-1] else x[t-2] else 0",
        "mask[b] ~ 3",
        "mask[b] ~ bernoulli",
        "mask[b] += bernoulli(0.9) ~ 1",
        "def f = 3",
        "def f() = 3",
        "def f(x)",
        "def f(x+1) = x",
        "def f[i] = 3",
        "def f(x) += 3",
        "for i: def f(x) = x",
    ],
)
def test_what_is_no_statement(text: str):
    found = error(text)
    assert found.code in ("E0101", "E0108")
    assert "where" in found.message or found.code == "E0108"
    assert found.help
    assert not any(word.isupper() and len(word) > 2 for word in found.message.split())


@pytest.mark.parametrize(
    "text",
    [
        "y = (2*x[t] else 0)",
        "y = x else 0",
        "y = x[t] + x[t-1] else 0",
        "y = (x[t-1] else 0) else 1",
        "(g[t-1] else 1) += 1",
    ],
)
def test_only_a_read_has_an_else_of_its_own(text: str):
    assert code(text) == "E0121"


@pytest.mark.parametrize("word", ["donw", "up", "reverse", "t"])
def test_the_direction_of_a_scan(word: str):
    assert code(f"scan t {word}: x = 1") == "E0122"


def test_brackets_that_do_not_match():
    for text in ("x = (a", "x = a)", "x = (a]", "x[i = 1", "y = f(a\nfor b: x = 1"):
        assert code(text) == "E0108"
    found = error("x = (a\nlet y = 1")
    assert [label.span.text for label in found.labels] == ["(", "let"]


def test_the_first_error_is_the_one_that_is_told():
    assert code("x = )\ny = $") == "E0108"
    assert code("x = a 3\nfor b:\n\t  y = 1") == "E0110"
    assert code("x = $\ny = )") == "E0102"
    assert code("x = ) $") == "E0108"
