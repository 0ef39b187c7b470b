"""What binds what."""

import pytest

from einbatch.syntax import nodes
from tests.syntax.reading import code, error, read, shown, value


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1/B h̃.grad[b,j] x[b,i]", "((1/B)*h̃.grad[b,j])*x[b,i]"),
        ("a/b c", "(a/b)*c"),
        ("a b/c d", "((a*b)/c)*d"),
        ("a + b*c^d", "a + (b*(c^d))"),
        ("a^b^c", "a^(b^c)"),
        ("a^-b^c", "a^(-(b^c))"),
        ("a^--b", "a^(-(-b))"),
        ("-a*b", "-(a*b)"),
        ("-a b", "-(a*b)"),
        ("-x^2", "-(x^2)"),
        ("a - -b c", "a - (-(b*c))"),
        ("2*-b*c", "(2*(-b))*c"),
        ("a/-b^2", "a/(-(b^2))"),
        ("a if", None),
        ("if a < b then c else d + e", "if (a < b) then c else (d + e)"),
        (
            "if a < b then c else if d < e then f else g",
            "if a < b then c else (if d<e then f else g)",
        ),
        ("[a < b and c or d and not e = f]", "[((a<b) and c) or (d and (not (e = f)))]"),
        ("[a + b < c*d]", "[(a + b) < (c*d)]"),
        ("[not not a]", "[not (not a)]"),
        ("[a < b <= c]", "[a < b and b <= c]"),
        ("[a = b == c != d]", "[a = b and b = c and c != d]"),
        ("(a)(b)", "a*b"),
        ("(((a)))", "a"),
        ("|i||j|", "|i|*|j|"),
        ("| i |", "|i|"),
        ("2a", "2*a"),
        ("2(a)", "2*a"),
        ("3 [i = j]", "3*[i=j]"),
        ("a exp (b) c", "a*exp(b)*c"),
        ("max (a,b)", "max(a, b)"),
        ("β (a−b)", "β*(a - b)"),
        ("W[i] [i = j]", "W[i]*[i = j]"),
        ("W [i = j]", "W*[i = j]"),
    ],
)
def test_what_binds_what(text: str, same: str | None):
    if same is None:
        assert code(f"x = {text}") == "E0101"
        return
    assert _flat(value(text)) == _flat(value(same))


def _flat(node: object) -> object:
    """A tree with the products on the left of a product spliced into it, as `*` reads."""
    if isinstance(node, nodes.Product):
        (_, first), *rest = [(sign, _flat(factor)) for sign, factor in node.factors]
        head = first.factors if isinstance(first, nodes.Product) else (("*", first),)
        return nodes.Product((*head, *rest))
    if isinstance(node, tuple):
        return tuple(_flat(item) for item in node)
    if hasattr(node, "__slots__"):
        slots = [slot for slot in type(node).__slots__ if slot != "span"]
        return type(node)(**{slot: _flat(getattr(node, slot)) for slot in slots})
    return node


def test_sums_and_products_are_flat_and_parentheses_are_kept():
    assert [sign for sign, _ in value("a - b + c").terms] == ["+", "-", "+"]
    assert [sign for sign, _ in value("a/b c*d").factors] == ["*", "/", "*", "*"]
    assert shown("(a + b) + c") == "(a + b) + c"
    assert shown("a*(b*c)") == "a*(b*c)"
    assert shown("[(a and b) and c]") == "[(a and b) and c]"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("(y−t)²", "(y - t)^2"),
        ("10⁻³", "10^-3"),
        ("x[b]³", "x[b]^3"),
        ("|i|²", "|i|^2"),
        ("[i = j]²", "[i = j]^2"),
        ("exp(x)⁺²", "exp(x)^2"),
        ("2³²", "2^32"),
        ("sum[i](a)²", "sum[i](a)^2"),
        ("2 (a)² b", "2*a^2*b"),
        ("-3²", "-3^2"),
        ("2^10⁻³", "2^10^-3"),
        ("x² y", "x²*y"),
    ],
)
def test_a_superscript_number_is_a_power(text: str, canonical: str):
    assert shown(text) == canonical


@pytest.mark.parametrize("text", ["W⁻¹", "W ²", "²", "a + ²", "(a)²³²^2", "(a)² ³", "W⁰⁻¹"])
def test_other_superscripts_are_an_error(text: str):
    found = error(f"x = {text}")
    assert found.code in ("E0112", "E0101")
    assert found.help


@pytest.mark.parametrize(
    "text", ["3 000", "x 3", "(x) 3", "W[i] 3", "|i| 3", "x² 3", "1.2.3", "(a)² 3"]
)
def test_a_number_straight_after_a_factor_is_an_error(text: str):
    assert code(f"x = {text}") == "E0110"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("sum[i,j](e)", "sum[i,j](e)"),
        ("sum [i,j] (e)", "sum[i,j](e)"),
        ("Σ_i W[j,i] x[b,i] − C[j]", "sum[i](W[j,i]*x[b,i]) - C[j]"),
        ("Σ_{i,j} a b", "sum[i,j](a*b)"),
        ("Σ_{ i }a", "sum[i](a)"),
        ("∏_i a", "prod[i](a)"),
        ("Π_i a", "prod[i](a)"),
        ("softmax_ŷ s[b,ŷ]", "softmax[ŷ](s[b,ŷ])"),
        ("a/Σ_i b*c", "a/sum[i](b*c)"),
        ("exp(s[b,ŷ])/Σ_ŷ exp(s[b,ŷ])", "exp(s[b,ŷ])/sum[ŷ](exp(s[b,ŷ]))"),
        ("2 Σ_i -x[i] y", "2*sum[i](-x[i]*y)"),
        ("2*-Σ_i x[i]", "2*-sum[i](x[i])"),
        ("Σ_i Σ_j a/b", "sum[i](sum[j](a/b))"),
        ("Σ_i (a) b + c", "sum[i](a*b) + c"),
        ("-Σ_i a", "-sum[i](a)"),
        ("Σ_y' a", "sum[y'](a)"),
        ("log_softmax_ŷ s[ŷ]", "log_softmax[ŷ](s[ŷ])"),
        ("max[i](max(a, b))", "max[i](max(a, b))"),
        ("argmax[i](a)", "argmax[i](a)"),
        ("sum_{i} a", "sum[i](a)"),
    ],
)
def test_reductions(text: str, canonical: str):
    assert shown(text, "index i, ŷ < 3") == canonical


