"""Who watches a training from the command line: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from einbatch.cli.show import show_number
from einbatch.cli.signals import Signals
from einbatch.train.loop import Outline, Silent
from einbatch.train.state import Epoch, State

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


REFRESH = 0.05
"""Seconds between two looks of the bar."""
MEMORY = 0.2
"""How much the newest look weighs in the shown speed."""


class Watch(Silent):
    """Prints a line for each epoch, or shows a bar; a signal ends the training cleanly.

    A context: signals are the process's own again when it ends. A reader of the lines
    who goes away ends the training too.
    """

    def __init__(self, reports: Sequence[str], *, quiet: bool) -> None:
        self.reports = tuple(reports)
        self.lines = not quiet and not sys.stdout.isatty()
        self.signals = Signals()
        self.unread = False
        self.epochs = 0
        self._bar: Bar | None = None
        self._shown = sys.stderr.isatty()
        self._warned = False
        self._due = 0.0
        self._pace = Pace(Outline(0, 0, 0), 0, 0.0)

    def __enter__(self) -> Watch:
        self.signals.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self.signals.__exit__(kind, error, traceback)

    @property
    def stopped(self) -> str:
        """Why training is to end."""
        return "interrupted" if self.unread else self.signals.reason

    def note(self, text: str, /) -> None:
        """Prints it."""
        self._say(text)

    def start(self, outline: Outline, state: State, /) -> None:
        """Shows the bar, as far along as the state is."""
        self.epochs = outline.epochs
        self._pace = Pace(outline, state.step, time.monotonic())
        if self._shown:
            self._bar = _bar()
            self._bar.start()
            total = outline.epochs * outline.steps
            self._bar.add_task("", total=total, completed=state.step, shown="", pace="")

    def step(self, state: State, values: Sequence[float], /) -> None:
        """Moves the bar; the first loss that is no number is reported."""
        if math.isnan(values[0]) and not self._warned:
            self._warned = True
            self._say("warning[W0801]: the loss is NaN; a smaller step may help")
        if self._bar is not None and time.monotonic() >= self._due:
            self._due = time.monotonic() + REFRESH
            self._move(self._bar, state, values)

    def _move(self, bar: Bar, state: State, values: Sequence[float]) -> None:
        self._pace.look(state.step, time.monotonic())
        number = min(state.epoch + (state.taken > 0), self.epochs)
        shown = f"epoch {number}/{self.epochs}  {self._values('', values)}"
        pace = self._pace.text(state.step)
        bar.update(bar.task_ids[0], completed=state.step, shown=shown, pace=pace)

    def epoch(self, record: Epoch, state: State, /) -> None:
        """Prints the epoch's line."""
        if self._bar is not None:
            self._move(self._bar, state, record.train)
        if self.lines:
            text = f"epoch {record.number}/{self.epochs}  {self._values('', record.train)}"
            if record.holdout is not None:
                text += f"  {self._values('holdout ', record.holdout)}"
            try:
                print(text, flush=True)
            except BrokenPipeError:  # nobody reads on: end as at Ctrl-C, and keep what is learnt
                self.unread = True

    def _values(self, prefix: str, values: Sequence[float]) -> str:
        pairs = zip(("loss", *self.reports), values, strict=True)
        return "  ".join(f"{prefix}{name} {show_number(value)}" for name, value in pairs)

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr)


class Pace:
    """Updates in a second as this process makes them, whatever a resumed training did before."""

    def __init__(self, outline: Outline, step: int, clock: float) -> None:
        self._outline = outline
        self._step = step
        self._clock = clock
        self.speed = 0.0

    def look(self, step: int, clock: float) -> None:
        """So many updates are done by this time, in seconds; the newest weigh most."""
        passed = clock - self._clock
        if step == self._step or passed <= 0:
            return
        speed = (step - self._step) / passed
        self.speed = speed if not self.speed else self.speed + MEMORY * (speed - self.speed)
        self._step, self._clock = step, clock

    def text(self, step: int) -> str:
        """`12,300 ex/s  0:01:05 left`, examples; nothing before there is a speed."""
        if not self.speed:
            return ""
        outline = self._outline
        examples = self.speed * outline.examples / max(outline.steps, 1)
        left = round(max(outline.epochs * outline.steps - step, 0) / self.speed)
        hours, rest = divmod(left, 3600)
        return f"{examples:,.0f} ex/s  {hours}:{rest // 60:02}:{rest % 60:02} left"


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    def text(shown: str) -> TextColumn:
        return TextColumn(shown, markup=False, table_column=Column(no_wrap=True))

    return Progress(
        BarColumn(bar_width=None),  # what the texts leave of the line
        text("{task.percentage:>3.0f}%"),
        text("{task.fields[shown]}"),
        text("{task.fields[pace]}"),
        console=Console(stderr=True),
        expand=True,
        transient=True,
    )
