"""Extents as polynomials: which are the same, how far two are apart, their simplest form."""

from __future__ import annotations

import pytest

from einbatch.elaborate.extents import show
from einbatch.elaborate.polynomial import constant_difference, same_value, simplest
from einbatch.ir import Extent, Number
from einbatch.ir.build import ONE, TWO, ZERO, add, call, divide, multiply, negate, subtract

N, M = Extent("n"), Extent("m")


def half(value: object) -> object:
    return call("floor", divide(value, TWO))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (add(N, M), add(M, N)),
        (multiply(N, M), multiply(M, N)),
        (subtract(add(N, ONE), ONE), N),
        (multiply(TWO, add(N, M)), add(N, M, N, M)),
        (multiply(add(N, ONE), subtract(N, ONE)), subtract(multiply(N, N), ONE)),
        (divide(multiply(TWO, N), TWO), N),
        (call("floor", N), N),
        (call("floor", add(N, TWO)), add(TWO, N)),
        (negate(negate(N)), N),
        (multiply(ZERO, N), ZERO),
    ],
)
def test_the_same_whatever_the_data(a: object, b: object):
    assert same_value(a, b)
    assert constant_difference(a, b) == 0
    assert simplest(a) == simplest(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (N, M),
        (half(N), divide(N, TWO)),
        (call("floor", divide(add(N, M), TWO)), add(half(N), half(M))),
        (multiply(N, N), N),
        (call("min", N, M), N),
    ],
)
def test_not_the_same(a: object, b: object):
    assert not same_value(a, b)
    assert constant_difference(a, b) is None


def test_differences():
    assert constant_difference(add(N, Number(3)), subtract(N, TWO)) == 5
    assert constant_difference(Number(4), Number(6)) == -2
    assert constant_difference(divide(N, TWO), subtract(divide(N, TWO), divide(ONE, TWO))) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (subtract(add(N, ONE), M), "n-m+1"),
        (add(ONE, multiply(N, TWO)), "2*n+1"),
        (multiply(add(N, ONE), M), "m*n+m"),
        (subtract(N, N), "0"),
        (negate(N), "-n"),
        (subtract(ONE, N), "-n+1"),
        (add(half(N), ONE, ONE), "floor(n/2)+2"),
    ],
)
def test_the_simplest_form(value: object, text: str):
    assert show(simplest(value)) == text
    assert simplest(simplest(value)) == simplest(value)


def test_long_products_stay_as_they_are():
    names = [Extent(f"n{k}") for k in range(20)]
    product = multiply(*(add(name, ONE) for name in names))
    assert same_value(product, product)
    assert show(simplest(product)).startswith("(n0+1)*")
