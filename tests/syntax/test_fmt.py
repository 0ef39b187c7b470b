"""The canonical form: comments, paragraphs, blocks, spellings, spaces."""

import pytest

from einbatch.diagnostics import NOWHERE, InternalError, Source
from einbatch.syntax import format_source, nodes, unparse
from tests.syntax.reading import read


def fmt(text: str) -> str:
    printed = format_source(Source("test.ein", text))
    assert read(printed) == read(text)
    assert format_source(Source("test.ein", printed)) == printed
    return printed


@pytest.mark.parametrize(
    "text",
    [
        "for b,i,j: h̃[b,j] += W[j,i]*x[b,i]\n",
        "for b,i,j: x.grad[b,i] += h̃.grad[b,j]*W[j,i]\n",
        "for b,i,j: W.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]\n",
        "for b,ŷ: s.grad[b,ŷ] += loss.grad[b]*(P[b,ŷ] - [ŷ = label[b]])\n",
        "h[b,t] = max(a, b)*x[b,t+1]^2/(|i|*|j|)\n",
        "index r, c < 8, j < 64\n",
        "train sgd(lr=0.2, momentum=0.9), batch=32\n",
        "y = if a < b then c else d\n",
        "P[b,label[b]] += T[b,2*t-1,mod(i+1, |i|)]\n",
    ],
)
def test_canonical_statements_stay_as_they_are(text: str):
    assert fmt(text) == text


def test_comments_stand_where_they_stood():
    text = (
        "#!/usr/bin/env einbatch\n"
        "\n\n\n"
        "# before x\n"
        "x   = 1   # after x   \n"
        "y = (a  # in y\n"
        "  # also in y\n"
        "\n"
        "  + b)# after y\n"
        "for b: # on the for\n"
        "\n"
        "   # in the block\n"
        "   z[b] = 1 # z\n"
        "\n\n"
        "   w[b] = 2\n"
        "   # behind the block\n"
        "\n"
        "for b: # head\n"
        "  # inner\n"
        "  v[b] = 1   # v\n"
        "\n"
        "# the end\n"
        "\n"
    )
    assert fmt(text) == (
        "#!/usr/bin/env einbatch\n"
        "\n"
        "# before x\n"
        "x = 1  # after x\n"
        "# in y\n"
        "# also in y\n"
        "y = a + b  # after y\n"
        "for b:  # on the for\n"
        "    # in the block\n"
        "    z[b] = 1  # z\n"
        "\n"
        "    w[b] = 2\n"
        "# behind the block\n"
        "\n"
        "# head\n"
        "# inner\n"
        "for b: v[b] = 1  # v\n"
        "\n"
        "# the end\n"
    )


def test_paragraphs_are_kept_and_blank_lines_are_single():
    assert fmt("\n\nx = 1\n\n\n\ny = 2\nz = 3\n\n\n") == "x = 1\n\ny = 2\nz = 3\n"
    assert fmt("") == ""
    assert fmt("\n \n") == ""
    assert fmt("# a\n\n\n# b") == "# a\n\n# b\n"


def test_line_ends_become_newlines():
    assert fmt("\ufeffx = 1 # c\r\n\r\ny = 2\r\n") == "x = 1  # c\n\ny = 2\n"


def test_blocks():
    text = "for b:\n  x = 1\n  for i:\n     for j: y = 2\n  for k:\n\n   z = 1\n   w = 2\n"
    assert fmt(text) == (
        "for b:\n    x = 1\n    for i: for j: y = 2\n    for k:\n        z = 1\n        w = 2\n"
    )
    assert fmt("for b: for i:\n x = 1\n y = 2") == "for b: for i:\n    x = 1\n    y = 2\n"


def test_names_are_spelled_as_they_are_declared():
    assert fmt("x = W0[i]\nparam W⁰[i] = 0\nW0.grad[i] = y′") == (
        "x = W⁰[i]\nparam W⁰[i] = 0\nW⁰.grad[i] = y′\n"
    )
    assert fmt("x = y′ + y'") == "x = y′ + y′\n"
    assert fmt("x = ∞ + π*inf") == "x = inf + pi*inf\n"


def test_names_of_other_stages_are_spelled_by_their_keys():
    known, derived = nodes.Identifier("W0", "W⁰"), nodes.Identifier("W0.grad")
    tree = nodes.Tree(
        (
            nodes.Assign(nodes.Name(known), "=", nodes.Name(nodes.Identifier("h_1"))),
            nodes.Assign(nodes.Name(derived), "=", nodes.Name(nodes.Identifier("h_1", "h"))),
        )
    )
    assert unparse(tree) == "W⁰ = h_1\nW⁰.grad = h_1\n"
    assert unparse(nodes.Name(derived)) == "W0.grad"
    assert unparse(nodes.ExtentOf(known)) == "|W⁰|"


def test_statements_without_a_source_take_no_comments():
    tree = read("# one\nx = 1\n\ny = 2")
    made = nodes.Assign(nodes.Name(nodes.Identifier("z")), "=", nodes.Number("3"), NOWHERE)
    mixed = nodes.Tree((*tree.statements, made), tree.comments, tree.blank_lines)
    assert unparse(mixed) == "# one\nx = 1\n\ny = 2\nz = 3\n"


def test_a_number_that_is_no_numeral_is_never_printed():
    for text in ("-1", "nan", "1e", ""):
        with pytest.raises(InternalError):
            unparse(nodes.Power(nodes.Number(text), nodes.Number("2")))


def test_an_iverson_bracket_of_a_number_is_no_list():
    bracket = nodes.Iverson(nodes.Name(nodes.Identifier("a")))
    tree = nodes.Tree((nodes.Param(nodes.Identifier("W"), (), bracket),))
    assert unparse(tree) == "param W = ([a])\n"
    assert read(unparse(tree)) == tree


def test_very_deep_trees_of_other_stages_print():
    expression: nodes.Expression = nodes.Name(nodes.Identifier("a"))
    for _ in range(5000):
        expression = nodes.Call("exp", (nodes.Negate(expression),))
    assert unparse(expression) == "exp(-" * 5000 + "a" + ")" * 5000
