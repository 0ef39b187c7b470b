"""What a text may hold: characters, names, lines, and the spellings of each token."""

import pytest

from einbatch.syntax import nodes
from tests.syntax.reading import code, error, read, shown, value


def identifier(spelling: str) -> nodes.Identifier:
    (statement,) = read(f"let {spelling} = 1").statements
    assert isinstance(statement, nodes.Let)
    return statement.name


def test_a_byte_order_mark_and_crlf_are_read():
    assert read("\ufeffx = 1\r\ny = 2\r\n") == read("x = 1\ny = 2\n")
    assert read("\ufeff# nothing\r\n\r\n") == read("")


def test_an_empty_text_is_a_program():
    assert read("").statements == ()
    assert read("\n  \n# only a comment").statements == ()


@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("W⁰", "W0"),
        ("W₁₂", "W12"),
        ("W0", "W0"),
        ("x²", "x2"),
        ("ŷ", "ŷ"),
        ("y\u0302", "ŷ"),
        ("h\u0303", "h\u0303"),
        ("Δx", "Δx"),
        ("y'", "y'"),
        ("y′", "y'"),
        ("y″", "y''"),
        ("y'₂'", "y'2'"),
        ("_", "_"),
        ("_a1", "_a1"),
        ("ｘ", "x"),
        ("𝒙", "x"),
        ("T.grad", "T.grad"),
        ("T.grad2", "T.grad2"),
        ("T.grad²", "T.grad2"),
        ("T.grad.grad2", "T.grad.grad2"),
        ("W⁰.grad", "W0.grad"),
        ("ΣW", "ΣW"),
        ("summe", "summe"),
        ("maximum", "maximum"),
        ("form", "form"),
        ("inf_", "inf_"),
    ],
)
def test_names_fold_to_keys(spelling: str, key: str):
    found = identifier(spelling)
    assert (found.key, found.spelling) == (key, spelling)


def test_two_spellings_of_a_key_are_one_name():
    assert read("x = W⁰[i] + y′") == read("x = W0[i] + y'")


@pytest.mark.parametrize("name", ["Wᵀ", "xᵢ", "aⁿ", "xₖ2", "Σᵢ", "σᵃ"])
def test_small_letters_are_an_error_with_a_hint(name: str):
    found = error(f"x = {name}")
    assert found.code == "E0111"
    assert found.help


def test_a_small_letter_after_a_reduction_hints_at_its_index():
    assert error("x = Σᵢ a").help == "write `Σ_i`"


@pytest.mark.parametrize("text", ["a½", "a①", "a→b", "a–b", "ŀ", "aͺ", "™", "a\u200bb", "x\ufeff"])
def test_other_characters_are_no_part_of_a_name(text: str):
    assert code(f"x = {text}") == "E0102"


@pytest.mark.parametrize(
    "character", ["\0", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "\r", "\x0c"]
)
@pytest.mark.parametrize("text", ["x = {} 1", "x = 1 # {} ", "{}", 'input x from "{}"', "x{}= 1"])
def test_control_characters_are_an_error_everywhere(character: str, text: str):
    assert code(text.format(character)) == "E0102"


def test_unicode_spaces_are_spaces():
    assert read("x\u00a0=\u2009a\u202f+ b") == read("x = a + b")
    assert code("for b:\n\u00a0\u00a0x = 1") == "E0109"


@pytest.mark.parametrize("name", ["sum", "Σ", "∑", "prod", "Π", "mean", "max", "softmax", "argmin"])
def test_reduction_names_are_reserved(name: str):
    for text in (f"param {name}[i] = 0", f"let {name} = 1", f"{name}[i] = 1", f"{name} = 1"):
        found = error(text)
        assert found.code == "E0114"
        assert found.help


def test_a_functions_name_may_be_a_tensors_where_it_is_subscripted():
    assert shown("σ[b,k] + σ(x)*exp[b]") == "σ[b,k] + sigmoid(x)*exp[b]"
    assert read("param log[i] = 0").statements[0] == nodes.Param(
        nodes.Identifier("log"), (nodes.Identifier("i"),), nodes.Number("0")
    )
    assert shown("σ.grad[b]*σ.grad") == "σ.grad[b]*σ.grad"
    for text in (
        "x = σ",
        "x = exp + 1",
        "let exp = 1",
        "exp = 1",
        "x = exp [i = 1]",
        "minimize log",
    ):
        assert code(text) == "E0117"


