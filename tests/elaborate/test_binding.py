"""Extents from the shapes of data."""

import pytest

from einbatch.diagnostics import EinbatchError
from einbatch.elaborate import bind_extents, constant_values
from einbatch.elaborate.binding import Shape
from tests.elaborate.checked import checked

MODEL = """
let K = |k|
batch b < B
index m < 2*B, h < floor(|i|/2), k < 3
input x[b,i]
input t[b] in k
param W[i,k] = 0
for b,i,k: s[b,k] += W[i,k]*x[b,i]
y[m] = K
z[h] = 1
"""


def test_every_index_and_every_named_extent():
    found = bind_extents(checked(MODEL), {"x": (5, 7), "t": (5,)})
    assert found == {"b": 5, "m": 10, "h": 3, "k": 3, "i": 7, "B": 5}


def test_constants_follow():
    program = checked("let n = 2*|i|\nlet m = n + k\nlet k = 1\ninput x[i]\n")
    assert constant_values(program, bind_extents(program, {"x": (4,)})) == {"n": 8, "m": 9, "k": 1}
    assert constant_values(program, {}) == {"k": 1}


@pytest.mark.parametrize(
    ("shapes", "code", "said"),
    [
        ({"x": (5, 7), "t": (4,)}, "E0203", "axis 0 of `t` has 4 elements, and 5 are needed"),
        ({"x": (5, 7), "t": (1,)}, "E0203", "axis 0 of `t` has 1 elements, and 5 are needed"),
        ({"x": (5, 7), "t": (5,), "W": (7, 4)}, "E0203", "axis 1 of `W` has 4 elements"),
        ({"x": (5,), "t": (5,)}, "E0612", "`x` has 2 axes, and the array has 1: (5,)"),
        ({"x": (0, 7), "t": (0,)}, "E0301", "axis 0 of `x` is empty"),
        ({"t": (5,)}, "E0613", "input `x` is not bound, and it fixes the extent `i`"),
        ({"x": (5, 1), "t": (5,)}, "E0301", "an extent is a positive integer, and this is 0"),
    ],
)
def test_shapes_that_do_not_fit(shapes: dict[str, Shape], code: str, said: str):
    with pytest.raises(EinbatchError) as caught:
        bind_extents(checked(MODEL), shapes)
    found = caught.value.diagnostics
    assert found[0].code == code
    assert said in found[0].message
    assert all(item.help and item.labels for item in found)


def test_both_places_of_a_disagreement_are_shown():
    with pytest.raises(EinbatchError) as caught:
        bind_extents(checked(MODEL), {"x": (5, 7), "t": (4,)})
    first, second = caught.value.diagnostics[0].labels
    assert (first.span.text, second.span.text) == ("t", "x")


def test_a_literal_counts_where_its_input_has_no_shape():
    program = checked("input x[i] = [1, 2, 3]\ninput y[j]\n")
    assert bind_extents(program, {"y": (2,)}) == {"i": 3, "j": 2}


def test_the_batch_extent_is_that_of_the_data_even_where_a_number_is_declared():
    program = checked("batch b < 4\ninput x[b]\n")
    assert bind_extents(program, {"x": (7,)})["b"] == 7
    assert bind_extents(checked("batch b < 4\nh[b] = 1\n"), {})["b"] == 4


def test_an_extent_that_leaves_a_rest():
    program = checked("index j < |i|/2\ninput x[i]\nh[j] = 1\n")
    assert bind_extents(program, {"x": (6,)}) == {"j": 3, "i": 6}
    with pytest.raises(EinbatchError, match="this is 5/2"):
        bind_extents(program, {"x": (5,)})
