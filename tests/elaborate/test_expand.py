"""Definitions put in where they are called; capital slices summed."""

from __future__ import annotations

import pytest

from einbatch.elaborate import erase
from einbatch.syntax import unparse
from tests.elaborate.answers import codes, errors, program, statements

HEAD = "index i < 3, j < 4, k < 3\ninput x[i]\ninput y[j]\ninput W[j,i]\ninput C[j]\n"


def put_in(definitions: str, *lines: str) -> list[str]:
    return statements(f"{definitions}\n{HEAD}" + "\n".join(lines) + "\n")


def test_functions_of_numbers():
    swish = "def swish(x) = x*sigmoid(x)"
    assert put_in(swish, "z[i] = swish(x[i] + 1)") == ["for i: z[i] = (x[i] + 1)*sigmoid(x[i] + 1)"]
    assert put_in("def c(a) = a/2 - 1", "z = 2 c (x[0])") == ["z = 2*(x[0]/2 - 1)"]


def test_definitions_stand_anywhere_and_use_each_other():
    both = "def f(a) = g(a, 2)\ndef g(a, b) = a^b"
    assert put_in(both, "z[i] = f(x[i])") == ["for i: z[i] = x[i]^2"]
    assert statements(HEAD + "z[i] = f(x[i])\ndef f(a) = -a\n") == ["for i: z[i] = -x[i]"]


def test_layers():
    affine = "def affine[j,i](W, T, x) = sum[i](W[j,i]*x) - T[j]"
    assert put_in(affine, "z[j] = affine[j,i](W, C, x[i])") == [
        "for j: z[j] = sum[i](W[j,i]*x[i]) - C[j]"
    ]
    assert put_in(affine, "z[j] = affine[j,k](W, C, x[k])") == [
        "for j: z[j] = sum[k](W[j,k]*x[k]) - C[j]"
    ]
    assert put_in(affine, "z[j] = tanh(affine[j,k](W, C, relu(x[k])))") == [
        "for j: z[j] = tanh(sum[k](W[j,k]*relu(x[k])) - C[j])"
    ]


def test_extents_of_index_parameters_are_those_of_the_given():
    norm = "def norm[i](x) = sum[i](x[i])/|i|"
    assert put_in(norm, "z = norm[j](y)") == ["z = sum[j](y[j])/|j|"]


def test_a_bound_index_of_the_body_captures_nothing():
    total = "def total(v, s) = sum[i](v[i]*s)"
    assert put_in(total, "z[i] = total(x, x[i])") == ["for i: z[i] = sum[i'](x[i']*x[i])"]
    assert put_in(total, "z[k] = total(x, x[k])") == ["for k: z[k] = sum[i](x[i]*x[k])"]
    twice = total + "\ndef twice(v, s) = total(v, total(v, s))"
    (line,) = put_in(twice, "z[i] = twice(x, x[i])")
    assert line.startswith("for i: z[i] = sum[")
    assert line.count("x[i]") == 1


def test_an_argument_may_hold_the_index_that_the_layer_binds():
    dot = "def dot[i](a, b) = sum[i](a*b)"
    assert put_in(dot, "z = dot[k](x[k], x[k])") == ["z = sum[k](x[k]*x[k])"]


def test_parameters_hide_names_of_the_program():
    assert put_in("def f(W) = W*2", "z[i] = f(x[i])") == ["for i: z[i] = x[i]*2"]
    assert put_in("def f(x) = x + C[0]", "z[j] = f(y[j])") == ["for j: z[j] = y[j] + C[0]"]


def test_a_function_of_the_program_may_have_the_name_of_another():
    assert put_in("def gelu(x) = x*sigmoid(1.702*x)", "z = gelu(2)") == ["z = 2*sigmoid(1.702*2)"]


