"""Peak memory of a training step: einbatch beside PyTorch, and beside its own plan.

Each in a process of its own. What lies in memory once a small step of the same kind has
imported and warmed everything does not count; data, parameters and all that the steps
take do: Linux' VmHWM less VmRSS at that time. To draw the data and to compile is before.
`plan` is the peak that `einbatch plan` predicts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

import einbatch as eb
from benchmarks import models, perceptron
from benchmarks.harness import (
    Contender,
    Running,
    Suite,
    Worker,
    chosen_cases,
    describe_machine,
    parser_of,
    report,
    show_ratio,
)
from benchmarks.harness.memory import forget_peak, take_baseline
from benchmarks.peers.perceptron import RATE, Size
from benchmarks.texts import perceptron_text

ROOT = Path(__file__).parent.parent
STEPS = 3
TRAIN = f"train sgd(lr={RATE})\n"


@dataclass(frozen=True, slots=True)
class Case:
    """A training step, its program as text, and its batch."""

    work: Size | models.Case
    batch: int

    @property
    def name(self) -> str:
        return self.work.name

    @property
    def text(self) -> str:
        if isinstance(self.work, Size):
            return perceptron_text(self.work.widths, RATE)
        path = models.FOLDER / f"{self.work.name}.ein"
        return path.read_text(encoding="utf-8") + TRAIN

    @property
    def small(self) -> Case:
        """A step of the same kind, on one example: what runs in it is imported and warm then."""
        if isinstance(self.work, Size):
            return Case(replace(self.work, batch=128, widths=(128,) * len(self.work.widths)), 128)
        inputs = tuple((name, (1, *shape[1:])) for name, shape in self.work.inputs)
        return Case(replace(self.work, inputs=inputs), 1)


def data_of(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and parameters by name."""
    if isinstance(case.work, Size):
        x, t, params = perceptron.peers.data(case.work)
        return {"x": x, "t": t}, params
    return models.data_of(case.work)


def by_einbatch(case: Case) -> Running:
    """A trainer."""
    return after_baseline(einbatch_step, case)


def by_torch(case: Case) -> Running:
    """PyTorch, eager."""
    return after_baseline(torch_step, case)


def after_baseline(prepare: Callable[[Case], Running], case: Case) -> Running:
    """A contender's step: what imports and warms everything is before the baseline.

    A first step is before the peak: to draw the data and to compile took more than stays.
    """
    prepare(case.small).step()
    take_baseline()
    running = prepare(case)
    running.step()
    forget_peak()
    return running


def einbatch_step(case: Case) -> Running:
    """One update of a trainer."""
    inputs, params = data_of(case)
    trainer = eb.parse(case.text).trainer(params)
    return Running(lambda: trainer.step(inputs), dict)


def torch_step(case: Case) -> Running:
    """One update in PyTorch."""
    from benchmarks.peers import models_torch

    if isinstance(case.work, Size):
        return perceptron.peers.by_torch(case.work)
    return models_torch.prepare(case.work.name, *data_of(case), rate=RATE)


def of(suite: Suite, name: str, batch: int) -> Case:
    """A case of another benchmark."""
    found: Any = suite.case(name)
    return Case(found, batch)


SUITE = Suite(
    module="benchmarks.peak",
    title="peak memory of a training step",
    cases=(
        of(perceptron.SUITE, "M", 128),
        of(perceptron.SUITE, "L", 1024),
        of(perceptron.SUITE, "XL", 2048),
        of(models.SUITE, "conv2d", 32),
        of(models.SUITE, "transformer", 8),
    ),
    contenders=(Contender("einbatch", by_einbatch), Contender("torch", by_torch)),
    reference=None,
    quick=("conv2d",),
)


def measured(case: Case, contender: str) -> int:
    """Bytes above the baseline, at the most, in a few steps."""
    worker = Worker(SUITE.module, case.name, contender)
    try:
        worker.ask(do="run", steps=STEPS)
        memory = worker.ask(do="memory")
    finally:
        worker.close()
    return memory["peak"] - memory["baseline"]


def predicted(case: Case) -> int:
    """What `einbatch plan` says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.ein"
        path.write_text(case.text, encoding="utf-8")
        command = [sys.executable, "-m", "einbatch", "plan", str(path), "--batch", str(case.batch)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = re.search(r"^  peak +(\d+) bytes", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout[-500:]
    return int(found[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code."""
    options = parser_of(SUITE).parse_args(arguments)
    table = Table(title=f"{SUITE.title}: MiB", title_justify="left")
    table.add_column("case")
    columns = ("einbatch", "torch", "einbatch/torch", "plan", "plan/einbatch")
    for column in columns:
        table.add_column(column, justify="right")
    records: list[dict[str, Any]] = []
    for name in chosen_cases(SUITE, options):
        case: Any = SUITE.case(name)
        own, torch, plan = measured(case, "einbatch"), measured(case, "torch"), predicted(case)
        sizes = [f"{size / 2**20:,.1f}" for size in (own, torch, plan)]
        table.add_row(
            name, sizes[0], sizes[1], show_ratio(own / torch), sizes[2], show_ratio(plan / own)
        )
        records.append({"case": name, "einbatch": own, "torch": torch, "plan": plan})
    record = {"benchmark": "peak", "unit": "bytes", "cases": records}
    report(describe_machine(), [table], record, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
