"""The folder of a run: what was run, and what its checkpoints hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from einbatch.data.datafile import shown
from einbatch.diagnostics import EinbatchError, Source, fail
from einbatch.syntax.source import LARGEST
from einbatch.train.checkpoints import BEST, Checkpoint, Damaged, find_checkpoints, read_checkpoint
from einbatch.train.recording import CHECKPOINTS, RUN

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """`run.json`: the program's text, and everything that it was run with.

    `extents` are those of all the data; `data` says where each input came from, and
    `holdout` where those came from that were held out, if they were given apart.
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
    holdout: Mapping[str, str]


def read_run(folder: Path) -> Run:
    """What a folder says was run in it; E0832 where it says nothing of the kind."""
    path = folder / RUN
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
        _texts(given.get("holdout")),
    )


def chosen_checkpoint(folder: Path, notes: list[str]) -> Checkpoint | None:
    """The best checkpoint where one is noted, else the newest that is whole.

    `notes` tell of those that are damaged. None where nothing can be read.
    """
    places = folder / CHECKPOINTS
    found = find_checkpoints(places)
    best = [path for path in found if path.name == _noted_best(places)]
    for path in dict.fromkeys([*best, *found]):
        try:
            return read_checkpoint(path)
        except Damaged as error:
            notes.append(f"The checkpoint {path.name} is left out: it is damaged ({error}).")
    notes.append("There is no checkpoint that can be read, so nothing is known of the weights.")
    return None


def _noted_best(places: Path) -> str | None:
    try:
        with (places / BEST).open("rb") as stream:
            return _text(_mapping(json.loads(stream.read(LARGEST))).get("path"))
    except (OSError, ValueError, RecursionError):
        return None


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
    """The finite numbers of a mapping; whole ones as integers, whichever way they are written."""
    found: dict[str, int | float] = {}
    for name, item in _mapping(value).items():
        if isinstance(item, int | float) and not isinstance(item, bool) and abs(item) < 2**63:
            found[name] = int(item) if item == int(item) else item
    return found