@pytest.mark.parametrize(
    "before",
    [
        "index i < 3",
        "index j, i < 3",
        "index j < max(2, 3), k < 3, i < 3",
        "index j < 2, i < 3",
        "batch i < B",
        "batch i",
        "input t[b] in i",
        "for b,i: y[b] = 1",
        "y = W[b,i]",
        "y = W[i]",
        "y = W[b,\n  i  # why\n]",
        "y = sum [b,i](1)",
        "y = sum[i](1)",
        "y = Σ_{j,i} 1",
        "y = Σ_i 1",
        "param W[i,j] = 0",
    ],
)
def test_an_ascii_word_is_a_reduction_where_an_index_of_the_program_follows(before: str):
    assert shown("max_i a", before) == "max[i](a)"
    assert shown("max_i a", "y = 1") == "max_i*a"


@pytest.mark.parametrize(
    "before",
    [
        "y = W[i+1]",
        "y = W [i]",
        "y = W[f(i)]",
        "y = f(i)",
        "y = [i]",
        "let i = 3\ny = W[i]",
        "y = i",
    ],
)
def test_other_uses_make_no_index(before: str):
    assert shown("sum_i + 1", before) == "sum_i + 1"


def test_the_first_pass_looks_ahead():
    assert shown("sum_i a", "") == "sum_i*a"
    first, _ = read("x = sum_i a\nindex i < 3\n").statements
    assert isinstance(first, nodes.Assign)
    assert isinstance(first.value, nodes.Reduction)


@pytest.mark.parametrize(
    "text",
    [
        "sum_i = 1",
        "param sum_i[j] = 0",
        "let max_i = 1",
        "for i: log_softmax_i = 1",
        "minimize sum_i",
    ],
)
def test_a_declared_name_may_not_look_like_a_reduction(text: str):
    assert code(f"index i < 3\n{text}") == "E0115"


@pytest.mark.parametrize("text", ["sum(x)", "Σ x", "sum", "Σ_ x", "mean + 1", "∑W", "sum^2"])
def test_a_reduction_needs_its_indices(text: str):
    assert code(f"x = {text}") == "E0116"


def test_a_reduction_in_brackets_needs_parentheses():
    assert "sum[i](e)" in error("x = sum[i] a").help
    assert "Σ_{i,j}" in error("x = Σ_i,j a").help


def test_functions_are_called_and_other_names_multiply():
    assert value("tanh (a)") == nodes.Call("tanh", (nodes.Name(nodes.Identifier("a")),))
    assert shown("f(a)") == "f*a"
    assert code("x = f(a, b)") == "E0120"
    assert error("x = sgn(a, b)").help == "is `sign` meant?"


def test_brackets_list_elements_only_as_a_whole_value():
    (statement,) = read("input x[i,j] = [[1, 2], [3, -4/5]]").statements
    assert isinstance(statement, nodes.Input)
    assert isinstance(statement.literal, nodes.Elements)
    assert isinstance(statement.literal.items[0], nodes.Elements)
    (single,) = read("param W[i] = [3]").statements
    assert isinstance(single, nodes.Param)
    assert single.initial == nodes.Elements((nodes.Number("3"),))
    (eye,) = read("param W[i,j] = [i = j]").statements
    assert isinstance(eye, nodes.Param)
    assert isinstance(eye.initial, nodes.Iverson)
    (scaled,) = read("param W[i] = 2*[i]").statements
    assert isinstance(scaled, nodes.Param)
    assert scaled.initial == value("2*[i]")
    assert code("x = [1, 2]") == "E0118"
    assert code("param W[i] = 2*[1, 2]") == "E0118"


def test_constant_subscripts_and_gathers():
    assert shown("z[b,0] + P[b,label[b]] + x[b,2*t+k]") == "z[b,0] + P[b,label[b]] + x[b,2*t+k]"


def test_a_chain_of_comparisons_holds_no_chain():
    assert code("x = [0 < [1 < a < 2] < 3]") == "E0119"
    assert shown("[[1 < a < 2] < b < 3]") == "[[1 < a and a < 2] < b and b < 3]"


def test_spans_cover_what_was_typed():
    (statement,) = read("x = (a + b)² c").statements
    assert isinstance(statement, nodes.Assign)
    product = statement.value
    assert isinstance(product, nodes.Product)
    power = product.factors[0][1]
    assert isinstance(power, nodes.Power)
    assert (product.span.text, power.span.text) == ("(a + b)² c", "(a + b)²")
    assert power.base.span.text == "a + b"
    assert statement.span.text == "x = (a + b)² c"
    assert value("Σ_{i,ŷ'} a").indices[1].span.text == "ŷ'"
    assert value("softmax_ŷ a", "index ŷ < 3").indices[0].span.text == "ŷ"
    assert value("| i |").index.span.text == "i"
