"""The folder of a run: what was run, and the params that its checkpoints hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from einbatch.data import load_params
from einbatch.data.datafile import Array, shown
from einbatch.diagnostics import EinbatchError, Source, fail
from einbatch.syntax.source import LARGEST

FORMAT = 1
STEP = re.compile(r"step-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Run:
    """`run.json`: the program's text, and everything that it was run with.

    `extents` are those of all the data; `data` says where each input came from.
    """

    source: Source
    constants: Mapping[str, int | float]
    dtype: str | None
    backend: str
    seed: int
    options: Mapping[str, object]
    extents: Mapping[str, int]
    versions: Mapping[str, str]
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Params and optimizer state after a step."""

    step: int
    params: Mapping[str, Array]
    state: Mapping[str, Array]


def read_run(folder: Path) -> Run:
    """What a folder says was run in it; E0832 where it says nothing of the kind."""
    path = folder / "run.json"
    try:
        with path.open("rb") as stream:
            text = stream.read(2 * LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "no such name"
        raise _no_run(path, f"`run.json` cannot be read: {reason.lower()}") from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_run(path, "`run.json` is damaged: it is no JSON") from None
    given = _mapping(found)
    version = given.get("format")
    if version != FORMAT:
        raise _no_run(path, f"`run.json` has the format {shown(str(version), 20)}, not {FORMAT}")
    program = _mapping(given.get("program"))
    code = program.get("text")
    if not isinstance(code, str):
        raise _no_run(path, "`run.json` is damaged: it holds no program")
    seed = given.get("seed")
    return Run(
        Source(_text(program.get("path")) or "<text>", code),
        _numbers(given.get("constants")),
        _text(given.get("dtype")),
        _text(given.get("backend")) or "numpy",
        seed if isinstance(seed, int) and 0 <= seed < 2**63 else 0,
        _mapping(given.get("options")),
        {k: v for k, v in _numbers(given.get("extents")).items() if isinstance(v, int) and v > 0},
        _texts(given.get("versions")),
        _texts(given.get("data")),
    )


def newest_checkpoint(folder: Path, notes: list[str]) -> Checkpoint | None:
    """The params of the newest checkpoint that can be read; of the others, `notes` tells."""
    try:
        names = sorted(item.name for item in (folder / "checkpoints").iterdir())
    except OSError:
        notes.append("There are no checkpoints, so nothing is known of the trained weights.")
        return None
    steps = [(int(match[1]), name) for name in names if (match := STEP.fullmatch(name))]
    for step, name in sorted(steps, reverse=True):
        try:
            place = folder / "checkpoints" / name
            return Checkpoint(step, *(load_params(place / part) for part in PARTS))
        except EinbatchError as error:
            notes.append(f"The checkpoint {name} is left out: {error.diagnostics[0].message}.")
    notes.append("There is no checkpoint that can be read, so nothing is known of the weights.")
    return None


PARTS = ("params.safetensors", "state.safetensors")


def _no_run(path: Path, reason: str) -> EinbatchError:
    return fail(
        "E0832",
        f"{shown(str(path.parent))} is not the folder of a run: {reason}",
        help="name the folder that `einbatch run --checkpoint` wrote",
    )


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> dict[str, str]:
    return {name: item for name, item in _mapping(value).items() if isinstance(item, str)}


def _numbers(value: object) -> dict[str, int | float]:
    return {
        name: item
        for name, item in _mapping(value).items()
        if isinstance(item, int | float) and not isinstance(item, bool) and item == item
    }
