"""The language, section 2: text, names, spellings, juxtaposition, reductions, `fmt`."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import formatted, refusal, value, values

XY = "index i < 3, j < 2\ninput x[i] = [1, 2, 3]\ninput y[i] = [4, 5, 6]\ninput m[i,j]\n"
AB = "input a = 2\ninput b = 3\ninput c = 5\n"


def test_a_byte_order_mark_and_carriage_returns_are_read(tmp_path):
    path = tmp_path / "m.ein"
    path.write_bytes("\ufeffinput x = 3\r\ny = 2*x\r\n".encode())
    assert eb.load(path).forward()["y"] == 6


def test_names_are_folded_and_keyed_by_nfkc():
    found = values(
        "index j < 2\ninput W⁰[j] = [1, 2]\ninput b₁ = 1\ny'[j] = W0[j]*b¹\nz = Σ_j y′[j]"
    )
    assert {"W0", "b1", "y'", "z"} <= set(found)
    assert found["z"] == 3


@pytest.mark.parametrize("name", ["ŷ", "h̃", "Δx", "y'", "W⁰", "_a", "ſ1", "данные", "x''"])
def test_names(name: str):
    found = values(f"input {name} = 2\nz = {name} + 1")
    assert found["z"] == 3


@pytest.mark.parametrize("name", ["Wᵀ", "xᵢ", "xₐ", "aⁿ"])
def test_superscript_and_subscript_letters_are_errors_with_a_hint(name: str):
    said = refusal(f"input {name} = 2\n")
    assert "error[E0111]" in said
    assert "help: " in said


@pytest.mark.parametrize(
    "text",
    [
        "index i < 3\ninput i = 2",
        "batch b < B\ninput B = 3",
        "let a = 1\ninput a = 2",
        "index i < 3\ninput x[i] = [1, 2, 3]\ni = 4",
    ],
)
def test_one_name_space(text: str):
    said = refusal(text)
    assert said.count("-->") >= 2, said


@pytest.mark.parametrize("name", ["sum", "mean", "softmax", "argmax", "Σ"])
def test_reduction_names_are_reserved_with_a_hint(name: str):
    said = refusal(f"index i < 2\ninput {name}[i] = [1, 2]\n")
    assert "help: " in said


def test_a_functions_name_may_be_a_tensors_where_it_is_subscripted():
    found = values("batch b\ninput z[b]\nσ[b] = σ(z[b])\nq[b] = 2 σ[b]", z=[0.0])
    assert found["q"] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a−b)²", "(a - b)^2"),
        ("10⁻³", "10^-3"),
        ("2³ a", "2^3*a"),
        ("sum[i](x[i])²", "sum[i](x[i])^2"),
        ("|i|²", "|i|^2"),
        ("x[0]²", "x[0]^2"),
        ("[a > 0]²", "[a > 0]^2"),
    ],
)
def test_superscript_numbers_are_powers(text: str, expected: str):
    assert value(text, XY + AB) == expected


def test_a_superscript_number_after_a_name_is_a_part_of_it():
    assert values("input x² = 3\ny = x2")["y"] == 3
    said = refusal("input x = 3\ny = x²")
    assert "help: after a name, digits are a part of it; the power is `x^2`" in said


def test_ten_to_the_minus_three_is_no_digit():
    assert values("y = 10⁻³ + 2¹⁰")["y"] == 1024.001


def test_inside_brackets_a_statement_goes_on_and_comments_end_with_their_line():
    assert values("y = (1 + # one\n   2)\nz = y # twice\n")["z"] == 3


def test_nested_for_adds_its_indices():
    text = (
        "index i < 2, j < 3\nfor i:\n    for j:\n        A[i,j] = i + 10*j\n"
        "    for j: s[i] += A[i,j]"
    )
    assert values(text)["s"].tolist() == [30, 33]
    assert values("index i < 2, j < 3\nfor i: for j: A[i,j] = i*j")["A"].tolist() == [
        [0] * 3,
        [0, 1, 2],
    ]


def test_tabs_mixed_with_spaces_are_an_error():
    said = refusal("index i < 2\nfor i:\n    a[i] = 1\n\tb[i] = 2\n")
    assert "error[E0109]" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("σ(a) + sigmoid(a)", "sigmoid(a) + sigmoid(a)"),
        ("Σ[i](x[i]) + ∑[i](x[i])", "sum[i](x[i]) + sum[i](x[i])"),
        ("Π[i](x[i]) + ∏[i](x[i])", "prod[i](x[i]) + prod[i](x[i])"),
        ("a·b × c ⋅ a ∗ b", "a*b*c*a*b"),
        ("[a ≤ b] + [a ≥ b] + [a ≠ b] + [a == b]", "[a <= b] + [a >= b] + [a != b] + [a = b]"),
        ("a ** 2 − b^2", "a^2 - b^2"),
        ("∞ + π + ln(a) + ReLU(b)", "inf + pi + log(a) + relu(b)"),
    ],
)
def test_one_token_several_spellings(text: str, expected: str):
    assert value(text, XY + AB) == expected


def test_in_and_element_of():
    assert "in k" in formatted("batch b\nindex k < 2\ninput t[b] ∈ k\n")


@pytest.mark.parametrize(
    ("text", "expected", "number"),
    [
        ("1/a b c", "1/a*b*c", 7.5),
        ("a b^2", "a*b^2", 18),
        ("-a b", "-a*b", -6),
        ("2 a (b−c)", "2*a*(b - c)", -8),
        ("a (b)", "a*b", 6),
        ("exp (0) a", "exp(0)*a", 2),
        ("a [b > 2]", "a*[b > 2]", 2),
        ("2a + 2(b)", "2*a + 2*b", 10),
        ("a b/c a", "a*b/c*a", 12 / 5),
        ("2^3^2", "2^3^2", 512),
        ("-2^2", "-2^2", -4),
        ("(a)(b)", "a*b", 6),
        ("if a > 1 and not b = 2 or a < 0 then a else b", None, 2),
        ("[a < b < c] + [not a < b]", "[a < b and b < c] + [not a < b]", 1),
    ],
)
def test_juxtaposition_and_precedence(text: str, expected: str | None, number: float):
    shown = value(text, AB)
    assert shown == (text if expected is None else expected)
    assert values(f"{AB}y = {text}")["y"] == pytest.approx(number)
    assert values(f"{AB}y = {shown}")["y"] == pytest.approx(number)


def test_an_undeclared_name_before_a_bracket_is_an_error_with_the_nearest_name():
    said = refusal("input a = 1\ny = sigmod(a)")
    assert "help: " in said
    assert "sigmoid" in said
    said = refusal("let alpha = 1\ninput a = 1\ny = alpah (a)")
    assert "alpha" in said.split("help: ")[1]


@pytest.mark.parametrize("text", ["3 000", "a 2", "x[0] 3", "(a) 3"])
def test_a_number_straight_after_a_factor_is_an_error(text: str):
    assert "error[E0110]" in refusal(f"{XY}{AB}y = {text}")


def test_a_bracket_after_a_space_is_iversons():
    assert values("input a = 2\ny = a [a = 2]")["y"] == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Σ_i x[i] y[i] + 1", "sum[i](x[i]*y[i]) + 1"),
        ("Σ_i x[i]/y[i] * 2", "sum[i](x[i]/y[i]*2)"),
        ("Σ_{i,j} m[i,j]", "sum[i,j](m[i,j])"),
        ("Π_i x[i]", "prod[i](x[i])"),
        ("sum_i x[i]", "sum[i](x[i])"),
        ("max_i x[i] − 1", "max[i](x[i]) - 1"),
        ("logsumexp_i x[i]", "logsumexp[i](x[i])"),
        ("2 Σ_i x[i] y[i]", "2*sum[i](x[i]*y[i])"),
        ("Σ_i Σ_j m[i,j] x[i]", "sum[i](sum[j](m[i,j]*x[i]))"),
        ("argmax_i x[i]", "argmax[i](x[i])"),
        ("mean_{i} x[i]", "mean[i](x[i])"),
    ],
)
def test_reductions_as_the_lecture_writes_them(text: str, expected: str):
    assert value(text, XY) == expected


def test_softmax_with_its_index_below():
    text = "batch b\nindex ŷ < 3\ninput s[b,ŷ]\nP[b,ŷ] = softmax_ŷ s[b,ŷ]\n"
    assert formatted(text).endswith("P[b,ŷ] = softmax[ŷ](s[b,ŷ])\n")
    s = np.array([[0.0, 1, 2]])
    assert np.allclose(values(text, s=s)["P"], np.exp(s) / np.exp(s).sum())


def test_sum_total_is_a_name_and_sum_i_may_not_be_declared():
    assert values("input sum_total = 3\ny = sum_total + 1")["y"] == 4
    said = refusal("index i < 2\ninput sum_i = 3\ninput x[i] = [1, 2]\n")
    assert "sum_i" in said


@pytest.mark.parametrize(
    "source",
    ["index i < 2\n", "input x[i] = [1, 2]\n", "input x[2] = [1, 2]\nfor i: q[i] = x[i]\n"],
)
def test_a_first_pass_collects_indices(source: str):
    found = "index i < 2\ninput x[i] = [1, 2]\n" if source == "index i < 2\n" else source
    if "x[2]" in found:
        found = "index k < 2\ninput x[k] = [1, 2]\nfor i: q[i] = x[i]\n"
    assert values(f"{found}y = sum_i x[i]")["y"] == 3


def test_fmt_writes_one_canonical_form():
    text = (
        "# head\nbatch b<B\nindex i<3 , ŷ<2   # two\n\n\ninput x[ b , i ]\n"
        "param W⁰[ŷ,i]~normal(0,1)\n"
        "s[b,ŷ]=Σ_i W0[ŷ,i] x[b,i]−1   # scores\nfor b,ŷ :P[b,ŷ]  =  σ(s[b,ŷ])\n"
    )
    assert formatted(text) == (
        "# head\nbatch b < B\nindex i < 3, ŷ < 2  # two\n\ninput x[b,i]\n"
        "param W⁰[ŷ,i] ~ normal(0, 1)\n"
        "s[b,ŷ] = sum[i](W⁰[ŷ,i]*x[b,i]) - 1  # scores\nfor b,ŷ: P[b,ŷ] = sigmoid(s[b,ŷ])\n"
    )
