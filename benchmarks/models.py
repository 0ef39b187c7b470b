"""Loss and gradients of larger models: einbatch beside PyTorch eager and JAX jit.

The programs are benchmarks/models/*.ein. einbatch is called as everybody calls it,
`model.value_and_grad`; the gradients of all have to be those of PyTorch in float64.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import einbatch as eb
from benchmarks.harness import Array, Contender, Running, Suite, main

FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class Case:
    """A program, by the name of its file, and the shapes of its inputs (integers: below what)."""

    name: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    integers: tuple[tuple[str, tuple[int, ...], int], ...] = ()


@cache
def model_of(case: Case, without: tuple[str, ...] = ()) -> eb.Model:
    """The program; `without` some passes."""
    return eb.load(str(FOLDER / f"{case.name}.ein"), without=without)


def data_of(case: Case) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and parameters: as the program draws them; biases are drawn too, lest they hide."""
    draws = np.random.default_rng(0)
    inputs = {k: draws.standard_normal(shape, np.float32) for k, shape in case.inputs}
    inputs |= {k: draws.integers(0, below, shape) for k, shape, below in case.integers}
    params = model_of(case).init(seed=0)
    for array in params.values():
        if array.ndim == 1:
            array += np.float32(0.1) * draws.standard_normal(array.shape, np.float32)
    return inputs, params


def by_einbatch(case: Case, without: tuple[str, ...] = ()) -> Running:
    """`model.value_and_grad`; `without` some passes."""
    inputs, params = data_of(case)
    model = model_of(case, without)
    found: list[tuple[float, dict[str, Array]]] = []

    def step() -> None:
        found.clear()  # gone, as in a training loop, before the next ones come
        found[:] = [model.value_and_grad(params, inputs)]

    return Running(step, lambda: {**found[0][1], "loss": np.array(found[0][0])})


def by_torch(case: Case) -> Running:
    """PyTorch, eager."""
    from benchmarks.peers import models_torch

    return models_torch.prepare(case.name, *data_of(case))


def by_jax(case: Case) -> Running:
    """JAX, compiled."""
    from benchmarks.peers import models_jax

    return models_jax.prepare(case.name, *data_of(case))


def by_torch_in_double(case: Case) -> Running:
    """The reference: PyTorch in float64."""
    from benchmarks.peers import models_torch

    inputs, params = data_of(case)
    wide = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
    return models_torch.prepare(
        case.name, wide, {name: array.astype(np.float64) for name, array in params.items()}
    )


CASES = (
    Case("conv2d", (("image", (32, 3, 32, 32)),)),
    Case("lstm", (("x", (32, 64, 128)),)),
    Case("lstm_stacked", (("x", (32, 64, 128)),)),
    Case("transformer", (("x", (8, 128, 256)),)),
    Case("embedding", (("y", (4096, 128)),), (("word", (4096,), 50_000),)),
)

SUITE = Suite(
    module="benchmarks.models",
    title="loss and gradients of a model",
    cases=CASES,
    contenders=(
        Contender("einbatch", by_einbatch),
        Contender("torch", by_torch),
        Contender("jax", by_jax),
    ),
    reference=by_torch_in_double,
    quick=("conv2d", "embedding"),
)

if __name__ == "__main__":
    sys.exit(main(SUITE))
