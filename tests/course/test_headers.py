"""Every file of the course does what its header expects, on every backend."""

from __future__ import annotations

from pathlib import Path

import pytest

import einbatch as eb
from tests.course.running import COURSE
from tests.test_programs import expectations, outcome

FILES = sorted(COURSE.glob("*.ein"))


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_header(path: Path, backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    expected = expectations(path)
    assert len(expected) == path.read_text("utf-8").count("# expect") > 0
    if backend == "loops" and path.stem == "cnn":
        pytest.skip("training it takes the loop nest half a minute")
    tolerance = 1e-12 if eb.load(path).dtype == "float64" else 2e-6
    found, values = outcome(path, tmp_path, capsys, "--backend", backend)
    for item in expected:
        if item.part == "" and item.name in values:
            value = float(values[item.name][item.element])
        elif item.name == "loss":
            value = found["loss"]
        else:
            value = found["reports"]["train"][item.name]
        assert item.holds_of(value, tolerance), (item, value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_program_is_free_of_warnings(path: Path):
    assert eb.load(path).warnings == []


def test_the_course_is_there():
    assert {path.stem for path in FILES} >= {
        *("mlp", "cnn", "resnet", "rnn", "gru", "lstm", "bidirectional", "stacked"),
        *("attention", "transformer", "layer_norm", "batch_norm", "spatial_batch_norm"),
        *("language_model", "skip_gram", "vae", "vq_vae", "ctc", "gan", "dropout"),
        *("sgd", "momentum", "rmsprop", "adam", "clipping"),
    }
