"""kill -9 in the middle of saving: the newest checkpoint that is whole loads each time.

    python -m tests.endurance.kills 200

A child trains with a checkpoint after each update, and is killed at a random moment, over
and over; each child goes on where the last one was. What a child has logged as saved must
be there after its death, and what the last one ends with must be the bits of a training
that nobody killed. Forks: run it as a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import einbatch as eb
from einbatch.train.checkpoints import find_newest
from einbatch.train.loop import Outline, Silent
from einbatch.train.state import State
from tests.endurance.stops import digest

PROGRAM = """\
batch b < B
index i < 100, j < 300
input x[b,i]
param W[j,i] ~ glorot()
for b: loss[b] = sum[j]((sum[i](W[j,i]*x[b,i]) - 1)^2)
minimize loss
train adam(lr=0.001), batch=4, epochs=100000, seed=1
"""
LONGEST = 0.05
"""Seconds that a child trains at most: some saves."""


class Begun(Silent):
    """Writes a byte to a pipe when training starts."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def start(self, outline: Outline, state: State, /) -> None:
        os.write(self.pipe, b".")


def data() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).normal(size=(12, 100))}


def logged(log: Path) -> int:
    """The last checkpoint that a log tells of."""
    steps = [0]
    for line in log.read_bytes().splitlines(keepends=True) if log.exists() else ():
        if line.endswith(b"\n"):
            entry = json.loads(line)
            steps += [entry["step"]] if entry["event"] == "checkpoint" else []
    return steps[-1]


def run(rounds: int, seed: int) -> tuple[int, int]:
    """Kills so many children; the updates made in the end, and kills that left a part behind."""
    choose = random.Random(seed)
    model = eb.parse(PROGRAM)
    model.fit(data(), epochs=1)  # planned once, for all children
    left = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        for _ in range(rounds):
            ready, begun = os.pipe()
            child = os.fork()
            if not child:
                model.fit(data(), resume=place, checkpoint_every=1, progress=Begun(begun))
                os._exit(0)
            os.close(begun)
            assert os.read(ready, 1)
            os.close(ready)
            time.sleep(choose.uniform(0, LONGEST))
            os.kill(child, signal.SIGKILL)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
            places = place / "checkpoints"
            left += any(places.glob(".*.part")) if places.exists() else 0
            newest = find_newest(places)  # raises where none is whole
            if newest is None:
                assert logged(place / "log.jsonl") == 0
                continue
            step, wrong = newest[1].state.step, newest[2]
            assert not wrong, wrong
            assert step >= logged(place / "log.jsonl")
            assert newest[1].params["W"].shape == (300, 100)
        newest = find_newest(place / "checkpoints")
        assert newest is not None, "no child lived for a single save"
        epochs = newest[1].state.epoch + 2
        resumed = model.fit(data(), resume=place, epochs=epochs)
        assert digest(resumed) == digest(model.fit(data(), epochs=epochs))
        return newest[1].state.step, left


if __name__ == "__main__":
    rounds, seed = int((*sys.argv, "200")[1]), random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    steps, left = run(rounds, seed)
    print(f"{rounds} kills, {left} of them within a save, {steps} updates: nothing lost")
