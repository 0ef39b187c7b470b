"""Affine subscripts: views, padded copies, short loops."""

from __future__ import annotations

import pytest

from tests.plan.core import build, check

CONV = {"b": 2, "o": 4, "i": 3, "r": 5, "c": 6, "u": 3, "v": 3}


def test_a_valid_convolution():
    shapes = {"x": (2, 3, 7, 8), "K": (4, 3, 3, 3), "y": (2, 4, 5, 6)}
    check(build(CONV, shapes, "y[b,o,r,c] += K[o,i,u,v]*x[b,i,r+u,c+v]"))


def test_a_padded_convolution_and_its_adjoints():
    shapes = {
        "x": (2, 3, 5, 6),
        "K": (4, 3, 3, 3),
        "y": (2, 4, 5, 6),
        "g": (2, 4, 5, 6),
        "gK": (4, 3, 3, 3),
        "gx": (2, 3, 5, 6),
    }
    check(
        build(
            CONV,
            shapes,
            "y[b,o,r,c] += K[o,i,u,v]*other(x[b,i,r+u-1,c+v-1], 0)",
            "g[b,o,r,c] = sin(y[b,o,r,c])",
            "gK[o,i,u,v] += 1/2*g[b,o,r,c]*other(x[b,i,r+u-1,c+v-1], 0)",
            "~gx[b,i,r+u-1,c+v-1] += g[b,o,r,c]*K[o,i,u,v]",
        )
    )


def test_stride_and_dilation():
    extents = {"b": 2, "t": 4, "k": 3}
    shapes = {"x": (2, 14), "K": (3,), "y": (2, 4), "gx": (2, 14), "gK": (3,)}
    check(
        build(
            extents,
            shapes,
            "y[b,t] += K[k]*x[b,2*t+3*k+1]",
            "gx[b,2*t+3*k+1] += K[k]*y[b,t]",
            "gK[k] += x[b,2*t+3*k+1]*y[b,t]",
        )
    )


def test_negative_coefficients_and_constants():
    shapes = {"x": (2, 5), "y": (2, 5), "z": (2, 5), "w": (2,)}
    check(
        build(
            {"b": 2, "t": 5},
            shapes,
            "y[b,t] = x[b,extent(t)-1-t]",
            "z[b,extent(t)-1-t] += x[b,t]",
            "w[b] = x[b,3]",
        )
    )


@pytest.mark.parametrize("reduction", ["max", "min", "sum", "prod", "mean", "logsumexp"])
def test_pooling(reduction: str):
    extents = {"b": 2, "i": 3, "r": 2, "c": 3, "u": 2, "v": 2}
    shapes = {"x": (2, 3, 4, 6), "y": (2, 3, 2, 3)}
    check(build(extents, shapes, f"y[b,i,r,c] = {reduction}(x[b,i,2*r+u,2*c+v], u, v)"))


def test_pooling_by_a_statement():
    extents = {"b": 2, "r": 2, "u": 3}
    shapes = {"x": (2, 4), "y": (2, 2)}
    check(build(extents, shapes, "y[b,r] max= other(x[b,2*r+u-1], -inf)*2"))


def test_what_is_outside_is_another_read():
    extents = {"b": 2, "t": 5, "k": 3}
    shapes = {"x": (2, 5), "d": (2, 5), "K": (3,), "y": (2, 5), "z": (2, 5)}
    check(
        build(
            extents,
            shapes,
            "y[b,t] += K[k]*other(x[b,t+k-1], d[b,t])",
            "z[b,t] = other(x[b,t-2], t) + other(x[b,mod(t+1, extent(t))], 0)",
        )
    )


def test_partial_writes():
    extents = {"b": 2, "t": 5, "k": 3}
    shapes = {"x": (2, 5), "y": (2, 5), "z": (2, 9), "w": (3,)}
    check(
        build(
            extents,
            shapes,
            "~y[b,t+k-1] += x[b,t]*(k + 1)",
            "~y[b,t-2] *= x[b,t]",
            "~y[b,2-t] max= x[b,t]",
            "~z[b,3*t] = x[b,t]",
            "~w[t-1] -= x[b,t]",
        )
    )


def test_concatenation():
    extents = {"a": 3, "c": 2}
    shapes = {"x": (3,), "y": (2,), "z": (5,)}
    check(build(extents, shapes, "z[a] = x[a]", "z[3+c] += y[c]"))


def test_draws_and_stop():
    extents = {"b": 2, "t": 3}
    shapes = {"x": (2, 3), "m": (2, 3), "y": (2, 3)}
    check(build(extents, shapes, "y[b,t] = stop(x[b,t])*m[b,t] + stop(t)", draws=["m"]))


def test_diagonals_and_traces():
    extents = {"i": 3, "j": 3, "k": 2}
    shapes = {"x": (3, 3), "y": (3,), "z": (3, 3), "w": (4, 3)}
    check(
        build(
            extents,
            shapes,
            "y[i] = x[i,i]",
            "z[i,i] += x[i,j]",
            "w[i+k,i] += x[i,j]*k",
        )
    )
