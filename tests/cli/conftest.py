"""A small program with its data, and the command line in process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from einbatch.cli.main import main

PROGRAM = """\
batch b < B
index i < 3, k < 2
let rate = 0.5
input x[b,i] from "data.npz"
input t[b] in k from "data.npz"
param W[k,i] ~ normal(0, 1)
for b,k,i: s[b,k] += W[k,i]*x[b,i]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = t[b]])
train sgd(lr=rate), batch=4, epochs=2, holdout=0.25
"""


class Outcome(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A classifier in a file, its data beside it."""
    random = np.random.default_rng(0)
    x = random.normal(size=(12, 3))
    np.savez(tmp_path / "data.npz", x=x, t=(x[:, 0] > 0).astype(int), extra=np.ones(3))
    path = tmp_path / "small.ein"
    path.write_text(PROGRAM, encoding="utf-8")
    return path
