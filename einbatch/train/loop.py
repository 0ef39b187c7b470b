"""The loop over epochs and minibatches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy.gather import Gather
from einbatch.data import minibatch_order, split_holdout
from einbatch.diagnostics import EinbatchError
from einbatch.train.options import Options
from einbatch.train.state import Epoch, Mean, State

# Any: an input is of floats or of integers.
Array: TypeAlias = NDArray[Any]
Order: TypeAlias = NDArray[np.intp]

LARGEST_EVALUATION = 1024
"""The most examples that are evaluated at once, where a minibatch is not larger still."""
LAST_LOOK = 0.5
"""Seconds for what is held out, where training is stopped within an epoch."""


class Evaluator(Protocol):
    """What gives the objective and then each report, as numbers."""

    def evaluate(self, arrays: Mapping[str, Array], /) -> tuple[float, ...]:
        """The values at the params as they are."""
        ...


class Learner(Evaluator, Protocol):
    """What is trained."""

    def advance(self, arrays: Mapping[str, Array], /) -> tuple[float, ...]:
        """One update; the values are those before it."""
        ...

    def begin(self, steps: int, /) -> None:
        """Before the first update: how many there are to be in the whole training."""
        ...

    def keep(self) -> None:
        """The params as they are are the best so far."""
        ...


class NotFinite(EinbatchError):
    """Training came to a NaN or an infinity."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What lies ahead: epochs, the updates in each, and the examples that each sees.

    `minibatch` gives the arrays of an epoch's minibatch, both counted from 0, again.
    """

    epochs: int
    steps: int
    examples: int
    minibatch: Callable[[int, int], Mapping[str, Array]] = lambda epoch, number: {}


class Progress(Protocol):
    """Who watches the training, and may end it. The state is the loop's own: not to be kept."""

    def note(self, text: str, /) -> None:
        """Something to tell whoever waits."""
        ...

    def start(self, outline: Outline, state: State, /) -> None:
        """Before the first update; `state` is further than its start where training goes on."""
        ...

    def step(self, state: State, values: Sequence[float], /) -> None:
        """After each update."""
        ...

    def epoch(self, record: Epoch, state: State, /) -> None:
        """After each epoch, and after one that was stopped within."""
        ...

    def settled(self, state: State, /) -> None:
        """After each update, and after its epoch where it was the last: training can go on here."""
        ...

    def end(self, reason: str, state: State, /) -> None:
        """After the last update, with what `stopped` said, else `done`."""
        ...

    @property
    def stopped(self) -> str:
        """Asked after each update: a reason ends the training there, cleanly."""
        ...


class Silent:
    """Watches nothing."""

    stopped = ""

    def note(self, text: str, /) -> None:
        """Nothing."""

    def start(self, outline: Outline, state: State, /) -> None:
        """Nothing."""

    def step(self, state: State, values: Sequence[float], /) -> None:
        """Nothing."""

    def epoch(self, record: Epoch, state: State, /) -> None:
        """Nothing."""

    def settled(self, state: State, /) -> None:
        """Nothing."""

    def end(self, reason: str, state: State, /) -> None:
        """Nothing."""


class Taken(Protocol):
    """An array that is not in memory."""

    def take(self, order: Order, axis: int, /) -> Array:
        """The examples of these numbers along an axis."""
        ...


@dataclass(frozen=True, slots=True)
class Examples:
    """Arrays, and which axis of each the examples lie on (None: the same for all).

    `extents` are those of all the examples.
    """

    arrays: Mapping[str, Array | Taken]
    axes: Mapping[str, int | None]
    count: int
    extents: Mapping[str, int] = field(default_factory=dict[str, int])
    _gathers: dict[tuple[str, int], Gather] = field(default_factory=dict[tuple[str, int], Gather])

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
        if key not in self._gathers:
            self._gathers[key] = Gather(array, len(order), axis)
        return self._gathers[key](order)


