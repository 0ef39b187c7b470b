"""Who watches a training from the command line: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from einbatch.cli.show import show_number
from einbatch.train.loop import Epoch

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


REFRESH = 0.05
"""Seconds between two looks of the bar."""


class Watch:
    """Prints a line for each epoch, or shows a bar; the first Ctrl-C ends the training cleanly.

    A context: Ctrl-C is its own again when it ends. A second one interrupts at once. A reader
    of the lines who goes away ends the training too.
    """

    def __init__(self, reports: Sequence[str], *, quiet: bool) -> None:
        self.reports = tuple(reports)
        self.lines = not quiet and not sys.stdout.isatty()
        self.stopped = False
        self.unread = False
        self.epochs = 0
        self._bar: Bar | None = None
        self._shown = sys.stderr.isatty()
        self._warned = False
        self._done = 0
        self._due = 0.0
        self._before: object = None

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True

    def start(self, epochs: int, steps: int, /) -> None:
        """Shows the bar."""
        self.epochs = epochs
        if self._shown:
            self._bar = _bar()
            self._bar.start()
            self._bar.add_task("", total=epochs * steps, shown="")

    def step(self, values: Sequence[float], /) -> None:
        """Moves the bar; the first loss that is no number is reported."""
        if math.isnan(values[0]) and not self._warned:
            self._warned = True
            self._say("warning[W0801]: the loss is NaN; a smaller step may help")
        self._done += 1
        if self._bar is not None and time.monotonic() >= self._due:
            self._due = time.monotonic() + REFRESH
            self._move(self._bar, values)

    def _move(self, bar: Bar, values: Sequence[float]) -> None:
        bar.update(bar.task_ids[0], completed=self._done, shown=self._values("", values))

    def epoch(self, record: Epoch, /) -> None:
        """Prints the epoch's line."""
        if self._bar is not None:
            self._move(self._bar, record.train)
        if self.lines:
            text = f"epoch {record.number}/{self.epochs}  {self._values('', record.train)}"
            if record.holdout is not None:
                text += f"  {self._values('holdout ', record.holdout)}"
            try:
                print(text, flush=True)
            except BrokenPipeError:  # nobody reads on: end as at Ctrl-C, and keep what is learnt
                self.stopped = self.unread = True

    def _values(self, prefix: str, values: Sequence[float]) -> str:
        pairs = zip(("loss", *self.reports), values, strict=True)
        return "  ".join(f"{prefix}{name} {show_number(value)}" for name, value in pairs)

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        """Steps in a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} steps/s")

    return Progress(
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[shown]}", markup=False),
        Speed(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
