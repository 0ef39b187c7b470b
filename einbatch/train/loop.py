"""The loop over epochs and minibatches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from einbatch.data import minibatch_order, split_holdout
from einbatch.train.options import Options

# Any: an input is of floats or of integers.
Array: TypeAlias = NDArray[Any]
Order: TypeAlias = NDArray[np.intp]

LARGEST_EVALUATION = 1024
"""The most examples that are evaluated at once, where a minibatch is not larger still."""


class Learner(Protocol):
    """What is trained. Both calls give the objective and then each report, as numbers."""

    def advance(self, arrays: Mapping[str, Array], /) -> tuple[float, ...]:
        """One update; the values are those before it."""
        ...

    def evaluate(self, arrays: Mapping[str, Array], /) -> tuple[float, ...]:
        """The values at the params as they are."""
        ...


class Progress(Protocol):
    """Who watches the training, and may end it."""

    def start(self, epochs: int, steps: int, /) -> None:
        """Before the first of `epochs`, each of `steps` updates."""
        ...

    def step(self, values: Sequence[float], /) -> None:
        """After each update."""
        ...

    def epoch(self, record: Epoch, /) -> None:
        """After each epoch."""
        ...

    @property
    def stopped(self) -> bool:
        """Asked after each update: True ends the training there, cleanly."""
        ...


class Silent:
    """Watches nothing."""

    stopped = False

    def start(self, epochs: int, steps: int, /) -> None:
        """Nothing."""

    def step(self, values: Sequence[float], /) -> None:
        """Nothing."""

    def epoch(self, record: Epoch, /) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: means over its examples, and over those held out at its end.

    `train` and `holdout` hold the objective, then each report; `holdout` is None
    where nothing is held out.
    """

    number: int
    train: tuple[float, ...]
    holdout: tuple[float, ...] | None
    complete: bool = True


class Taken(Protocol):
    """An array that is not in memory."""

    def take(self, order: Order, axis: int, /) -> Array:
        """The examples of these numbers along an axis."""
        ...


@dataclass(frozen=True, slots=True)
class Examples:
    """Arrays, and which axis of each the examples lie on (None: the same for all)."""

    arrays: Mapping[str, Array | Taken]
    axes: Mapping[str, int | None]
    count: int
    _buffers: dict[tuple[str, int], Array] = field(default_factory=dict[tuple[str, int], Array])

    def take(self, order: Order) -> dict[str, Array]:
        """The examples of these numbers; the arrays are valid until the next call."""
        found: dict[str, Array] = {}
        for name, array in self.arrays.items():
            axis = self.axes[name]
            if not isinstance(array, np.ndarray):
                found[name] = array.take(order, axis or 0)
            elif axis is None:
                found[name] = array
            else:
                found[name] = self._taken(name, cast(Array, array), axis, order)
        return found

    def _taken(self, name: str, array: Array, axis: int, order: Order) -> Array:
        key = (name, len(order))
        if key not in self._buffers:
            shape = (*array.shape[:axis], len(order), *array.shape[axis + 1 :])
            self._buffers[key] = np.empty(shape, array.dtype)
        # clip: without it NumPy writes to a copy first; every number is in range
        return np.take(array, order, axis=axis, out=self._buffers[key], mode="clip")


def train(
    learner: Learner, examples: Examples, options: Options, progress: Progress | None = None
) -> list[Epoch]:
    """Minibatches in an order of each epoch's own, then the examples held out; one record each.

    Without a batch axis an epoch is one update on all the data.
    """
    watch = progress or Silent()
    batched = any(axis is not None for axis in examples.axes.values())
    everyone = np.arange(examples.count)
    trained, held = (
        split_holdout(examples.count, options.holdout, options.seed)
        if batched
        else (everyone, everyone[:0])
    )
    size = options.batch if batched else examples.count
    watch.start(options.epochs, math.ceil(len(trained) / size))
    history: list[Epoch] = []
    for number in range(options.epochs):
        total = _Mean()
        for order in minibatch_order(len(trained), size, options.seed, number):
            values = learner.advance(examples.take(trained[order]))
            total.add(values, len(order))
            watch.step(values)
            if watch.stopped:
                break
        complete = total.count == len(trained)
        checked = evaluate(learner, examples, held, options.batch) if len(held) else None
        history.append(Epoch(number + 1, total.values(), checked, complete))
        watch.epoch(history[-1])
        if watch.stopped:
            break
    return history


def evaluate(learner: Learner, examples: Examples, which: Order, batch: int) -> tuple[float, ...]:
    """Objective and reports over some examples, weighted by examples."""
    total = _Mean()
    for order in _pieces(which, max(batch, LARGEST_EVALUATION)):
        total.add(learner.evaluate(examples.take(order)), len(order))
    return total.values()


def _pieces(which: Order, size: int) -> Iterator[Order]:
    for start in range(0, len(which), size):
        yield which[start : start + size]


class _Mean:
    """A mean weighted by examples."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: list[float] = []

    def add(self, values: Sequence[float], count: int) -> None:
        """Values that are means over `count` examples."""
        self.sums = self.sums or [0.0] * len(values)
        self.sums = [total + value * count for total, value in zip(self.sums, values, strict=True)]
        self.count += count

    def values(self) -> tuple[float, ...]:
        """The means so far."""
        return tuple(total / self.count for total in self.sums)
