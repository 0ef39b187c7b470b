"""Several watchers of a training as one."""

from __future__ import annotations

from collections.abc import Sequence

from einbatch.train.loop import Outline, Progress, Silent
from einbatch.train.state import Epoch, State


class Together(Silent):
    """Several watchers as one, in order; the first reason to stop counts."""

    def __init__(self, watchers: Sequence[Progress]) -> None:
        self.watchers = tuple(watchers)

    @property
    def stopped(self) -> str:
        """The first reason that one of them has."""
        return next((watch.stopped for watch in self.watchers if watch.stopped), "")

    def note(self, text: str, /) -> None:
        """Tells all of them."""
        for watch in self.watchers:
            watch.note(text)

    def start(self, outline: Outline, state: State, /) -> None:
        """Tells all of them."""
        for watch in self.watchers:
            watch.start(outline, state)

    def step(self, state: State, values: Sequence[float], /) -> None:
        """Tells all of them."""
        for watch in self.watchers:
            watch.step(state, values)

    def epoch(self, record: Epoch, state: State, /) -> None:
        """Tells all of them."""
        for watch in self.watchers:
            watch.epoch(record, state)

    def settled(self, state: State, /) -> None:
        """Tells all of them."""
        for watch in self.watchers:
            watch.settled(state)

    def end(self, reason: str, state: State, /) -> None:
        """Tells all of them, the last first: a log ends when nothing is left to be logged."""
        for watch in reversed(self.watchers):
            watch.end(reason, state)
