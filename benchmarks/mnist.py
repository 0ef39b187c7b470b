"""Four epochs of a perceptron on images of digits: `model.fit` beside PyTorch's DataLoader.

MNIST's 10,000 test images, 8,000 to train on and 2,000 held out, the same ones for both;
784-256-10, gradient descent with momentum, minibatches of 64. Both evaluate what is held
out after each epoch. The files are looked for in ../shared/data/mnist beside the checkout.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

import einbatch as eb
from benchmarks.harness import (
    Array,
    Contender,
    Running,
    Skipped,
    Suite,
    Worker,
    describe_machine,
    parser_of,
    report,
    show_ratio,
)
from einbatch.data import split_holdout

ROOT = Path(__file__).parent.parent
FILES = ROOT.parent / "shared" / "data" / "mnist"
PROGRAM = Path(__file__).parent / "models" / "mnist.ein"
IMAGES, HOLDOUT, SEED = 10_000, 0.2, 0
EPOCHS, BATCH, RATE, MOMENTUM = 4, 64, 0.1, 0.9
LEAST_ACCURACY, CLOSE = 0.94, 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """So many epochs."""

    name: str
    epochs: int


def idx(name: str, header: int) -> Array:
    """The bytes of an idx file behind its header."""
    path = FILES / name
    if not path.exists():
        raise Skipped(f"no {path.name} in ../shared/data/mnist beside the checkout")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def digits() -> tuple[Array, Array]:
    """Images: [b, r, c] in float32 from 0 to 1; labels: [b] in int64."""
    images = idx("t10k-images-idx3-ubyte.gz", 16).reshape(IMAGES, 28, 28)
    return images.astype(np.float32) / 255, idx("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)


def by_einbatch(case: Case) -> Running:
    """`model.fit`."""
    image, label = digits()
    model = eb.load(str(PROGRAM))
    accuracy: list[float] = []

    def step() -> None:
        result = model.fit(image=image, label=label, epochs=case.epochs, seed=SEED)
        accuracy[:] = [result.reports["holdout"]["accuracy"]]

    return Running(step, lambda: {"accuracy": np.array(accuracy[0])})


def by_torch(case: Case) -> Running:
    """A Sequential, SGD, and a DataLoader that shuffles."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    image, label = digits()
    start = eb.load(str(PROGRAM)).init(seed=SEED)
    training, held = split_holdout(IMAGES, HOLDOUT, SEED)
    x, t = torch.from_numpy(image).reshape(IMAGES, 784), torch.from_numpy(label)
    loader = DataLoader(TensorDataset(x[training], t[training]), batch_size=BATCH, shuffle=True)
    held_x, held_t = x[held], t[held]
    accuracy: list[float] = []

    def fresh() -> nn.Sequential:
        model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
        values = (start["W0"].reshape(256, 784), start["C0"], start["W1"], start["C1"])
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value))
        return model

    def step() -> None:
        torch.manual_seed(SEED)
        model = fresh()
        optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM)
        for _ in range(case.epochs):
            for images, labels in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
            with torch.no_grad():
                right = model(held_x).argmax(1) == held_t
                accuracy[:] = [right.float().mean().item()]

    return Running(step, lambda: {"accuracy": np.array(accuracy[0])})


SUITE = Suite(
    module="benchmarks.mnist",
    title="training on images of digits",
    cases=(Case("mnist", EPOCHS),),
    contenders=(Contender("einbatch", by_einbatch), Contender("torch", by_torch)),
    reference=None,
    quick=("mnist",),
)


def measured(rounds: int) -> dict[str, tuple[float, float]]:
    """For each contender the images a second, at the best of the rounds, and the accuracy."""
    (case,) = SUITE.cases
    workers: list[Worker] = []
    try:
        for contender in SUITE.contenders:
            workers.append(Worker(SUITE.module, case.name, contender.name))
        times: dict[str, list[float]] = {worker.name: [] for worker in workers}
        for _ in range(rounds):
            for worker in workers:
                times[worker.name] += worker.time(1, 1)
        count = round(IMAGES * (1 - HOLDOUT)) * case.epochs
        rates = {name: count / min(found) * 1e6 for name, found in times.items()}
        return {
            worker.name: (rates[worker.name], worker.ask(do="values")["values"]["accuracy"])
            for worker in workers
        }
    finally:
        for worker in workers:
            worker.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code, 1 where an accuracy is not what it should be."""
    options = parser_of(SUITE).parse_args(arguments)
    try:
        found = measured(options.rounds or (2 if options.quick else 5))
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    table = Table(title=SUITE.title, title_justify="left")
    for column in ("", "images a second", "holdout accuracy"):
        table.add_column(column, justify="right" if column else "left")
    for name, (rate, accuracy) in found.items():
        table.add_row(name, f"{rate:,.0f}", f"{accuracy:.4f}")
    (own, own_accuracy), (torch, torch_accuracy) = found["einbatch"], found["torch"]
    parts: list[Any] = [table, f"einbatch/torch: {show_ratio(own / torch)}"]
    record = {"benchmark": "mnist", "contenders": found, "ratio": own / torch}
    report(describe_machine(), parts, record, options.json)
    if own_accuracy < LEAST_ACCURACY or abs(own_accuracy - torch_accuracy) > CLOSE:
        print(f"accuracies: at least {LEAST_ACCURACY}, and within {CLOSE} of PyTorch's")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
