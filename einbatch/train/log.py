"""The log of a training: one JSON object a line (JSON Lines), for programs to read.

    {"event": "start", "step": 0, …}
    {"event": "step", "step": 1, "epoch": 1, "loss": 2.3, "reports": {…}, "seconds": 0.01}
    {"event": "epoch", "epoch": 1, "step": 45, "loss": …, "holdout_loss": …,
     "reports": {"train": {…}, "holdout": {…}}, "seconds": …}
    {"event": "checkpoint", "step": 45, "path": …}
    {"event": "end", "reason": "done", "step": 45}

NaN and infinity, which JSON does not have, are null.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from einbatch.data.datafile import shown
from einbatch.diagnostics import fail
from einbatch.train.loop import Outline, Silent
from einbatch.train.state import Epoch, State

KEPT = ("start", "step", "epoch", "checkpoint")


class Log(Silent):
    """Writes the log of a training to a file. `reports` names what follows the objective.

    Where the state that it starts with is not that of a beginning, what the file holds
    up to that step is kept. Raises EinbatchError (E0609) where the file cannot be written.
    """

    def __init__(self, path: Path, reports: Sequence[str]) -> None:
        self.path = path
        self.reports = tuple(reports)
        self._stream: BinaryIO | None = None

    def start(self, outline: Outline, state: State, /) -> None:
        """Opens the file, cut to the step that training goes on from."""
        with self._writing():
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            self._stream = open(handle, "r+b")  # noqa: SIM115 - open until `end`
            self._stream.truncate(end_of(self._stream, state) if state.step else 0)
            self._stream.seek(0, os.SEEK_END)
        self.write(
            event="start",
            step=state.step,
            epochs=outline.epochs,
            steps=outline.steps,
            examples=outline.examples,
        )

    def step(self, state: State, values: Sequence[float], /) -> None:
        """The values before an update."""
        reports = dict(zip(self.reports, values[1:], strict=True))
        self.write(
            event="step",
            step=state.step,
            epoch=state.epoch + 1,
            loss=values[0],
            reports=reports,
            seconds=round(state.seconds, 6),
        )

    def epoch(self, record: Epoch, state: State, /) -> None:
        """The means of a whole epoch; one that was stopped within is no entry."""
        if not record.complete:
            return
        held = record.holdout or (None,)
        self.write(
            event="epoch",
            epoch=record.number,
            step=state.step,
            loss=record.train[0],
            holdout_loss=held[0],
            reports={
                "train": dict(zip(self.reports, record.train[1:], strict=True)),
                "holdout": dict(zip(self.reports, held[1:], strict=False)),
            },
            seconds=round(state.seconds, 6),
        )
        self.flush()

    def checkpoint(self, step: int, path: str) -> None:
        """A checkpoint has been saved; the path starts at the run's folder."""
        self.write(event="checkpoint", step=step, path=path)
        self.flush()

    def end(self, reason: str, state: State, /) -> None:
        """The last line; the file is closed."""
        self.write(event="end", reason=reason, step=state.step)
        if self._stream is not None:
            with self._writing():
                self._stream.close()
            self._stream = None

    def flush(self, *, force: bool = False) -> None:
        """Hands the lines to the system; `force`s them to the disk."""
        if self._stream is not None:
            with self._writing():
                self._stream.flush()
                if force:
                    os.fsync(self._stream.fileno())

    def write(self, **entry: object) -> None:
        """One line."""
        if self._stream is not None:
            with self._writing():
                self._stream.write(_line(entry))

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise fail(
                "E0609",
                f"{shown(str(self.path))} cannot be written:"
                f" {(reason or 'its name is not one that a file can have').lower()}",
                help="name a file in a folder that exists and that you may write to",
            ) from None


def end_of(stream: BinaryIO, state: State) -> int:
    """Where a log that goes on from a state has to be cut, in bytes."""
    end = 0
    stream.seek(0)
    for line in stream:
        try:
            entry = cast("Mapping[str, Any]", json.loads(line))  # Any: JSON
            ahead = entry["step"] > state.step or (
                entry["event"] == "epoch" and entry["epoch"] > state.epoch
            )
            if entry["event"] not in KEPT or ahead:
                break
        except (ValueError, KeyError, TypeError, RecursionError):
            break  # half a line, as a crash leaves it
        if not line.endswith(b"\n"):
            break
        end += len(line)
    return end


def _line(entry: Mapping[str, object]) -> bytes:
    try:
        text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(entry), ensure_ascii=False)
    return (text + "\n").encode("utf-8", "surrogatepass")


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {name: _finite(item) for name, item in items}
    return None if isinstance(value, float) and not math.isfinite(value) else value
