"""Every file of the course does what its header expects, on every backend."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from tests.course.running import COURSE
from tests.test_programs import expectations, outcome

FILES = sorted(COURSE.glob("*.ein"))
REAL_DATA = {"cnn", "characters"}
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_header(path: Path, backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    expected = expectations(path)
    assert len(expected) == path.read_text("utf-8").count("# expect") > 0
    if backend == "loops" and path.stem in REAL_DATA:
        pytest.skip("too much for the loop nest: a small one is beside it in test_torch_course")
    if path.stem == "characters" and not LONG:
        pytest.skip("half a minute, with HYPOTHESIS_PROFILE=long; see the next test")
    tolerance = 1e-12 if eb.load(path).dtype == "float64" else 2e-6
    found, values = outcome(path, tmp_path, capsys, "--backend", backend)
    for item in expected:
        if item.part == "" and item.name in values:
            value = float(values[item.name][item.element])
        elif item.name == "loss":
            value = found["holdout_loss" if item.part == "holdout" else "loss"]
        else:
            value = found["reports"][item.part or "train"][item.name]
        assert item.holds_of(value, tolerance), (item, value)


def test_an_epoch_of_letters_is_worth_more_than_their_frequencies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sizes = [part for name in ("L=1", "T=32", "D=32", "H=32") for part in ("--set", name)]
    options = ("--epochs", "1", "--batch", "8", *sizes)
    found, _ = outcome(COURSE / "characters.ein", tmp_path, capsys, *options)
    with np.load(COURSE / "data" / "text.npz") as file:
        share = np.bincount(file["text"]) / len(file["text"])
    entropy = -np.sum(share[share > 0] * np.log(share[share > 0]))
    assert 3.2 < entropy < 3.5
    assert found["holdout_loss"] < entropy - 0.3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_program_is_free_of_warnings(path: Path):
    assert eb.load(path).warnings == []


def test_the_course_is_there():
    assert {path.stem for path in FILES} >= {
        *("mlp", "deep", "cnn", "resnet", "rnn", "gru", "lstm", "bidirectional", "stacked"),
        *("attention", "transformer", "layer_norm", "batch_norm", "spatial_batch_norm"),
        *("language_model", "characters", "skip_gram", "vae", "vq_vae", "ctc", "gan", "dropout"),
        *("sgd", "momentum", "rmsprop", "adam", "clipping"),
    }
