"""Contenders of one case: made, held against the reference, then timed in turn."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from benchmarks.harness.load import ticks
from benchmarks.harness.process import Failed, Worker
from benchmarks.harness.statistics import best_rival, percentile
from benchmarks.harness.suite import OWN, Array, Case, Contender, Skipped, Suite

BLOCK = 300.0
"""µs: shorter steps are timed in blocks of about this length, so that the clock costs nothing."""
WARM = 20_000.0
"""µs of steps in each round that are not timed: caches and threads come back after a stop."""


MOST_SAMPLES = 1 << 15
"""Steps that are looked at to learn what one takes."""


class Wrong(Exception):
    """A contender's results are not those of the reference."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds, and seconds for each contender in each."""

    rounds: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What a case gave: µs a step for each round of each contender, and who was skipped, why."""

    case: str
    times: dict[str, list[list[float]]] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    bounds: tuple[str, ...] = ()
    foreign: float = 0.0
    """The share of the machine that other work took while the times were taken."""

    @property
    def microseconds(self) -> dict[str, float]:
        """The 10th percentile over all rounds."""
        return {
            name: percentile([*chain.from_iterable(rounds)]) for name, rounds in self.times.items()
        }

    @property
    def rival(self) -> str | None:
        """The fastest of the others."""
        return best_rival(self.microseconds, self.bounds)

    @property
    def ratio(self) -> float | None:
        """The time of the best of the others over ours: above 1 we are ahead."""
        times = self.microseconds
        return times[self.rival] / times[OWN] if self.rival and OWN in times else None

    def over(self, bound: str) -> float | None:
        """Our time over a bound's."""
        times = self.microseconds
        return times[OWN] / times[bound] if {OWN, bound} <= times.keys() else None


def measure(suite: Suite, case: Case, names: Sequence[str], effort: Effort) -> Outcome:
    """One case with the contenders of these names. Wrong and Failed go through."""
    chosen = [item for item in suite.contenders if item.name in names]
    outcome = Outcome(case.name, bounds=tuple(item.name for item in chosen if item.is_bound))
    steps = suite.steps(case)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wanted, start = _reference(suite, case, steps, folder)
        workers: list[Worker] = []
        for contender in chosen:
            worker = _make(suite, case, contender, outcome)
            if worker is None:
                continue
            stack.callback(worker.close)
            try:
                _check(worker, contender, steps, wanted, start, folder, suite.tolerance, outcome)
            except Skipped as reason:
                outcome.skipped[contender.name] = str(reason)
                continue
            workers.append(worker)
        _time_in_turn(workers, effort, outcome)
    return outcome


def _make(suite: Suite, case: Case, contender: Contender, outcome: Outcome) -> Worker | None:
    try:
        return Worker(suite.module, case.name, contender.name)
    except Skipped as reason:
        outcome.skipped[contender.name] = str(reason)
        return None


def _reference(
    suite: Suite, case: Case, steps: int, folder: Path
) -> tuple[dict[str, Array], dict[str, Array]]:
    """What the reference comes to, and where it started; its process ends before the timing."""
    try:
        worker = Worker(suite.module, case.name, "reference")
    except Skipped as reason:
        raise Failed(f"the reference of {case.name} cannot run: {reason}") from None
    try:
        start = {}
        if suite.start is not None:
            worker.ask(do="start", path=str(folder / "start.npz"))
            start = _load(folder / "start.npz")
        worker.ask(do="run", steps=steps)
        worker.ask(do="results", path=str(folder / "reference.npz"))
    finally:
        worker.close()
    return _load(folder / "reference.npz"), start


def _check(
    worker: Worker,
    contender: Contender,
    steps: int,
    wanted: Mapping[str, Array],
    start: Mapping[str, Array],
    folder: Path,
    tolerance: float,
    outcome: Outcome,
) -> None:
    """Runs the first steps; Wrong where they did not come to what the reference came to."""
    worker.ask(do="run", steps=steps)
    if contender.is_bound:
        return
    worker.ask(do="results", path=str(folder / "results.npz"))
    found = _load(folder / "results.npz")
    outcome.errors[contender.name] = compare(contender.name, found, wanted, start, tolerance)


def compare(
    name: str,
    found: Mapping[str, Array],
    wanted: Mapping[str, Array],
    start: Mapping[str, Array],
    tolerance: float,
) -> float:
    """The largest relative error over all results; Wrong where it is above the tolerance."""
    if found.keys() != wanted.keys():
        raise Wrong(f"{name} gives {sorted(found)}, not {sorted(wanted)}")
    worst = 0.0
    for key, right in wanted.items():
        if found[key].shape != right.shape:
            raise Wrong(f"{name}: {key} has shape {found[key].shape}, not {right.shape}")
        scale = float(np.linalg.norm(right - start.get(key, 0)))
        error = float(np.linalg.norm(found[key] - right)) / scale if scale else math.inf
        if not error <= tolerance:
            raise Wrong(f"{name}: {key} is off by {error:.2g} of what it should have changed")
        worst = max(worst, error)
    return worst


def _load(path: Path) -> dict[str, Array]:
    with np.load(path) as file:
        return {name: np.asarray(file[name], np.float64) for name in file.files}


def _time_in_turn(workers: Sequence[Worker], effort: Effort, outcome: Outcome) -> None:
    """Rounds; in each every contender once, another one first each time."""
    counts = {worker.name: _counts(worker, effort.seconds) for worker in workers}
    outcome.times = {worker.name: [] for worker in workers}
    used, whole = ticks()
    own = sum(worker.processor_time() for worker in workers)
    for turn in range(effort.rounds):
        first = turn % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            idle = {w.name: w.processor_time() for w in workers if w is not worker}
            warm, block, samples = counts[worker.name]
            if warm:
                worker.ask(do="run", steps=warm)
            outcome.times[worker.name].append(worker.time(block, samples))
            _refuse_unrest([w for w in workers if w is not worker], idle)
    used, whole = ticks()[0] - used, ticks()[1] - whole
    own = sum(worker.processor_time() for worker in workers) - own
    outcome.foreign = max(0.0, (used - own) / whole) if whole else 0.0


def _refuse_unrest(others: Sequence[Worker], before: Mapping[str, int]) -> None:
    """Failed where a stopped contender used the processor: the times would not be clean."""
    for worker in others:
        used = worker.processor_time() - before[worker.name]
        if used or not worker.is_stopped():
            raise Failed(f"{worker.name} ran ({used} ticks) while another one was measured")


def _counts(worker: Worker, seconds: float) -> tuple[int, int, int]:
    """Steps that warm up, steps in a block, and blocks, in each round: by what a step takes."""
    samples, times = 2, worker.time(1, 2)
    while sum(times) < WARM and samples < MOST_SAMPLES:
        samples *= 4
        times = worker.time(1, samples)
    alone = min(times)  # the first ones are those of threads that wake
    block = max(1, math.ceil(BLOCK / alone))
    samples = max(1, round(seconds * 1e6 / (alone * block)))
    return math.ceil(WARM / alone) if alone < WARM else 0, block, samples
