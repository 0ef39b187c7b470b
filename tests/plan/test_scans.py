"""Scans as loops over views."""

from __future__ import annotations

from tests.plan.core import build, check, down, scan

RNN = {"b": 2, "t": 5, "i": 3, "j": 4, "k": 4}
SHAPES = {
    "x": (2, 5, 3),
    "W": (4, 3),
    "U": (4, 4),
    "C": (4,),
    "h0": (2, 4),
    "h": (2, 5, 4),
    "g": (2, 5, 4),
}


def test_a_recurrence():
    value = "sum(W[j,i]*x[b,t,i], i) + sum(U[j,k]*other(h[b,t-1,k], 0), k) - C[j]"
    check(build(RNN, SHAPES, scan("t", f"h[b,t,j] = tanh({value})")))


def test_a_recurrence_in_two_statements_with_a_first_state():
    check(
        build(
            RNN,
            SHAPES,
            "h[b,t,j] = 0",
            scan(
                "t",
                "g[b,t,j] += W[j,i]*x[b,t,i]",
                "g[b,t,j] += U[j,k]*other(h[b,t-1,k], h0[b,k])",
                "h[b,t,j] = tanh(g[b,t,j] - C[j])",
            ),
        )
    )


def test_its_adjoint():
    shapes = {**SHAPES, "gh": (2, 5, 4), "gg": (2, 5, 4), "gW": (4, 3), "gU": (4, 4)}
    shapes |= {"gx": (2, 5, 3), "gC": (4,)}
    check(
        build(
            RNN,
            shapes,
            "h[b,t,j] = 0",
            scan(
                "t",
                "g[b,t,j] += W[j,i]*x[b,t,i]",
                "g[b,t,j] += U[j,k]*other(h[b,t-1,k], 0)",
                "h[b,t,j] = tanh(g[b,t,j] - C[j])",
            ),
            "gh[b,t,j] += 2*h[b,t,j]",
            down(
                "t",
                "gg[b,t,j] += gh[b,t,j]*(1 - h[b,t,j]^2)".replace("^", "**"),
                "gU[j,k] += gg[b,t,j]*other(h[b,t-1,k], 0)",
                "~gh[b,t-1,k] += gg[b,t,j]*U[j,k]",
                "gW[j,i] += gg[b,t,j]*x[b,t,i]",
                "gx[b,t,i] += gg[b,t,j]*W[j,i]",
                "gC[j] -= gg[b,t,j]",
            ),
        )
    )


def test_the_round_as_a_number():
    shapes = {"x": (2, 5), "y": (2, 5), "s": (2,)}
    check(
        build(
            {"b": 2, "t": 5},
            shapes,
            scan("t", "y[b,t] = other(y[b,t-1], 1)*t + exp(t/5)*x[b,t]", "s[b] += y[b,t]*t"),
        )
    )


def test_a_dynamic_program():
    shapes = {"x": (4,), "y": (5,), "D": (5, 6)}
    step = "when(x[mod(i-1, 4)] < y[mod(j-1, 5)], 1, 0) + min(min(other(D[i-1,j], 9), "
    step += "other(D[i,j-1], 9)), other(D[i-1,j-1], 0))"
    program = build({"i": 5, "j": 6}, shapes, scan("i", scan("j", f"D[i,j] = {step}")))
    check(program)


def test_a_deep_network():
    shapes = {"x": (3, 4), "W": (5, 4, 4), "h": (6, 3, 4), "y": (3, 4)}
    check(
        build(
            {"b": 3, "l": 5, "i": 4, "j": 4},
            shapes,
            "h[0,b,j] = x[b,j]",
            scan("l", "h[l+1,b,j] += tanh(W[l,j,i]*h[l,b,i]) + h[l,b,j]/4"),
            "y[b,j] = h[5,b,j]",
        )
    )


def test_a_reduction_over_the_index_of_the_scan():
    shapes = {"x": (2, 5), "y": (2, 5)}
    check(
        build(
            {"b": 2, "t": 5},
            shapes,
            scan("t", "y[b,t] = sum(x[b,t], t) + softmax(x[b,t], t)*other(y[b,t-1], 0)"),
        )
    )


def test_a_convolution_in_each_round():
    extents = {"l": 3, "b": 2, "r": 5, "k": 3}
    shapes = {"x": (2, 5), "K": (3, 3), "h": (4, 2, 5), "gh": (4, 2, 5), "gK": (3, 3)}
    check(
        build(
            extents,
            shapes,
            "h[0,b,r] = x[b,r]",
            scan("l", "h[l+1,b,r] += K[l,k]*other(h[l,b,r+k-1], 0)"),
            "gh[3,b,r] = h[3,b,r]",
            down(
                "l",
                "gK[l,k] += gh[l+1,b,r]*other(h[l,b,r+k-1], 0)",
                "~gh[l,b,r+k-1] += gh[l+1,b,r]*K[l,k]",
            ),
        )
    )


def test_subscripts_that_mix_the_round_with_an_index():
    shapes = {"x": (2, 5), "y": (2, 5), "z": (2, 5)}
    check(
        build(
            {"b": 2, "t": 5, "k": 3},
            shapes,
            scan(
                "t",
                "y[b,t] = x[b,t] + sum(other(y[b,t-k-1], 0), k)",
                "~z[b,t+k-1] += y[b,t]*k",
            ),
        )
    )


def test_gathers_and_scatters_in_a_scan():
    shapes = {"w": (2, 5), "E": (6, 3), "h": (2, 5, 3), "gE": (6, 3)}
    check(
        build(
            {"b": 2, "t": 5, "i": 3},
            shapes,
            scan(
                "t",
                "h[b,t,i] = E[w[b,t],i] + other(h[b,t-1,i], 0)/2",
                "gE[w[b,t],i] += h[b,t,i]",
            ),
            integer={"w": 6},
        )
    )


def test_what_an_outer_round_adds_to_what_an_inner_scan_writes():
    shapes = {"x": (4, 2), "U": (2, 2), "g": (3, 4, 2), "z": (3, 4, 2)}
    check(
        build(
            {"l": 3, "t": 4, "j": 2, "k": 2},
            shapes,
            "g[2,t,j] = x[t,j]",
            down(
                "l",
                down("t", "z[l,t,j] += g[l,t,j]", "~g[l,t-1,k] += z[l,t,j]*U[j,k]"),
                "~g[l-1,t,j] += z[l,t,j]",
            ),
        )
    )


def test_a_scatter_that_stays_in_a_scan_writes_once_a_round():
    """Its right side makes too much to be done for all rounds at once."""
    check(
        build(
            {"t": 4, "k": 3, "i": 50},
            {"n": (4,), "x": (4,), "w": (50,), "h": (4,), "s": (3,)},
            "s[k] = 1",
            scan(
                "t",
                "h[t] = tanh(x[t] + other(h[t-1], 0))",
                "s[n[t]] += sum(exp(w[i]*h[t]), i)",
            ),
            integer={"n": 3},
        )
    )