@pytest.mark.parametrize(
    ("definitions", "line", "code"),
    [
        ("def f(a) = a", "z = f(1, 2)", "E0420"),
        ("def f[i](a) = a", "z = f(1)", "E0420"),
        ("def f(a) = a", "z[i] = f[i](1)", "E0420"),
        ("def f[i,j](a) = a", "z = f[i](1)", "E0420"),
        ("def f(a) = f(a)", "z = f(1)", "E0421"),
        ("def f(a) = g(a)\ndef g(a) = f(a)", "z = g(1)", "E0421"),
        ("def f(a) = a[i]", "z[i] = f(x[i])", "E0422"),
        ("def f(a) = a[i] + a", "z[i] = f(x)", "E0206"),
        ("def f(a) = a", "z = f(x)", "E0206"),
        ("def f(a, a) = a", "z = f(1, 2)", "E0403"),
        ("def f[i,i](a) = a", "z = f[i,j](1)", "E0403"),
        ("def f(a) = a\ndef f(b) = b", "z = f(1)", "E0201"),
        ("def f(a) = a + lost", "z = f(1)", "E0202"),
        ("def f(a) = a", "z = f", "E0202"),
        ("def f[i](a) = sum[i](a)", "z = f[x](1)", "E0208"),
        ("def f(c) = if c then 1 else 0", "z = f(1)", "E0415"),
    ],
)
def test_wrong_definitions_and_calls(definitions: str, line: str, code: str):
    found = errors(f"{definitions}\n{HEAD}{line}\n")
    assert [item.code for item in found] == [code]


def test_a_condition_is_an_argument_like_any_other():
    assert put_in("def f(c) = if c then 1 else 0", "z[i] = f(x[i] > 0)") == [
        "for i: z[i] = if x[i] > 0 then 1 else 0"
    ]


def test_a_call_may_stand_wherever_an_expression_may():
    text = """\
        def two(n) = 2*n
        index j < two(2)
        let s = two(3)
        input v[j] = [1, 2, 3, two(2)]
        param W[j] ~ normal(0, two(s))
        state m[j] = two(j)
        e[j] ~ uniform(0, two(1))
        T[two(j)] += v[j]
        L = T[0]
        minimize L
        report r = two(L)
        train sgd(lr=two(0.1)), epochs=two(1)
    """
    printed = unparse(erase(program(text)))
    assert "two" not in printed
    assert "for j: T[2*j] += v[j]" in printed
    assert "train sgd(lr=2*0.1), epochs=2*1" in printed


def test_capital_slices():
    assert put_in("", "z[j] = W[j,I] x[I]") == ["for j: z[j] = sum[I](W[j,I]*x[I])"]
    assert put_in("", "z = x[I] x[I] + y[J] y[J]") == ["z = sum[I](x[I]*x[I]) + sum[J](y[J]*y[J])"]
    assert put_in("", "z = y[J] W[J,I] x[I]") == ["z = sum[J,I](y[J]*W[J,I]*x[I])"]


def test_the_smallest_product_that_holds_both():
    assert put_in("", "z[j] = y[j]*(W[j,I]*x[I] + 1)") == [
        "for j: z[j] = y[j]*(sum[I](W[j,I]*x[I]) + 1)"
    ]
    assert put_in("", "z[j] = exp(W[j,I] x[I])/2") == ["for j: z[j] = exp(sum[I](W[j,I]*x[I]))/2"]
    assert put_in("", "z = x[I]*(x[I] + 1)") == ["z = sum[I](x[I]*(x[I] + 1))"]


def test_capitals_that_are_indices_already_are_left_alone():
    text = "index I < 3\ninput a[I]\nz[I] = a[I]*a[I]\nw = sum[I](a[I]*a[I])\n"
    assert statements(text) == ["for I: z[I] = a[I]*a[I]", "w = sum[I](a[I]*a[I])"]
    assert put_in("", "for I: z[I] = x[I]*x[I]") == ["for I: z[I] = x[I]*x[I]"]
    assert put_in("", "z[I] = x[I]*x[I]") == ["for I: z[I] = x[I]*x[I]"]
    assert put_in("", "z += x[I]*x[I]") == ["z += sum[I](x[I]*x[I])"]


def test_a_capital_that_stands_once_is_an_index_like_any_other():
    assert codes(HEAD + "z[j] = W[j,I]\n") == ["E0404"]
    assert put_in("", "z[j] += W[j,I]") == ["for j,I: z[j] += W[j,I]"]
    assert codes(HEAD + "z = x[I] + x[I]\n") == ["E0404"]


def test_a_capital_means_one_extent_in_the_whole_program():
    assert codes(HEAD + "z = x[I] x[I]\nw = y[I] y[I]\n") == ["E0203"]
