"""Ten thousand updates leave less than 1 KB each behind.

    python -m tests.endurance.leaks 10000

trains with a log, checkpoints and the watch for NaN, once to warm up and then at length,
and compares the process's own memory.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import einbatch as eb
from einbatch.train.loop import Silent
from einbatch.train.state import State
from tests.endurance.stops import OPTIMIZERS, PROGRAM

COUNT, BATCH = 640, 8
STEPS = COUNT * 8 // 10 // BATCH
"""Updates in an epoch: a fifth of the examples is held out."""
WARM = 500


class Meter(Silent):
    """The process's memory in bytes, when it is warm and at the end."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def step(self, state: State, values: Sequence[float], /) -> None:
        if state.step == WARM:
            self.sizes[state.step] = resident()

    def end(self, reason: str, state: State, /) -> None:
        self.sizes[state.step] = resident()


def resident() -> int:
    """Bytes of memory that are the process's own and in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def run(steps: int) -> float:
    """Bytes that each of so many updates leaves behind."""
    numbers = np.random.default_rng(0)
    data = {"x": numbers.normal(size=(COUNT, 5)), "t": numbers.integers(0, 3, COUNT)}
    model = eb.parse(PROGRAM.replace("OPTIMIZER", OPTIMIZERS["adam"]))
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        model.fit(
            data,
            epochs=-(-(steps + WARM) // STEPS),
            checkpoint=Path(folder) / "run",
            checkpoint_every=200,
            check_finite=True,
            progress=meter,
        )
    (first, before), (last, after) = meter.sizes.items()
    return (after - before) / (last - first)


if __name__ == "__main__":
    steps = int((*sys.argv, "10000")[1])
    left = run(steps)
    print(f"{steps} updates leave {left:.0f} bytes each")
    sys.exit(left >= 1024)
