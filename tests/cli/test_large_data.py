"""What `run` needs the data as a whole for, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from einbatch.cli.main import main

PROGRAM = """batch b < B
input x[b,i] from "x.npy"
param W[j,i] ~ normal(0, 0.1)
index j < 50
for b,j,i: h[b,j] += W[j,i]*x[b,i]
for b: loss[b] = sum[j](h[b,j]^2)
minimize loss
train sgd(lr=0.01), batch=32
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    np.save(tmp_path / "x.npy", np.ones((1000, 20), np.float32))
    (tmp_path / "m.ein").write_text(PROGRAM)
    monkeypatch.setattr("einbatch.model.sources.KEPT_IN_FILE", 0)
    monkeypatch.setenv("EINBATCH_MEMORY", "70kB")  # and `x` takes 80 kB
    return str(tmp_path / "m.ein")


def test_training_and_its_json_need_no_more_than_a_minibatch(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tensors"] == {
        "x": [1000, 20],
        "W": [50, 20],
        "h": [1000, 50],
        "loss": [1000],
    }
    assert len(found["history"]) == 1


@pytest.mark.parametrize("option", [["--grad"], ["--out", "values.npz"]])
def test_what_cannot_be_made_in_the_end_is_told_before_the_training(
    option: list[str], path: str, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", path, *option]) == 3
    said = capsys.readouterr()
    assert "epoch" not in said.out + said.err
    assert "error[E0701]: tensor `x` needs 80000 bytes" in said.err


def test_evaluation_needs_all_of_it(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", path, "--no-train"]) == 3
    assert "error[E0710]: `x.npy` has the shape [1000,20]" in capsys.readouterr().err
