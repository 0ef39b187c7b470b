"""A suite whose contenders count: each of them a way to do well, or not to."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

import numpy as np

from benchmarks.harness import Contender, Running, Skipped, Suite


@dataclass(frozen=True)
class Case:
    name: str
    by: float


def counting(case: Case, factor: float = 1.0, work: int = 0) -> Running:
    count = np.zeros(2)

    def step() -> None:
        sum(range(work))
        count[:] += case.by * factor

    return Running(step, lambda: {"count": count})


def noisy(case: Case) -> Running:
    print("what a library prints while it is imported")
    return counting(case, work=2000)


def spinning(case: Case) -> Running:
    def spin() -> None:
        while True:
            pass

    threading.Thread(target=spin, daemon=True).start()
    return counting(case)


def absent(case: Case) -> Running:
    raise Skipped("there is none")


def broken(case: Case) -> Running:
    raise ValueError("no good")


def dying(case: Case) -> Running:
    return Running(lambda: os._exit(3), dict)


SUITE = Suite(
    module="tests.benchmarks.toy",
    title="counting",
    cases=(Case("ones", 1), Case("twos", 2)),
    contenders=(
        Contender("einbatch", counting),
        Contender("noisy", noisy),
        Contender("spinning", spinning),
        Contender("floor", lambda case: Running(int, dict), is_bound=True),
        Contender("absent", absent),
        Contender("wrong", lambda case: counting(case, 1.01)),
        Contender("broken", broken),
        Contender("dying", dying),
    ),
    reference=counting,
    start=lambda case: {"count": np.zeros(2)},
    steps=lambda case: 3,
    quick=("ones",),
)
