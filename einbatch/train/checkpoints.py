"""Checkpoints: a training in a folder of safetensors and a manifest with their hashes.

    checkpoints/step-00000500/params.safetensors      the params, as `--load` reads them
                              state.safetensors       the optimizer's state
                              manifest.json           where the loop is, and SHA-256 of all
    checkpoints/best.json                             which of them is the best so far

A manifest is JSON in one form alone, and holds its own hash: no bit of a checkpoint
can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from einbatch.data.datafile import shown
from einbatch.data.durable import discard_folder, replace_file, write_folder
from einbatch.diagnostics import EinbatchError, fail
from einbatch.train.identity import Identity
from einbatch.train.state import State, state_from, state_to

# Any: the dtype is known only when a file has been read.
Array: TypeAlias = NDArray[Any]

FORMAT = 1
MANIFEST, PARAMS, OPTIMIZER = "manifest.json", "params.safetensors", "state.safetensors"
BEST = "best.json"
NAME = re.compile(r"step-([0-9]{8,18})")
LONGEST_PATH = 4096
LARGEST_MANIFEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training at a step: `state` is the loop's, `kept` the optimizer's tensors.

    `updates` is the number that the optimizer gives the last update, which is another than
    the loop's where training began with a state.
    """

    state: State
    updates: int
    params: Mapping[str, Array]
    kept: Mapping[str, Array]
    identity: Identity


class Damaged(Exception):
    """A checkpoint that is not as it was written: which file, and why."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Commits a checkpoint below `folder`; OSError where that fails, and nothing has changed."""
    path = folder / name_of(checkpoint.state.step)
    files = {
        PARAMS: safetensors_numpy.save(dict(checkpoint.params)),
        OPTIMIZER: safetensors_numpy.save(dict(checkpoint.kept)),
    }
    manifest = {
        "format": FORMAT,
        "loop": state_to(checkpoint.state),
        "updates": checkpoint.updates,
        "identity": checkpoint.identity.to_json(),
        "files": {name: _fingerprint(content) for name, content in files.items()},
    }
    write_folder(path, {**files, MANIFEST: _sealed(manifest)})
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint, every byte of it checked; Damaged where one is not what was written."""
    manifest = _unsealed(_content(path, MANIFEST, LARGEST_MANIFEST))
    try:
        if manifest["format"] != FORMAT:
            raise Damaged(f"{MANIFEST}: its format {manifest['format']!r} is unknown")
        arrays: dict[str, dict[str, Array]] = {}
        for name in (PARAMS, OPTIMIZER):
            wanted = manifest["files"][name]
            content = _content(path, name, wanted["bytes"])
            if _fingerprint(content) != wanted:
                raise Damaged(f"{name}: its SHA-256 is not the manifest's")
            arrays[name] = safetensors_numpy.load(content)
        state, updates = state_from(manifest["loop"]), int(manifest["updates"])
        identity = Identity.from_json(manifest["identity"])
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise Damaged(f"{MANIFEST}: {error}") from None
    return Checkpoint(state, updates, arrays[PARAMS], arrays[OPTIMIZER], identity)


def find_checkpoints(folder: Path) -> list[Path]:
    """The folders below `folder` that are named as checkpoints, the newest first."""
    found = [path for path in folder.glob("step-*") if NAME.fullmatch(path.name)]
    return sorted(found, key=step_of, reverse=True)


def find_newest(folder: Path) -> tuple[Path, Checkpoint, list[str]] | None:
    """The newest checkpoint that is whole, and what is wrong with each newer one.

    None where there is none at all; E0631 where there are some, and none is whole.
    """
    wrong: list[str] = []
    for path in find_checkpoints(folder):
        try:
            return path, read_checkpoint(path), wrong
        except Damaged as error:
            wrong.append(f"{shown(path.name)} is damaged ({error})")
    if not wrong:
        return None
    raise fail(
        "E0631",
        f"no checkpoint in {named(folder)} is whole: {'; '.join(wrong[:3])}",
        help="start anew in another folder, or bring the files back from a copy",
    )


def find_best(folder: Path, state: State) -> Mapping[str, Array] | None:
    """Params and states of the best checkpoint; None where it is not there, or damaged."""
    if state.best is None:
        return None
    try:
        found = read_checkpoint(folder / name_of(state.best.step))
        return {**found.params, **found.kept}
    except Damaged:
        return None


def set_damaged_aside(folder: Path, newest: int) -> None:
    """Renames what claims to be newer than the newest whole checkpoint; it is in the way."""
    for path in find_checkpoints(folder):
        if step_of(path) > newest:
            aside = path.with_name(f"damaged-{path.name}")
            discard_folder(aside)
            os.rename(path, aside)


def note_best(folder: Path, state: State) -> None:
    """Writes which checkpoint is the best so far; nothing where it is noted already."""
    best = state.best
    if best is None:
        return
    noted = {
        "format": FORMAT,
        "epoch": best.epoch,
        "step": best.step,
        "value": best.value,
        "path": name_of(best.step),
    }
    content = (json.dumps(noted, indent=2) + "\n").encode()
    path = folder / BEST
    if not path.is_file() or path.read_bytes() != content:
        replace_file(path, content)


def prune(folder: Path, keep: int, state: State) -> None:
    """Removes all checkpoints but the last `keep` and the best."""
    best = None if state.best is None else state.best.step
    for path in find_checkpoints(folder)[keep:]:
        if step_of(path) != best:
            discard_folder(path)


def name_of(step: int) -> str:
    """The name of the checkpoint after so many updates."""
    return f"step-{step:08}"


def step_of(path: Path) -> int:
    """The updates that a checkpoint's name tells."""
    return int(path.name.removeprefix("step-"))


def named(path: object) -> str:
    """A path for a message, whole."""
    return shown(str(path), LONGEST_PATH)


def unwritable(error: OSError) -> EinbatchError:
    """The error for a checkpoint that could not be saved."""
    reason = (error.strerror or str(error)).lower()
    return fail(
        "E0630",
        f"the checkpoint cannot be saved: {named(error.filename)}: {reason}",
        help="the checkpoints before it are whole: make room, then go on with `--resume`",
    )


def _fingerprint(content: bytes) -> dict[str, object]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _text(manifest: Mapping[str, object]) -> bytes:
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "surrogatepass")


def _sealed(manifest: Mapping[str, object]) -> bytes:
    return _text({**manifest, "sha256": hashlib.sha256(_text(manifest)).hexdigest()})


def _unsealed(content: bytes) -> dict[str, Any]:  # Any: JSON, checked as it is read
    try:
        whole = cast("dict[str, Any]", json.loads(content))
        inside = {name: value for name, value in whole.items() if name != "sha256"}
        intact = _sealed(inside) == content
    except (ValueError, AttributeError, RecursionError):
        intact, inside = False, {}
    if not intact:
        raise Damaged(f"{MANIFEST}: it is not what was written")
    return inside


def _content(path: Path, name: str, most: int) -> bytes:
    """A file's bytes; Damaged where it is missing, special or larger than `most`."""
    try:
        handle = os.open(path / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as stream:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise Damaged(f"{name}: it is not a regular file")
            if status.st_size > most:
                raise Damaged(f"{name}: it has {status.st_size:,} bytes, and may have {most:,}")
            return stream.read()
    except OSError as error:
        raise Damaged(f"{name}: {(error.strerror or str(error)).lower()}") from None
