"""What the size of a minibatch changes: the gradient's noise, and the length of a step.

Run it: `python programs/batch_size.py`. For each B it draws minibatches from the
digits and prints

- the noise: the root mean square distance of a minibatch's gradient from that of all
  the data. It falls as 1/√B, so the column beside it stays the same;
- the step: how far one update with the mean over B examples moves W, and how far B
  updates with one example each do. The mean makes a batch one step, whatever B is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import einbatch as eb

HERE = Path(__file__).parent
SIZES = (1, 4, 16, 64, 256)
MINIBATCHES = 100
STEPS_AT = 10


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured at one minibatch size."""

    size: int
    noise: float
    one_step: float
    many_steps: float


def measure(sizes: tuple[int, ...] = SIZES, minibatches: int = MINIBATCHES) -> list[Row]:
    """One row for each size, on the digits, at the initial params."""
    model = eb.load(HERE / "batch_size.ein", dtype="float64")
    with np.load(HERE / "data" / "digits.npz") as digits:
        images, labels = digits["image"], digits["label"]
    params = model.init()

    def gradient(which: np.ndarray) -> np.ndarray:
        _, grads = model.value_and_grad(params, image=images[which], label=labels[which])
        return grads["W"]

    whole = gradient(np.arange(len(labels)))
    random = np.random.default_rng(0)
    rows: list[Row] = []
    for size in sizes:
        drawn = [random.choice(len(labels), size) for _ in range(minibatches)]
        squares = [np.sum((gradient(which) - whole) ** 2) for which in drawn]
        lengths = np.mean([_moves(model, images[w], labels[w]) for w in drawn[:STEPS_AT]], axis=0)
        rows.append(Row(size, float(np.sqrt(np.mean(squares))), lengths[0], lengths[1]))
    return rows


def _moves(model: eb.Model, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """How far W goes in one update on all of these examples, and in one update on each."""
    together, apart = model.trainer(), model.trainer()
    together.step(image=images, label=labels)
    for k in range(len(labels)):
        apart.step(image=images[k : k + 1], label=labels[k : k + 1])
    start = model.init()["W"]
    one, many = (np.linalg.norm(t.params["W"] - start) for t in (together, apart))
    return float(one), float(many)


def main() -> None:
    """Prints the table."""
    print("   B    noise  noise·√B  one step of B  B steps of one")
    for row in measure():
        print(
            f"{row.size:4} {row.noise:8.4f} {row.noise * row.size**0.5:9.4f}"
            f" {row.one_step:14.4f} {row.many_steps:15.4f}"
        )


if __name__ == "__main__":
    main()