def train(
    learner: Learner,
    examples: Examples,
    options: Options,
    progress: Progress | None = None,
    state: State | None = None,
    *,
    apart: Examples | None = None,
    ascends: bool = False,
) -> list[Epoch]:
    """Minibatches in an order of each epoch's own, then the examples held out; one record each.

    Held out are a part of the examples, or those `apart`. Without a batch axis an epoch is
    one update on all the data. A `state` goes on from where it is, and is brought further.
    """
    batched = any(axis is not None for axis in examples.axes.values())
    everyone = np.arange(examples.count)
    trained, held, others = everyone, everyone[:0], examples
    if apart is not None:
        held, others = np.arange(apart.count), apart
    elif batched:
        trained, held = split_holdout(examples.count, options.holdout, options.seed)
    size = options.batch if batched else examples.count
    watch, state = progress or Silent(), state or State()
    run = _Run(learner, examples, others, options, watch, state, trained, held, size, ascends)
    steps = math.ceil(len(trained) / size)
    learner.begin(options.epochs * steps - state.step)
    watch.start(Outline(options.epochs, steps, len(trained), run.minibatch), state)
    try:
        while run.goes_on() and run.take_steps() and run.close_epoch():
            pass
        watch.end(watch.stopped or ("early" if run.is_stalled else "done"), state)
    except NotFinite:
        watch.end("not finite", state)
        raise
    return [*state.history, run.last_look()] if state.taken else state.history


@dataclass(frozen=True, slots=True)
class _Run:
    """A training under way: `trained` numbers its `examples`, `held` the `others` held out."""

    learner: Learner
    examples: Examples
    others: Examples
    options: Options
    watch: Progress
    state: State
    trained: Order
    held: Order
    size: int
    ascends: bool

    @property
    def is_stalled(self) -> bool:
        """True where the best epoch is as long ago as patience lasts."""
        best = self.state.best
        waited = self.state.epoch - (0 if best is None else best.epoch)
        return 0 < self.options.patience <= waited

    def goes_on(self) -> bool:
        """True where another epoch is to come."""
        return self.state.epoch < self.options.epochs and not self.is_stalled

    def orders(self, epoch: int) -> list[Order]:
        """Which of the trained examples each minibatch of an epoch holds."""
        return minibatch_order(len(self.trained), self.size, self.options.seed, epoch)

    def minibatch(self, epoch: int, number: int) -> dict[str, Array]:
        """The arrays of a minibatch, valid until the next is taken."""
        return self.examples.take(self.trained[self.orders(epoch)[number]])

    def take_steps(self) -> bool:
        """The updates that the epoch still lacks; False where something stopped them."""
        state, watch = self.state, self.watch
        began = perf_counter() - state.seconds
        orders = self.orders(state.epoch)
        for order in orders[state.taken :]:
            values = self.learner.advance(self.examples.take(self.trained[order]))
            state.advance(values, len(order))
            state.seconds = perf_counter() - began
            watch.step(state, values)
            if watch.stopped:
                return False
            if state.taken < len(orders):
                watch.settled(state)
        return True

    def close_epoch(self) -> bool:
        """Looks at what is held out; False where something stopped that, or the training."""
        state, watch = self.state, self.watch
        began = perf_counter() - state.seconds
        checked = self._held_out(lambda: bool(watch.stopped))
        if len(self.held) and not checked:
            return False
        record = Epoch(state.epoch + 1, state.mean.values(), checked)
        state.seconds = perf_counter() - began
        state.close(record, ascends=self.ascends)
        if state.is_best:
            self.learner.keep()
        watch.epoch(record, state)
        watch.settled(state)
        return not watch.stopped

    def last_look(self) -> Epoch:
        """The epoch that training was stopped within, as far as it came."""
        enough = perf_counter() + LAST_LOOK
        checked = self._held_out(lambda: perf_counter() > enough)
        number, means = self.state.epoch + 1, self.state.mean.values()
        record = Epoch(number, means, checked, complete=False)
        self.watch.epoch(record, self.state)
        return record

    def _held_out(self, stop: Callable[[], bool]) -> tuple[float, ...] | None:
        """None where nothing is held out, and where `stop` came first."""
        batch = self.options.batch
        return _attempt(self.learner, self.others, self.held, batch, stop) or None


def evaluate(learner: Evaluator, examples: Examples, which: Order, batch: int) -> tuple[float, ...]:
    """Objective and reports over some examples, weighted by examples."""
    return _attempt(learner, examples, which, batch, lambda: False)


def _attempt(
    learner: Evaluator, examples: Examples, which: Order, batch: int, stop: Callable[[], bool]
) -> tuple[float, ...]:
    """What `evaluate` gives; nothing where `stop` came before its end."""
    total = Mean()
    for order in _pieces(which, max(batch, LARGEST_EVALUATION)):
        if stop():
            return ()
        total.add(learner.evaluate(examples.take(order)), len(order))
    return total.values()


def _pieces(which: Order, size: int) -> Iterator[Order]:
    for start in range(0, len(which), size):
        yield which[start : start + size]
