"""`log.jsonl` of a run → its curves, its end, and what of it could not be read."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from einbatch.report.curve import Curve

LOSS = "loss"
LONGEST = 2**20
"""The most bytes of a line; a longer one is none that a run wrote."""


@dataclass(slots=True)
class Quantity:
    """What is followed through a run: each minibatch, the means of epochs, what is held out."""

    steps: Curve = field(default_factory=Curve)
    train: Curve = field(default_factory=Curve)
    holdout: Curve = field(default_factory=Curve)

    @property
    def curves(self) -> tuple[Curve, Curve, Curve]:
        """All three."""
        return self.steps, self.train, self.holdout


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The last numbers of an epoch; None where they were no numbers."""

    epoch: int
    step: int
    train: Mapping[str, float | None]
    holdout: Mapping[str, float | None]


@dataclass(slots=True)
class Log:
    """A run's log. `quantities` has the loss and each report, by name.

    `total` is the number of updates that were meant, 0 where the log does not say it;
    `last` is the last epoch's end and `best` the one of the least loss (held out, where
    anything is); `damaged` are the numbers of the lines that could not be read.
    """

    quantities: dict[str, Quantity]
    last: EpochEnd | None = None
    best: EpochEnd | None = None
    step: int = 0
    total: int = 0
    seconds: float = 0.0
    reason: str | None = None
    resumed: list[int] = field(default_factory=list[int])
    epochs: dict[int, int] = field(default_factory=dict[int, int])
    damaged: list[int] = field(default_factory=list[int])
    odd_steps: list[int] = field(default_factory=list[int])
    maximized: bool = False


def read_log(path: Path, reports: Collection[str], *, maximized: bool = False) -> Log | None:
    """The log of a run, or None where there is none. `reports` are the names to follow.

    Memory is bounded by the number of epochs, not of steps.
    """
    log = Log({name: Quantity() for name in (LOSS, *reports)}, maximized=maximized)
    try:
        with path.open("rb") as stream:
            for number, line in _lines(stream):
                if not _take(log, line):
                    log.damaged.append(number)
    except OSError:
        return None
    return log


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line with its number; of a line that is too long, the beginning."""
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        yield number, line
        while not line.endswith(b"\n") and line:
            line = stream.readline(LONGEST)


def _take(log: Log, line: bytes) -> bool:
    """One event; False where the line holds none."""
    if not line.strip():
        return True
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, dict):
        return False
    given = cast("dict[str, object]", event)
    step = _count(given.get("step"))
    if step is None or not isinstance(given.get("event"), str):
        return False
    match given["event"]:
        case "start":
            _start(log, step)
            log.total = (_count(given.get("epochs")) or 0) * (_count(given.get("steps")) or 0)
        case "step":
            _step(log, step, given)
        case "epoch":
            return _epoch(log, step, given)
        case "end":
            reason = given.get("reason")
            log.reason = reason if isinstance(reason, str) else "without a reason"
        case _:  # checkpoints, and what later versions may tell
            pass
    return True


def _start(log: Log, step: int) -> None:
    """A run begins, or goes on from a checkpoint: what came after that is done again."""
    if log.step or step:
        log.resumed.append(step)
    log.reason = None
    log.step = step
    log.odd_steps = [odd for odd in log.odd_steps if odd <= step]
    log.epochs = {epoch: at for epoch, at in log.epochs.items() if at <= step}
    log.last = log.last if log.last is not None and log.last.step <= step else None
    log.best = log.best if log.best is not None and log.best.step <= step else None
    for quantity in log.quantities.values():
        for curve in quantity.curves:
            curve.forget_after(step)


def _step(log: Log, step: int, event: Mapping[str, object]) -> None:
    log.step = step
    log.seconds = _seconds(event, log.seconds)
    for name, value in _values(log, event.get("loss"), event.get("reports")).items():
        if value is None:
            if name == LOSS and len(log.odd_steps) < 1000:
                log.odd_steps.append(step)
        else:
            log.quantities[name].steps.add(step, value)


def _epoch(log: Log, step: int, event: Mapping[str, object]) -> bool:
    epoch = _count(event.get("epoch"))
    if epoch is None:
        return False
    log.seconds = _seconds(event, log.seconds)
    log.epochs[epoch] = step
    both = event.get("reports")
    reports = cast("dict[str, object]", both) if isinstance(both, dict) else {}
    train = _values(log, event.get("loss"), reports.get("train"))
    holdout = _values(log, event.get("holdout_loss"), reports.get("holdout"))
    log.last = EpochEnd(epoch, step, train, holdout)
    if _is_better(log, log.last):
        log.best = log.last
    for name, quantity in log.quantities.items():
        for curve, values in ((quantity.train, train), (quantity.holdout, holdout)):
            value = values.get(name)
            if value is not None:
                curve.add(step, value)
    return True


def _is_better(log: Log, end: EpochEnd) -> bool:
    new = _judged(end)
    old = None if log.best is None else _judged(log.best)
    if new is None or old is None:
        return new is not None
    return new > old if log.maximized else new < old


def _judged(end: EpochEnd) -> float | None:
    held = end.holdout.get(LOSS)
    return end.train.get(LOSS) if held is None else held


def _values(log: Log, loss: object, reports: object) -> dict[str, float | None]:
    """The numbers that an event gives for what is followed; None for NaN and infinity."""
    given: dict[str, object] = {LOSS: loss}
    given |= cast("dict[str, object]", reports) if isinstance(reports, dict) else {}
    return {name: _finite(value) for name, value in given.items() if name in log.quantities}


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _seconds(event: Mapping[str, object], before: float) -> float:
    found = _finite(event.get("seconds"))
    return before if found is None else found


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    return None
