"""Random draws: their axes, their distributions, what they may not be."""

from __future__ import annotations

import pytest

from tests.elaborate.answers import codes, program, statements

HEAD = "batch b < B\nindex j < 4, t < 2\ninput x[b,j]\nlet p = 0.9\n"


def test_a_draw_has_the_axes_of_its_indices():
    found = program(HEAD + "mask[j,b] ~ bernoulli(p)\n").tensor("mask")
    assert (found.kind, found.axes) == ("draw", ("j", "b"))
    assert program(HEAD + "e ~ normal(0, 1)\n").tensor("e").axes == ()


def test_with_and_without_its_loops():
    plain = program(HEAD + "mask[j,b] ~ bernoulli(p)\n")
    assert program(HEAD + "for b,j: mask[j,b] ~ bernoulli(p)\n") == plain
    assert program(HEAD + "for b:\n    for j: mask[j,b] ~ bernoulli(p)\n") == plain


def test_draws_are_printed_before_what_reads_them():
    text = HEAD + "h[b,j] = x[b,j]*m[b,j]\nm[b,j] ~ bernoulli(p)\n"
    assert statements(text) == [
        "for b,j: m[b,j] ~ bernoulli(p)",
        "for b,j: h[b,j] = x[b,j]*m[b,j]",
    ]


def test_arguments_are_constants():
    program(HEAD + "m[b] ~ normal(0, sqrt(2/|j|))\n")
    program(HEAD + "m[b] ~ uniform(-p, p)\n")
    assert codes(HEAD + "m[b,j] ~ normal(x[b,j], 1)\n") == ["E0304"]
    assert codes(HEAD + "m[b,j] ~ normal(j, 1)\n") == ["E0304"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("m[b,b] ~ bernoulli(p)", "E0424"),
        ("m[b,j+1] ~ bernoulli(p)", "E0424"),
        ("m[b,0] ~ bernoulli(p)", "E0424"),
        ("m[b,j] ~ bernouli(p)", "E0209"),
        ("m[b,j] ~ glorot()", "E0209"),
        ("m[b,j] ~ bernoulli()", "E0205"),
        ("m[b,j] ~ normal(0)", "E0205"),
        ("m[b,j] ~ uniform(0, 1, 2)", "E0205"),
        ("for b: m[b,j] ~ bernoulli(p)", "E0402"),
        ("for b,j,t: m[b,j] ~ bernoulli(p)", "E0402"),
        ("x[b,j] ~ bernoulli(p)", "E0201"),
        ("p ~ bernoulli(p)", "E0201"),
        ("m[b,q] ~ bernoulli(p)", "E0302"),
    ],
)
def test_wrong_draws(line: str, code: str):
    assert code in codes(HEAD + line + "\n")


def test_a_draw_is_drawn_once_and_never_written():
    assert "E0201" in codes(HEAD + "m[b] ~ bernoulli(p)\nm[b] ~ bernoulli(p)\n")
    assert "E0406" in codes(HEAD + "m[b] ~ bernoulli(p)\nm[b] += 1\n")
    assert "E0406" in codes(HEAD + "m[b] ~ bernoulli(p)\nm[b] = 1\n")


def test_training_is_a_condition_where_nothing_declares_it():
    text = HEAD + "h[b,j] = if training then x[b,j]*m[b,j]/p else x[b,j]\nm[b,j] ~ bernoulli(p)\n"
    found = program(text)
    assert found.tensor("training").kind == "draw"
    program(HEAD + "h[b,j] = x[b,j]*[training]\n")
    program(HEAD + "let training = 3\ny = training\n")
    assert codes(HEAD + "y = training\n") == ["E0202"]
