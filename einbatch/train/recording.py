"""What a training leaves behind while it runs: a run's folder, a log, curves.

RUN/run.json              the program, its constants and options, versions, sources of data
    log.jsonl             see `log`
    checkpoints/          see `checkpoints`
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import cast

from einbatch.data.durable import replace_file, sweep
from einbatch.diagnostics import fail
from einbatch.train.checkpoints import (
    Array,
    Checkpoint,
    find_checkpoints,
    find_newest,
    named,
    note_best,
    prune,
    set_damaged_aside,
    unwritable,
    write_checkpoint,
)
from einbatch.train.identity import Identity
from einbatch.train.log import Log
from einbatch.train.loop import Outline, Silent
from einbatch.train.state import State

RUN, LOG, CHECKPOINTS = "run.json", "log.jsonl", "checkpoints"
KEPT = 3
"""The checkpoints that stay, where nothing else is said."""
Place = str | os.PathLike[str] | None
Kept = tuple[int, Mapping[str, Array], Mapping[str, Array]]
"""The number of the last update, the params, the optimizer's tensors."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be written, and where; None for what is not.

    A run's folder is `checkpoint`, with a checkpoint after `every` updates (after each
    epoch where that is None), of which the last `keep` and the best stay. `resume` is
    a run's folder to go on in. `log` is a file, `tensorboard` a folder.
    """

    checkpoint: Path | None = None
    every: int | None = None
    keep: int = KEPT
    resume: Path | None = None
    log: Path | None = None
    tensorboard: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The run's folder, if there is to be one."""
        return self.checkpoint or self.resume


def recording_of(
    checkpoint: Place = None,
    every: int | None = None,
    keep: int | None = None,
    resume: Place | bool = None,
    log: Place = None,
    tensorboard: Place = None,
) -> Recording:
    """A recording from what a caller gives; `resume=True` means the folder `checkpoint`.

    Raises E0803 where `every` or `keep` is no count, E0633 where two folders are named,
    E0104 where a path is none.
    """
    most = KEPT if keep is None else _count("keep", keep)
    often = None if every is None else _count("checkpoint_every", every)
    run, again = _path(checkpoint), _path(checkpoint if resume is True else resume or None)
    if run and again and run != again:
        raise fail(
            "E0633",
            f"checkpoints are to go to {named(run)}, and the training that goes on is"
            f" in {named(again)}",
            help="a training goes on in its own folder: copy the folder to branch off",
        )
    if resume is True and run is None:
        raise fail(
            "E0633",
            "there is no folder to resume",
            help="name it: `checkpoint=…` beside `resume=True`, or `resume=…`",
        )
    if often is not None and not (run or again):
        raise fail(
            "E0633",
            "there is no folder for the checkpoints to go to",
            help="name one: `--checkpoint DIR`, or `checkpoint=…` from Python",
        )
    return Recording(run, often, most, again, _path(log), _path(tensorboard))


def _count(name: str, value: object) -> int:
    try:
        count = index(cast(int, value))
        if count >= 1:
            return count
    except TypeError:
        pass
    raise fail(
        "E0803",
        f"`{name}` is {str(value)[:80]}, and has to be an integer from 1",
        help=f"the default is `keep={KEPT}`" if name == "keep" else "the default is each epoch",
    )


def _path(place: Place | bool) -> Path | None:
    try:
        return None if place is None else Path(cast(str, place))
    except TypeError:
        raise fail(
            "E0104",
            f"a path is a text, and this is a {type(place).__name__}",
            help="give the path of a file or folder",
        ) from None


def find_run(recording: Recording) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint that training goes on from, and what there is to say about that.

    Raises E0634 where the folder holds a run that is not to be resumed, E0631 where
    no checkpoint is whole, E0630 where the folder cannot be written.
    """
    folder = recording.folder
    if folder is None:
        return None, []
    places = folder / CHECKPOINTS
    try:
        if recording.resume is None:
            _check_is_new(folder)
        places.mkdir(parents=True, exist_ok=True)
        sweep(places)
        sweep(folder)
        found = find_newest(places)
        if found is None:
            said = f"{named(folder)} holds no checkpoint yet: training starts afresh"
            return None, [said] if recording.resume else []
        path, checkpoint, wrong = found
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise unwritable(error) from None
    state = checkpoint.state
    said = f"resuming from {named(path)}: step {state.step:,}, epochs done: {state.epoch}"
    return checkpoint, [*(f"warning: {text}" for text in wrong), said]


def _check_is_new(folder: Path) -> None:
    if (folder / RUN).exists() or find_checkpoints(folder / CHECKPOINTS):
        raise fail(
            "E0634",
            f"{named(folder)} holds a run already",
            help=f"go on with it by `--resume {folder}`, or name another folder",
        )


class Saver(Silent):
    """Saves checkpoints of a training into its run's folder."""

    def __init__(
        self,
        recording: Recording,
        folder: Path,
        identity: Identity,
        kept: Callable[[], Kept],
        logs: Sequence[Log],
        check: Callable[[State], None],
    ) -> None:
        self._recording = recording
        self._places = folder / CHECKPOINTS
        self._identity = identity
        self._kept = kept
        self._logs = tuple(logs)
        self._check = check
        self._saved = 0

    def start(self, outline: Outline, state: State, /) -> None:
        """What the state was read from needs no saving; what is newer is no checkpoint."""
        self._saved = state.step
        try:
            set_damaged_aside(self._places, state.step)
        except OSError as error:
            raise unwritable(error) from None

    def settled(self, state: State, /) -> None:
        """Saves after so many updates, or each epoch, and the best."""
        closed, every = state.taken == 0, self._recording.every
        due = closed if every is None else state.step % every == 0
        if due or (closed and state.is_best):
            self.save(state)

    def end(self, reason: str, state: State, /) -> None:
        """Saves the last state, unless it is saved, or not fit to go on from."""
        if reason != "not finite" and state.step != self._saved:
            self.save(state)

    def save(self, state: State) -> None:
        """Commits a checkpoint; then those that are not to be kept go."""
        self._check(state)
        for log in self._logs:
            log.flush(force=True)
        updates, params, kept = self._kept()
        try:
            checkpoint = Checkpoint(state, updates, params, kept, self._identity)
            path = write_checkpoint(self._places, checkpoint)
            note_best(self._places, state)
            prune(self._places, self._recording.keep, state)
        except OSError as error:
            raise unwritable(error) from None
        self._saved = state.step
        for log in self._logs:
            log.checkpoint(state.step, f"{CHECKPOINTS}/{path.name}")


def write_run(folder: Path, facts: Mapping[str, object]) -> None:
    """Writes `run.json`."""
    text = json.dumps({"format": 1, **facts}, indent=2, ensure_ascii=False)
    try:
        replace_file(folder / RUN, (text + "\n").encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise unwritable(error) from None
