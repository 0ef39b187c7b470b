"""Affine forms, how far they reach, and where `=` sets no element twice."""

from __future__ import annotations

import pytest

from einbatch.elaborate.affine import affine_form
from einbatch.elaborate.extents import show
from einbatch.elaborate.polynomial import simplest
from einbatch.ir import Apply, Constant, Extent, IndexValue, Number, Read
from einbatch.ir.build import add, call, divide, multiply, negate, subtract
from tests.elaborate.answers import codes, program, statements

INDEX, OTHER, N = IndexValue("i"), IndexValue("j"), Extent("n")
TWO, THREE = Number(2), Number(3)


def test_coefficients_and_offsets():
    form = affine_form(add(multiply(TWO, INDEX), negate(OTHER), subtract(N, THREE)), {})
    assert form is not None
    assert form.coefficients == (("i", 2), ("j", -1))
    assert show(form.offset) == "n-3"
    assert (form.coefficient("i"), form.coefficient("k")) == (2, 0)
    assert show(simplest(form.least())) == "n-j-2"
    assert show(simplest(form.greatest())) == "2*i+n-5"


def test_what_cancels_is_gone():
    form = affine_form(subtract(add(INDEX, OTHER), add(INDEX, Number(1))), {})
    assert form is not None
    assert form.coefficients == (("j", 1),)


def test_products_with_integers_alone():
    assert affine_form(multiply(Constant("s"), add(INDEX, Number(1))), {"s": 3}).coefficients == (
        ("i", 3),
    )
    for other in (
        multiply(INDEX, OTHER),
        multiply(N, INDEX),
        multiply(Constant("half"), INDEX),
        divide(INDEX, TWO),
        call("mod", INDEX, THREE),
        call("floor", INDEX),
        Read("t", (INDEX,)),
        add(INDEX, Read("t", ())),
        Number(0.5),
        Apply("neg", (Read("t", ()),)),
    ):
        assert affine_form(other, {"s": 3}) is None


HEAD = "index i < 3, j < 4, k < 2\ninput x[i,j]\ninput v[i]\n"


@pytest.mark.parametrize(
    "statement",
    [
        "T[2*i] = v[i]",
        "T[2*i+1] = v[i]",
        "T[2-i] = v[i]",
        "T[4*i+j] = x[i,j]",
        "T[i+3*j] = x[i,j]",
        "T[5*i+j+1] = x[i,j]",
        "T[j,i+j] = x[i,j]",
        "T[i+j,j] = x[i,j]",
        "T[i+j,2*j] = x[i,j]",
        "T[8*i+2*j+k] = x[i,j]*k",
        "T[6-3*i+k] = v[i]*k",
        "T[i+0] = v[i]",
        "T[0] = v[1]",
    ],
)
def test_provably_distinct_elements_may_be_set(statement: str):
    program(HEAD + statement + "\n")


@pytest.mark.parametrize(
    "statement",
    [
        "T[i+j] = x[i,j]",
        "T[3*i+j] = x[i,j]",
        "T[2*i+2*j] = x[i,j]",
        "T[i+j,i+j] = x[i,j]",
        "T[i,2*i+j+k] = x[i,j]*k",
        "T[i*i] = v[i]",
        "T[mod(i+1)] = v[i]",
        "T[mod(i,2)] = v[i]",
        "T[i*j] = x[i,j]",
        "T[floor(i/2)] = v[i]",
    ],
)
def test_elements_that_may_meet_may_not_be_set(statement: str):
    found = codes(HEAD + statement + "\n")
    assert "E0407" in found or found == ["E0302"]


def test_extents_that_data_fix_count_only_as_the_last_digit():
    program("input v[i]\nT[3*i+1] = v[i]\n")
    program("index k < 3\ninput v[i]\nT[3*i+k] = v[i]*k\n")
    assert codes("index k < 3\ninput v[i]\nT[i+k] = v[i]*k\n") == ["E0407"]


def test_small_index_spaces_are_counted():
    head = "index i < 4, j < 3\n"
    program(head + "T[i+j,i-j+2] = i*j\n")
    program(head + "T[2*i+3*j,2*i-3*j+6] = i*j\n")
    assert codes(head + "T[i+j,2*i+2*j] = i*j\n") == ["E0407"]
    assert codes("index i < 400, j < 300\nT[i+j,i-j+299] = i*j\n") == ["E0407"]


def test_the_last_element_of_a_clamped_axis_is_a_number_where_it_is_known():
    text = "index i < 4\ninput x[i]\ny[i] = x[clamp(i+1)] + z[clamp(i)]\ninput z[k]\n"
    assert statements(text)[-1].endswith("x[clamp(i+1, 0, 3)] + z[clamp(i, 0, |k|-1)]")
