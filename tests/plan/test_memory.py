"""What a plan takes at once: never a patch tensor, never more than linear in a scan's rounds."""

from __future__ import annotations

from math import prod

from einbatch.backends.numpy import emit
from einbatch.ir import Program
from einbatch.plan import Plan
from tests.plan.core import build, down, plan_of, scan


def convolution(b: int, i: int, o: int, size: int) -> Program:
    extents = {"b": b, "i": i, "o": o, "r": size, "c": size, "u": 3, "v": 3}
    image, result, kernel = (b, i, size, size), (b, o, size, size), (o, i, 3, 3)
    shapes = {"x": image, "K": kernel, "g": result, "y": result, "gK": kernel, "gx": image}
    read = "other(x[b,i,r+u-1,c+v-1], 0)"
    return build(
        extents,
        shapes,
        f"y[b,o,r,c] += K[o,i,u,v]*{read}",
        f"gK[o,i,u,v] += g[b,o,r,c]*{read}",
        "~gx[b,i,r+u-1,c+v-1] += g[b,o,r,c]*K[o,i,u,v]",
    )


def entering_and_leaving(made: Plan) -> int:
    return 4 * sum(prod(item.shape) for item in (*made.inputs, *made.outputs))


def test_a_convolution_and_its_adjoints_take_less_than_three_times_what_enters_and_leaves():
    for sizes in ((32, 3, 16, 32), (32, 16, 32, 32), (2, 3, 4, 12), (1, 8, 8, 16), (1, 16, 2, 9)):
        made = plan_of(convolution(*sizes), "float32")
        assert made.peak < 3 * entering_and_leaving(made), sizes


def test_pooling_takes_no_patches():
    extents = {"b": 8, "r": 16, "c": 16, "u": 2, "v": 2}
    shapes = {"x": (8, 32, 32), "y": (8, 16, 16)}
    made = plan_of(build(extents, shapes, "y[b,r,c] = max(2*x[b,2*r+u,2*c+v], u, v)"), "float32")
    assert made.peak < 2 * entering_and_leaving(made)
    assert "  2 rounds" in made.describe()


def recurrence(rounds: int) -> Program:
    extents = {"b": 4, "t": rounds, "i": 8, "j": 8, "k": 8}
    many, few = (4, rounds, 8), (8, 8)
    shapes = {"x": many, "W": few, "U": few, "h": many, "gh": many, "gz": many, "L": many}
    shapes |= {"gU": few, "gW": few}
    return build(
        extents,
        shapes,
        scan(
            "t",
            "h[b,t,j] = tanh(sum(W[j,i]*x[b,t,i], i) + sum(U[j,k]*other(h[b,t-1,k], 0), k))",
        ),
        "gh[b,t,j] += L[b,t,j]",
        down(
            "t",
            "gz[b,t,j] += gh[b,t,j]*(1 - h[b,t,j]**2)",
            "gU[j,k] += gz[b,t,j]*other(h[b,t-1,k], 0)",
            "~gh[b,t-1,k] += gz[b,t,j]*U[j,k]",
            "gW[j,i] += gz[b,t,j]*x[b,t,i]",
        ),
    )


def test_a_scan_takes_memory_that_is_linear_in_its_rounds():
    few, many = (plan_of(recurrence(rounds), "float32") for rounds in (32, 128))
    assert many.peak < 4.05 * few.peak
    assert few.peak < 2 * entering_and_leaving(few)


def test_products_that_the_recurrence_has_no_part_in_are_done_once():
    source = emit(plan_of(recurrence(32)))
    loops = [line for line in source.splitlines() if line.startswith(" " * 16 + "np.matmul")]
    assert len(loops) == 2
    assert source.count("np.matmul") == 5
