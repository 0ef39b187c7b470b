"""Element by element: einbatch.function beside numexpr, PyTorch and JAX."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import einbatch as eb
from benchmarks.harness import Array, Contender, Running, Skipped, Suite, main

# Any: arrays of four libraries.
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed of one-dimensional arrays, in each way of writing it.

    `numexpr` has an expression for each output, in order; an earlier output may be
    read under its name.
    """

    inputs: tuple[str, ...]
    text: str
    numexpr: Mapping[str, str]
    torch: Callable[[Any, Values], Values]
    jax: Callable[[Any, Values], Values]
    definition: Callable[[Mapping[str, Array]], dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Case:
    """A piece of work, and how many elements."""

    work: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.work} {self.size:.0e}".replace("e+0", "e")


def _chain_in_torch(torch: Any, v: Values) -> Values:
    return {"y": v["x"] * torch.sigmoid(torch.addcmul(v["c"], v["a"], v["x"]))}


def _chain_in_jax(jax: Any, v: Values) -> Values:
    return {"y": v["x"] * jax.nn.sigmoid(v["a"] * v["x"] + v["c"])}


def _chain(v: Mapping[str, Array]) -> dict[str, Array]:
    return {"y": v["x"] / (1 + np.exp(-(v["a"] * v["x"] + v["c"])))}


def _gelu(v: Mapping[str, Array]) -> dict[str, Array]:
    erf = np.fromiter((math.erf(x) for x in v["x"] / math.sqrt(2)), np.float64, v["x"].size)
    return {"y": v["x"] * (1 + erf) / 2}


def _adam(module: Any, v: Values) -> Values:
    m = 0.9 * v["m"] + 0.1 * v["g"]
    s = 0.999 * v["v"] + 0.001 * v["g"] * v["g"]
    return {"n": m, "s": s, "q": v["p"] - 0.001 * m / (module.sqrt(s) + 1e-8)}


def _adam_in_torch(torch: Any, v: Values) -> Values:
    m = torch.lerp(v["m"], v["g"], 0.1)
    s = torch.mul(v["v"], 0.999).addcmul_(v["g"], v["g"], value=0.001)
    return {"n": m, "s": s, "q": torch.addcdiv(v["p"], m, s.sqrt().add_(1e-8), value=-0.001)}


WORK = {
    "sigmoid chain": Work(
        ("x", "a", "c"),
        "y[i] = x[i]*σ(a[i]*x[i] + c[i])",
        {"y": "x/(one + exp(-(a*x + c)))"},
        _chain_in_torch,
        _chain_in_jax,
        _chain,
    ),
    "gelu": Work(
        ("x",),
        "y[i] = gelu(x[i])",
        {"y": "half*x*(one + erf(x*root))"},
        lambda torch, v: {"y": torch.nn.functional.gelu(v["x"])},
        lambda jax, v: {"y": jax.nn.gelu(v["x"], approximate=False)},
        _gelu,
    ),
    "adam": Work(
        ("p", "g", "m", "v"),
        "n[i] = 0.9*m[i] + 0.1*g[i]\n"
        "s[i] = 0.999*v[i] + 0.001*g[i]^2\n"
        "q[i] = p[i] - 0.001*n[i]/(sqrt(s[i]) + 10^-8)",
        {
            "n": "b1*m + d1*g",
            "s": "b2*v + d2*g*g",
            "q": "p - d2*n/(sqrt(s) + tiny)",
        },
        _adam_in_torch,
        lambda jax, v: _adam(jax.numpy, v),
        lambda v: _adam(np, dict(v)),
    ),
}
CONSTANTS = {
    "one": 1.0,
    "half": 0.5,
    "root": math.sqrt(0.5),
    "b1": 0.9,
    "d1": 0.1,
    "b2": 0.999,
    "d2": 0.001,
    "tiny": 1e-8,
}


def data_of(case: Case) -> dict[str, Array]:
    """Float32; `v`, which a root is taken of, is positive."""
    draws = np.random.default_rng(0)
    names = WORK[case.work].inputs
    arrays = {name: draws.standard_normal(case.size, np.float32) for name in names}
    return {name: abs(array) if name == "v" else array for name, array in arrays.items()}


def _running(compute: Callable[[], Values]) -> Running:
    found: list[Values] = [{}]

    def step() -> None:
        found[0] = {}
        found[0] = compute()

    return Running(step, lambda: {k: np.asarray(v) for k, v in found[0].items()})


def by_einbatch(case: Case) -> Running:
    """`einbatch.function`, made once."""
    work, data = WORK[case.work], data_of(case)
    function = eb.function(work.text, tuple(work.numexpr))
    # Any: a dict, as several outputs are named.
    return _running(lambda: dict[str, Any](function(data)))  # type: ignore[arg-type]


def by_numexpr(case: Case) -> Running:
    """`numexpr.evaluate`, constants in float32 lest it computes in float64."""
    import numexpr

    work, data = WORK[case.work], data_of(case)
    constants = {name: np.float32(value) for name, value in CONSTANTS.items()}

    def compute() -> Values:
        known: Values = {**data, **constants}
        for name, expression in work.numexpr.items():
            known[name] = numexpr.evaluate(expression, known, {})
        return {name: known[name] for name in work.numexpr}

    try:
        compute()
    except (NotImplementedError, TypeError, AttributeError, KeyError) as problem:
        raise Skipped(f"{case.work} is not for numexpr: {problem!r}") from problem
    return _running(compute)


def by_torch(case: Case) -> Running:
    """PyTorch, eager."""
    import torch

    work = WORK[case.work]
    tensors = {name: torch.from_numpy(array) for name, array in data_of(case).items()}
    return _running(lambda: work.torch(torch, tensors))


def by_jax(case: Case) -> Running:
    """JAX, compiled."""
    import jax

    work = WORK[case.work]
    arrays = {name: jax.numpy.asarray(array) for name, array in data_of(case).items()}
    compiled = jax.jit(lambda values: work.jax(jax, values))
    return _running(lambda: jax.block_until_ready(compiled(arrays)))


def in_double(case: Case) -> Running:
    """The reference, with math.erf."""
    arrays = {name: array.astype(np.float64) for name, array in data_of(case).items()}
    return _running(lambda: dict(WORK[case.work].definition(arrays)))


SIZES = (1_000, 10_000, 1_000_000, 8_000_000)

SUITE = Suite(
    module="benchmarks.pointwise",
    title="element by element",
    cases=tuple(Case(work, size) for work in WORK for size in SIZES),
    contenders=(
        Contender("einbatch", by_einbatch),
        Contender("numexpr", by_numexpr),
        Contender("torch", by_torch),
        Contender("jax", by_jax),
    ),
    reference=in_double,
    quick=("sigmoid chain 1e3", "sigmoid chain 1e6", "adam 1e6"),
    tolerance=1e-5,
)

if __name__ == "__main__":
    sys.exit(main(SUITE))
