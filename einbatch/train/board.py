"""Curves for TensorBoard: event files, by the package tensorboardX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from einbatch.data.datafile import shown
from einbatch.diagnostics import fail
from einbatch.train.loop import Outline, Silent
from einbatch.train.state import Epoch, State


class _Writer(Protocol):
    """What is used of tensorboardX, whose package does not say."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Board(Silent):
    """Writes `step/loss` for each update, and for each epoch its means and what is held out.

    All curves are over the number of updates. E0635 where tensorboardX is not installed.
    """

    def __init__(self, folder: Path, reports: Sequence[str]) -> None:
        try:
            import tensorboardX  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]  # noqa: F401
        except ImportError:
            raise fail(
                "E0635",
                "TensorBoard's event files are written by the package tensorboardX,"
                " which is not installed",
                help="install it: `pip install 'einbatch[tensorboard]'`",
            ) from None
        self._folder = folder
        self._names = ("loss", *reports)
        self._writer: _Writer | None = None

    def start(self, outline: Outline, state: State, /) -> None:
        """Opens an event file; events after the step that training goes on from are void."""
        from tensorboardX import (  # pyright: ignore[reportMissingTypeStubs]
            SummaryWriter,
        )

        purge, suffix = (state.step + 1 if state.step else None), f".{state.step}"
        try:
            writer = SummaryWriter(str(self._folder), purge_step=purge, filename_suffix=suffix)
            self._writer = cast(_Writer, writer)
        except OSError as error:
            raise fail(
                "E0609",
                f"{shown(str(self._folder))} cannot be written: {(error.strerror or '').lower()}",
                help="name a folder that you may write to",
            ) from None

    def step(self, state: State, values: Sequence[float], /) -> None:
        """The objective before the update."""
        self._add("step", values[:1], state.step)

    def epoch(self, record: Epoch, state: State, /) -> None:
        """The means of a whole epoch, and of what is held out."""
        if record.complete:
            self._add("train", record.train, state.step)
            self._add("holdout", record.holdout or (), state.step)

    def end(self, reason: str, state: State, /) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, group: str, values: Sequence[float], step: int) -> None:
        if self._writer is not None:
            for name, value in zip(self._names, values, strict=False):
                self._writer.add_scalar(f"{group}/{name}", value, step)
