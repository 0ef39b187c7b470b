"""A training step of a ReLU perceptron: einbatch beside NumPy, PyTorch, JAX and autograd.

Softmax cross-entropy, biases added, plain gradient descent, float32, from the smallest
to the largest. `floor` is the step's matrix products alone, through np.matmul.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np

import einbatch as eb
from benchmarks.harness import Contender, Running, Suite, main
from benchmarks.peers import perceptron as peers
from benchmarks.peers.perceptron import RATE, Size
from benchmarks.texts import perceptron_text


@cache
def model_of(size: Size, without: tuple[str, ...] = ()) -> eb.Model:
    """The program; `without` some passes."""
    return eb.parse(perceptron_text(size.widths, RATE), without=without)


def by_einbatch(size: Size, without: tuple[str, ...] = ()) -> Running:
    """The public way: a trainer, given a minibatch each time; `without` some passes."""
    x, t, params = peers.data(size)
    trainer = model_of(size, without).trainer(params)
    losses: list[float] = []

    def step() -> None:
        losses[:] = [trainer.step(x=x, t=t)]

    return Running(step, lambda: {**trainer.params, "loss": np.array(losses[0])})


SIZES = (
    Size("XS", 32, (16, 32, 10)),
    Size("S", 32, (784, 128, 10)),
    Size("M", 128, (784, 256, 10)),
    Size("L", 1024, (784, 1024, 1024, 10)),
    Size("XL", 2048, (1024, 4096, 4096, 1000)),
)

SUITE = Suite(
    module="benchmarks.perceptron",
    title="a training step of a perceptron",
    cases=SIZES,
    contenders=(
        Contender("einbatch", by_einbatch),
        Contender("floor", peers.products_alone, is_bound=True),
        Contender("numpy", peers.by_numpy),
        Contender("torch", peers.by_torch),
        Contender("torch.compile", peers.by_torch_compile),
        Contender("jax", peers.by_jax),
        Contender("autograd", peers.by_autograd),
    ),
    reference=peers.by_definition,
    start=peers.start,
    steps=lambda size: 2 if size.name == "XL" else 5,
    # A sum near zero may be on either side of ReLU's kink in float32: one such element
    # of the largest sizes is 0.001 of a gradient. A wrong rate or bias is 1.
    tolerance=5e-3,
    quick=("XS", "S"),
)

if __name__ == "__main__":
    sys.exit(main(SUITE))
