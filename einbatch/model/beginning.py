"""Where a training begins: afresh, or where its newest checkpoint is; and who watches it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

import numpy as np

from einbatch.elaborate import constant_values, erase
from einbatch.ir import as_float
from einbatch.model.arrays import Array
from einbatch.model.trainer import Trainer, Updating
from einbatch.syntax import unparse
from einbatch.train.board import Board
from einbatch.train.identity import Identity
from einbatch.train.log import Log
from einbatch.train.loop import Progress, Silent
from einbatch.train.options import Options
from einbatch.train.recording import LOG, Recording, Saver, Together, find_run, write_run
from einbatch.train.state import State


@dataclass(frozen=True, slots=True)
class Manner:
    """How a training is run, apart from what it computes.

    `recording` says what is written, and `facts` are what `run.json` holds besides.
    """

    recording: Recording = field(default_factory=Recording)
    progress: Progress | None = None
    deterministic: bool = False
    facts: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the loop starts with."""

    state: State
    watch: Progress


def begin(
    trainer: Trainer,
    updating: Updating,
    options: Options,
    extents: Mapping[str, int],
    manner: Manner,
) -> Beginning:
    """The loop's state and its watchers; the trainer is brought to where a checkpoint is."""
    recording, watch = manner.recording, manner.progress or Silent()
    identity = _identity(updating, options, extents)
    found, said = find_run(recording)
    state = State()
    if found is not None:
        found.identity.check(identity, str(recording.folder))
        trainer.restore({**found.params, **found.kept}, found.state.step)
        state = found.state
    for text in said:
        watch.note(text)
    folder = recording.folder
    places = [recording.log] if recording.log else []
    if folder is not None:
        write_run(folder, _facts(updating, options, extents, manner))
        places.append(folder / LOG)
    logs = [Log(place, updating.reports) for place in places]
    watchers: list[Progress] = [watch, *logs]
    if recording.tensorboard is not None:
        watchers.append(Board(recording.tensorboard, updating.reports))
    if folder is not None:
        watchers.append(Saver(recording, folder, identity, lambda: _kept(trainer, updating), logs))
    return Beginning(state, Together(watchers))


def _identity(updating: Updating, options: Options, extents: Mapping[str, int]) -> Identity:
    program = replace(updating.source, train=None)
    return Identity.of(unparse(erase(program)), updating.execution.dtype, extents, options)


def _kept(trainer: Trainer, updating: Updating) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    kept = trainer.kept
    params = {name: kept[name] for name in updating.params}
    return params, {name: kept[name] for name in updating.states}


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