@pytest.mark.parametrize("word", ["for", "in", "state", "index", "batch", "else", "and"])
def test_words_of_the_language_are_no_names(word: str):
    assert code(f"let {word} = 1") == "E0113"
    assert code(f"param W[{word}] = 1") in ("E0113", "E0101")


def test_comments_run_to_the_end_of_the_line():
    assert read("x = 1 # y = 2\n# z\ny = 2 #") == read("x = 1\ny = 2")
    (statement,) = read('input x from "a#b.npz" # c').statements
    assert isinstance(statement, nodes.Input)
    assert statement.source == "a#b.npz"


def test_comments_and_blank_lines_are_kept_in_the_tree():
    tree = read("# one\n\nx = 1  # two\r\n \n")
    assert tree.comments == (nodes.Comment("# one", 1, True), nodes.Comment("# two", 3, False))
    assert tree.blank_lines == (2, 4, 5)


def test_a_statement_goes_on_inside_brackets_only():
    assert read("x = (a\n  + b) * W[\n\n i, # why\n j]") == read("x = (a + b)*W[i,j]")
    assert read("x = Σ_{\ni} a") == read("x = Σ_{i} a")
    assert code("x = a\n + b") == "E0109"
    assert code("x = a +\nb") == "E0101"
    assert code("x = a for b: y = b") == "E0113"


def test_for_takes_a_statement_or_a_block():
    one = read("for b,i: x[b,i] = 1")
    assert read("for b, i:\n  x[b,i] = 1\n") == one
    assert read("for b,i:\n\n    # why\n    x[b,i] = 1") == one
    two = read("for b:\n\tx[b] = 1\n\tfor i: y[b,i] = 2\nz = 3")
    loop, last = two.statements
    assert isinstance(loop, nodes.For)
    assert [type(item) for item in loop.body] == [nodes.Assign, nodes.For]
    assert isinstance(last, nodes.Assign)
    assert read("for b: for i:\n  x = 1\n  for j: for k: y = 2\n") == read(
        "for b:\n for i:\n  x = 1\n  for j:\n   for k:\n    y = 2"
    )


@pytest.mark.parametrize(
    "text",
    [
        "for b:\n\tx = 1\n  y = 1",
        "for b:\n  x = 1\n\ty = 1",
        "for b:\n \tx = 1",
        "for b:\n  for i:\n  \tx = 1",
        "for b:\n  x = 1\n y = 1",
        "for b:\n  x = 1\n   y = 1",
        "for b:\nx = 1",
        "for b:",
        "  x = 1",
        "\tx = 1",
    ],
)
def test_indentation_that_means_nothing_is_an_error(text: str):
    assert code(text) == "E0109"


def test_only_assignments_stand_under_for():
    assert code("for b: param W = 1") == "E0101"
    assert code("for b:\n  minimize loss") == "E0101"


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("σ(a)", "sigmoid(a)"),
        ("ReLU(a)", "relu(a)"),
        ("ln(a)", "log(a)"),
        ("Σ[i](a)", "sum[i](a)"),
        ("∑[i](a)", "sum[i](a)"),
        ("Π[i](a)", "prod[i](a)"),
        ("∏[i](a)", "prod[i](a)"),
        ("a·b×c⋅d∗e*f", "a*b*c*d*e*f"),
        ("[i ≤ j]", "[i <= j]"),
        ("[i ≥ j]", "[i >= j]"),
        ("[i ≠ j]", "[i != j]"),
        ("[i == j]", "[i = j]"),
        ("a**b^c", "a^b^c"),
        ("−a − b", "-a - b"),
        ("-∞", "-inf"),
        ("2π", "2*pi"),
        ("1e−7", "1e-7"),
    ],
)
def test_one_token_has_several_spellings(spelled: str, canonical: str):
    assert shown(spelled) == canonical


def test_assignments_and_membership_have_several_spellings():
    assert read("x −= 1\nx ×= 2\nx ·= 2") == read("x -= 1\nx *= 2\nx *= 2")
    assert read("input t[b] ∈ ŷ") == read("input t[b] in ŷ")
    assert code("x == 1") == "E0101"


def test_inf_and_pi_are_names_where_they_stand_alone():
    assert value("∞") == nodes.Name(nodes.Identifier("inf"))
    assert value("π") == nodes.Name(nodes.Identifier("pi"))
    assert shown("π[s,a]*π") == "π[s,a]*pi"
