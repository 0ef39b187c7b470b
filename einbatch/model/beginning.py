"""Where a training begins: afresh, or where its newest checkpoint is; and who watches it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version

import numpy as np

from einbatch.elaborate import constant_values, erase
from einbatch.ir import as_float
from einbatch.model.arrays import Array
from einbatch.model.finite import Guard
from einbatch.model.trainer import Trainer, Updating
from einbatch.syntax import unparse
from einbatch.train.board import Board
from einbatch.train.checkpoints import find_best
from einbatch.train.identity import Identity
from einbatch.train.log import Log
from einbatch.train.loop import Progress, Silent
from einbatch.train.options import Options
from einbatch.train.recording import (
    CHECKPOINTS,
    LOG,
    Kept,
    Recording,
    Saver,
    find_run,
    write_run,
)
from einbatch.train.state import State
from einbatch.train.together import Together


@dataclass(frozen=True, slots=True)
class Manner:
    """How a training is run, apart from what it computes.

    `recording` says what is written, and `facts` are what `run.json` holds besides.
    `check_finite` stops it at a NaN: always, never, or (None) in the first updates.
    """

    recording: Recording = field(default_factory=Recording)
    progress: Progress | None = None
    check_finite: bool | None = None
    deterministic: bool = False
    facts: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the loop starts with; `best` are the params of the best epoch before, if any."""

    state: State
    watch: Progress
    best: Mapping[str, Array]


def begin(
    trainer: Trainer,
    updating: Updating,
    options: Options,
    extents: Mapping[str, int],
    manner: Manner,
) -> Beginning:
    """The loop's state and its watchers; the trainer is brought to where a checkpoint is."""
    recording, watch = manner.recording, manner.progress or Silent()
    identity = partial(_identity, updating, options, extents)
    folder = recording.folder
    found, said = find_run(recording)
    state, best = State(), None
    if found is not None and folder is not None:
        found.identity.check(identity(), str(recording.folder))
        trainer.restore({**found.params, **found.kept}, found.updates)
        state, best = found.state, find_best(folder / CHECKPOINTS, found.state)
    for text in said:
        watch.note(text)
    places = [recording.log] if recording.log else []
    if folder is not None:
        write_run(folder, _facts(updating, options, extents, manner))
        places.append(folder / LOG)
    logs = [Log(place, updating.reports) for place in places]
    watchers: list[Progress] = [*logs]
    if recording.tensorboard is not None:
        watchers.append(Board(recording.tensorboard, updating.reports))
    guard = Guard(trainer, updating, manner.check_finite)
    watchers += [guard, watch]
    if folder is not None:
        kept = partial(_kept, trainer, updating)
        watchers.append(Saver(recording, folder, identity(), kept, logs, guard.check))
    return Beginning(state, Together(watchers), best or {})


def _identity(updating: Updating, options: Options, extents: Mapping[str, int]) -> Identity:
    program = replace(updating.source, train=None)
    return Identity.of(unparse(erase(program)), updating.execution.dtype, extents, options)


def _kept(trainer: Trainer, updating: Updating) -> Kept:
    params = {name: trainer.kept[name] for name in updating.params}
    return trainer.count, params, {name: trainer.kept[name] for name in updating.states}


def _facts(
    updating: Updating, options: Options, extents: Mapping[str, int], manner: Manner
) -> dict[str, object]:
    """What `run.json` holds."""
    execution, recording = updating.execution, manner.recording
    constants = constant_values(updating.source, extents)
    return {
        "program": {"path": "", "text": ""},
        "constants": {name: as_float(value) for name, value in constants.items()},
        "dtype": execution.dtype,
        "backend": execution.backend,
        "seed": options.seed,
        "options": {
            **asdict(options),
            "checkpoint_every": recording.every,
            "keep": recording.keep,
            "deterministic": manner.deterministic,
        },
        "extents": dict(extents),
        "versions": {
            "einbatch": version("einbatch"),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "data": {},
        **manner.facts,
    }
