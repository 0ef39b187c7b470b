"""Where a training is: all that the loop needs to go on from there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: means over its examples, and over those held out at its end.

    `train` and `holdout` hold the objective, then each report; `holdout` is None
    where nothing is held out. An epoch that is not `complete` was stopped within:
    it is shown, and is no part of a state's history.
    """

    number: int
    train: tuple[float, ...]
    holdout: tuple[float, ...] | None
    complete: bool = True

    @property
    def judged(self) -> float:
        """The objective that epochs are compared by: over what is held out, if anything is."""
        return (self.train if self.holdout is None else self.holdout)[0]


@dataclass(frozen=True, slots=True)
class Best:
    """The epoch with the best objective so far, the updates made by its end, the objective."""

    epoch: int
    step: int
    value: float


@dataclass(slots=True)
class Mean:
    """Means weighted by examples."""

    sums: list[float] = field(default_factory=list[float])
    count: int = 0

    def add(self, values: Sequence[float], count: int) -> None:
        """Values that are means over `count` examples."""
        self.sums = self.sums or [0.0] * len(values)
        self.sums = [total + value * count for total, value in zip(self.sums, values, strict=True)]
        self.count += count

    def values(self) -> tuple[float, ...]:
        """The means so far."""
        return tuple(total / self.count for total in self.sums)


@dataclass(slots=True)
class State:
    """How far a training is. Params, optimizer state and draws are the learner's.

    `step` updates are done, `epoch` epochs are whole, and `taken` minibatches of the
    next one; `mean` is over those. The order of the examples follows from the seed
    and `epoch`. `seconds` have been spent so far.
    """

    step: int = 0
    epoch: int = 0
    taken: int = 0
    mean: Mean = field(default_factory=Mean)
    history: list[Epoch] = field(default_factory=list[Epoch])
    best: Best | None = None
    seconds: float = 0.0

    def advance(self, values: Sequence[float], count: int) -> None:
        """One update more, on `count` examples."""
        self.step += 1
        self.taken += 1
        self.mean.add(values, count)

    def close(self, record: Epoch, *, ascends: bool) -> None:
        """The epoch is whole; the best is the greatest objective where it is maximized."""
        self.epoch, self.taken, self.mean = record.number, 0, Mean()
        self.history.append(record)
        value = record.judged
        if math.isfinite(value) and (self.best is None or _precedes(value, self.best, ascends)):
            self.best = Best(record.number, self.step, value)

    @property
    def is_best(self) -> bool:
        """True where the last update ended the best epoch so far."""
        return self.best is not None and self.best.step == self.step


def state_to(state: State) -> dict[str, object]:
    """A state as JSON; numbers that JSON does not have are texts."""
    best = state.best
    return {
        "step": state.step,
        "epoch": state.epoch,
        "taken": state.taken,
        "seconds": state.seconds,
        "mean": {"sums": _plain(state.mean.sums), "count": state.mean.count},
        "history": [
            {
                "epoch": record.number,
                "train": _plain(record.train),
                "holdout": None if record.holdout is None else _plain(record.holdout),
            }
            for record in state.history
        ],
        "best": best and {"epoch": best.epoch, "step": best.step, "value": best.value},
    }


def state_from(value: Mapping[str, Any]) -> State:  # Any: JSON, checked as it is read
    """The state that `state_to` gave; ValueError, KeyError or TypeError where it is none."""
    mean, best = value["mean"], value["best"]
    history = [
        Epoch(
            int(item["epoch"]),
            _numbers(item["train"]),
            None if item["holdout"] is None else _numbers(item["holdout"]),
        )
        for item in value["history"]
    ]
    return State(
        int(value["step"]),
        int(value["epoch"]),
        int(value["taken"]),
        Mean(list(_numbers(mean["sums"])), int(mean["count"])),
        history,
        best and Best(int(best["epoch"]), int(best["step"]), float(best["value"])),
        float(value["seconds"]),
    )


def _plain(numbers: Sequence[float]) -> list[float | str]:
    return [number if math.isfinite(number) else str(number) for number in numbers]


def _numbers(values: object) -> tuple[float, ...]:
    return tuple(float(value) for value in cast("list[float | str]", values))


def _precedes(value: float, best: Best, ascends: bool) -> bool:
    return value > best.value if ascends else value < best.value
