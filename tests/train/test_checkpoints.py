"""Checkpoints: what is written is read, damage is seen, and a failing disk loses nothing."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einbatch as eb
from einbatch.train.checkpoints import (
    Checkpoint,
    Damaged,
    find_best,
    find_checkpoints,
    find_newest,
    name_of,
    note_best,
    prune,
    read_checkpoint,
    set_damaged_aside,
    write_checkpoint,
)
from einbatch.train.identity import Identity
from einbatch.train.options import Options
from einbatch.train.recording import Saver, recording_of
from einbatch.train.state import Best, Epoch, Mean, State

IDENTITY = Identity.of("param W = 1\n", "float32", {"b": 12, "ŷ": 3}, Options(4, 9, 0.25, 0))


def checkpoint(step: int) -> Checkpoint:
    history = [Epoch(1, (float("nan"), 0.1), (float("inf"), -0.0)), Epoch(2, (1 / 3, 2.0), None)]
    state = State(step, 2, 1, Mean([0.1, float("-inf")], 4), history, Best(1, 5, 1e-300), 0.1)
    params = {"W": np.arange(6, dtype="f4").reshape(2, 3) + step, "c": np.array(1 / 3)}
    return Checkpoint(
        state, step + 7, params, {"W_velocity": np.full((2, 3), -0.0, "f4")}, IDENTITY
    )


def test_what_is_written_is_read(tmp_path: Path):
    made = checkpoint(500)
    path = write_checkpoint(tmp_path, made)
    assert path == tmp_path / "step-00000500"
    found = read_checkpoint(path)
    assert repr(found.state) == repr(made.state)
    assert (found.updates, found.identity) == (507, IDENTITY)
    for mine, its in ((made.params, found.params), (made.kept, found.kept)):
        assert mine.keys() == its.keys()
        assert all(mine[name].tobytes() == its[name].tobytes() for name in mine)
        assert all(mine[name].dtype == its[name].dtype for name in mine)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000500"]


def test_the_params_are_what_load_reads(tmp_path: Path):
    path = write_checkpoint(tmp_path, checkpoint(1))
    assert eb.load_params(path / "params.safetensors")["W"][0, 0] == 1


def test_a_thousand_flipped_bits_are_all_seen(tmp_path: Path):
    path = write_checkpoint(tmp_path, checkpoint(3))
    files = sorted(path.iterdir())
    choose = random.Random(0)
    for _ in range(1000):
        file = choose.choice(files)
        right = file.read_bytes()
        wrong = bytearray(right)
        wrong[choose.randrange(len(wrong))] ^= 1 << choose.randrange(8)
        file.write_bytes(wrong)
        with pytest.raises(Damaged):
            read_checkpoint(path)
        file.write_bytes(right)
    read_checkpoint(path)


@pytest.mark.parametrize("name", ["manifest.json", "params.safetensors", "state.safetensors"])
@pytest.mark.parametrize("harm", ["missing", "short", "long", "folder", "pipe"])
def test_other_damage_is_seen(tmp_path: Path, name: str, harm: str):
    path = write_checkpoint(tmp_path, checkpoint(3))
    file = path / name
    content = file.read_bytes()
    file.unlink()
    if harm == "short":
        file.write_bytes(content[:-1])
    elif harm == "long":
        file.write_bytes(content + b" ")
    elif harm == "folder":
        file.mkdir()
    elif harm == "pipe":
        os.mkfifo(file)
    with pytest.raises(Damaged, match=name):
        read_checkpoint(path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"sha256": 1}'])
def test_a_manifest_that_is_none(tmp_path: Path, text: bytes):
    path = write_checkpoint(tmp_path, checkpoint(3))
    (path / "manifest.json").write_bytes(text)
    with pytest.raises(Damaged, match=r"manifest\.json: it is not what was written"):
        read_checkpoint(path)


def test_the_newest_that_is_whole_is_taken_and_newer_ones_are_set_aside(tmp_path: Path):
    for step in (5, 100_000_000, 70, 71):
        write_checkpoint(tmp_path, checkpoint(step))
    (tmp_path / "step-100000000" / "params.safetensors").unlink()
    (tmp_path / "step-00000071" / "manifest.json").write_text("{}")
    found = find_newest(tmp_path)
    assert found is not None
    path, newest, wrong = found
    assert (path.name, newest.state.step) == ("step-00000070", 70)
    assert wrong == [
        "`step-100000000` is damaged (params.safetensors: no such file or directory)",
        "`step-00000071` is damaged (manifest.json: it is not what was written)",
    ]
    set_damaged_aside(tmp_path, 70)
    assert [p.name for p in find_checkpoints(tmp_path)] == ["step-00000070", "step-00000005"]
    assert (tmp_path / "damaged-step-00000071").is_dir()


def test_none_is_taken_where_there_is_none(tmp_path: Path):
    assert find_newest(tmp_path) is None
    assert find_newest(tmp_path / "nowhere") is None


def test_the_last_and_the_best_are_kept(tmp_path: Path):
    made = [checkpoint(step) for step in (5, 6, 7, 8)]
    for item in made:
        write_checkpoint(tmp_path, item)
    note_best(tmp_path, made[-1].state)
    prune(tmp_path, 2, made[-1].state)
    assert [p.name for p in find_checkpoints(tmp_path)] == [name_of(step) for step in (8, 7, 5)]
    assert json.loads((tmp_path / "best.json").read_text()) == {
        "format": 1,
        "epoch": 1,
        "step": 5,
        "value": 1e-300,
        "path": "step-00000005",
    }
    best = find_best(tmp_path, made[-1].state)
    assert best is not None
    assert best["W"][0, 0] == 5
    shutil.rmtree(tmp_path / "step-00000005")
    assert find_best(tmp_path, made[-1].state) is None


CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace")
"""What a save asks of the system."""


class Failing:
    """Lets the n-th call of all that a save makes fail."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.left = number
        self.code = code
        for name in CALLS:
            patch.setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise OSError(self.code, os.strerror(self.code))
            return call(*arguments, **named)

        return counting


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_the_checkpoints_before_and_names_the_file(tmp_path: Path, code: int):
    number, messages = 1, set[str]()
    while True:
        folder = tmp_path / str(number)
        places = folder / "checkpoints"
        places.mkdir(parents=True)
        write_checkpoint(places, checkpoint(4))
        old = write_checkpoint(places, checkpoint(5))
        before = {file.name: file.read_bytes() for file in old.iterdir()}
        new = checkpoint(6)
        saver = Saver(
            recording_of(folder, keep=1),
            folder,
            IDENTITY,
            lambda new=new: (new.updates, new.params, new.kept),
            [],
            lambda state: None,
        )
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, number, code)
            try:
                saver.save(new.state)
            except eb.EinbatchError as error:
                messages.add(str(error).replace(f"/{number}/", "/RUN/"))
        if failing.left > 0:
            break
        assert {file.name: file.read_bytes() for file in old.iterdir()} == before
        found = find_newest(places)
        assert found is not None
        assert not found[2]
        assert not list(places.glob(".step-00000006*"))
        number += 1
    assert number > 20
    reason = os.strerror(code).lower()
    place = f"{tmp_path}/RUN/checkpoints"
    said = {
        f"error[E0630]: the checkpoint cannot be saved: `{place}{path}`: {reason}"
        "\n  help: the checkpoints before it are whole: make room, then go on with `--resume`"
        for path in (
            "",
            "/best.json",
            "/step-00000006",
            "/step-00000006/manifest.json",
            "/step-00000006/params.safetensors",
            "/step-00000006/state.safetensors",
            "/step-00000004",
        )
    }
    assert messages == said
