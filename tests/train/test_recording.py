"""A run's folder, its log, and what a resumed training says and keeps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.train.loop import Silent
from tests.endurance.stops import StopAt, digest

PROGRAM = """\
batch b < B
index i < 3
let rate = 1/10
input x[b,i]
param W[i] = 1
for b: loss[b] = (sum[i](W[i]*x[b,i]) - 1)^2
minimize loss
report size = sum[i](W[i]^2)
train sgd(lr=rate, momentum=0.5), batch=4, epochs=3, holdout=0.2
"""
X = np.random.default_rng(0).normal(size=(13, 3))
STEPS = 3  # in an epoch: 10 examples of 13, in fours


class Notes(Silent):
    """What a training tells whoever waits."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str, /) -> None:
        self.said.append(text)


def model() -> eb.Model:
    return eb.parse(PROGRAM)


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def checkpoints(run: Path) -> list[int]:
    return sorted(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))


def test_the_runs_record(tmp_path: Path):
    model().fit(x=X, checkpoint=tmp_path / "a" / "run", sources={"x": "x.npy"})
    record = json.loads((tmp_path / "a" / "run" / "run.json").read_text("utf-8"))
    versions = record.pop("versions")
    assert sorted(versions) == ["einbatch", "numpy", "python"]
    options = record.pop("options")
    assert {"batch": 4, "epochs": 3, "keep": 3, "checkpoint_every": None}.items() <= options.items()
    assert record == {
        "format": 1,
        "program": {"path": "<text>", "text": PROGRAM},
        "constants": {"rate": 0.1},
        "dtype": "float32",
        "backend": "numpy",
        "seed": 0,
        "extents": {"b": 13, "i": 3, "B": 13},
        "data": {"x": "x.npy"},
    }


def test_the_log(tmp_path: Path):
    result = model().fit(x=X, log=tmp_path / "log.jsonl", epochs=2)
    found = entries(tmp_path / "log.jsonl")
    assert [entry["event"] for entry in found] == ["start", *(["step"] * 3 + ["epoch"]) * 2, "end"]
    assert found[0] == {
        "event": "start",
        "step": 0,
        "epochs": 2,
        "steps": STEPS,
        "examples": 10,
    }
    step = found[5]
    assert step.pop("seconds") > 0  # type: ignore[operator]
    assert step["reports"].keys() == {"size"}  # type: ignore[union-attr]
    assert (step["step"], step["epoch"]) == (4, 2)
    epoch = found[8]
    assert epoch.pop("seconds") > 0  # type: ignore[operator]
    assert epoch == {"event": "epoch", "step": 6, **result.history[1]}
    assert found[-1] == {"event": "end", "reason": "done", "step": 6}


def test_a_resumed_log_goes_on_at_the_checkpoint(tmp_path: Path):
    run, log = tmp_path / "run", tmp_path / "log.jsonl"
    model().fit(x=X, checkpoint=run, log=log, checkpoint_every=4, progress=StopAt(7))
    assert entries(log)[-1] == {"event": "end", "reason": "interrupted", "step": 7}
    (run / "checkpoints" / "step-00000007" / "manifest.json").unlink()
    with log.open("ab") as stream:
        stream.write(b'{"event": "st')  # as a crash leaves it
    model().fit(x=X, resume=run, log=log, checkpoint_every=4)
    for path in (log, run / "log.jsonl"):
        found = entries(path)
        steps = [entry["step"] for entry in found if entry["event"] == "step"]
        assert steps == list(range(1, 10))
        epochs = [entry["epoch"] for entry in found if entry["event"] == "epoch"]
        assert epochs == [1, 2, 3]
        assert [e["step"] for e in found if e["event"] == "start"] == [0, 6]
        assert [e["step"] for e in found if e["event"] == "end"] == [9]
        assert found[-2] == {
            "event": "checkpoint",
            "step": 9,
            "path": "checkpoints/step-00000009",
        }


def test_what_cannot_be_a_number_in_json_is_null(tmp_path: Path):
    text = "param c = -1\nL = log(c)\nminimize L\nreport r = 0/c\ntrain sgd(lr=1)\n"
    eb.parse(text).fit(log=tmp_path / "l", check_finite=False)
    step, epoch = entries(tmp_path / "l")[1:3]
    assert (step["loss"], epoch["loss"], epoch["holdout_loss"]) == (None, None, None)
    assert step["reports"] == {"r": 0}


def test_a_log_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(eb.EinbatchError, match=r"E0609.*/no/l` cannot be written: no"):
        model().fit(x=X, log=tmp_path / "no" / "l")


def test_checkpoints_come_when_asked_and_the_last_and_the_best_stay(tmp_path: Path):
    model().fit(x=X, checkpoint=tmp_path / "a")
    assert checkpoints(tmp_path / "a") == [3, 6, 9]
    model().fit(x=X, checkpoint=tmp_path / "b", checkpoint_every=1, keep=2)
    best = json.loads((tmp_path / "b" / "checkpoints" / "best.json").read_text())
    assert checkpoints(tmp_path / "b") == sorted({8, 9, best["step"]})
    result = model().fit(x=X, checkpoint=tmp_path / "c", keep=1)
    losses = [entry["holdout_loss"] for entry in result.history]
    assert best["value"] == min(losses)  # type: ignore[type-var]
    assert best["epoch"] == 1 + losses.index(best["value"])
    assert checkpoints(tmp_path / "c") == sorted({9, best["step"]})


def test_an_empty_folder_starts_afresh_and_a_resumed_training_says_where(tmp_path: Path):
    run, first, again = tmp_path / "run", Notes(), Notes()
    model().fit(x=X, resume=run, epochs=2, progress=first)
    assert first.said == [f"`{run}` holds no checkpoint yet: training starts afresh"]
    (run / "checkpoints" / "step-00000006" / "params.safetensors").write_bytes(b"")
    result = model().fit(x=X, checkpoint=run, resume=True, progress=again)
    assert again.said == [
        "warning: `step-00000006` is damaged (params.safetensors: its SHA-256 is not"
        " the manifest's)",
        f"resuming from `{run}/checkpoints/step-00000003`: step 3, epochs done: 1",
    ]
    assert digest(result) == digest(model().fit(x=X))


def test_a_finished_training_is_resumed_to_more_epochs_or_to_nothing(tmp_path: Path):
    done = model().fit(x=X, checkpoint=tmp_path)
    again = model().fit(x=X, resume=tmp_path)
    assert digest(again) == digest(done)
    assert again.history == done.history
    assert digest(model().fit(x=X, resume=tmp_path, epochs=5)) == digest(model().fit(x=X, epochs=5))


def test_a_training_with_a_state_of_its_own_goes_on_with_it(tmp_path: Path):
    text = PROGRAM.replace("lr=rate, momentum=0.5", "lr=1/step")
    model = eb.parse(text)
    params, state = model.step(model.init(), x=X)
    whole = model.fit(x=X, params=params, state=state)
    model.fit(x=X, params=params, state=state, checkpoint=tmp_path, progress=StopAt(4))
    parts = model.fit(x=X, resume=tmp_path)
    assert digest(parts) == digest(whole)
    assert parts.state["step"] == 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": 0}, "E0803.*`keep` is 0, and has to be an integer from 1"),
        ({"checkpoint_every": 1.5}, "E0803.*`checkpoint_every` is 1.5, and has to be"),
        ({"checkpoint_every": 3}, "E0633.*there is no folder for the checkpoints to go to"),
        ({"checkpoint": 3}, "E0104.*a path is a text, and this is a int"),
        ({"resume": True}, "E0633.*there is no folder to resume"),
    ],
)
def test_refusals(options: dict[str, object], said: str):
    with pytest.raises(eb.EinbatchError, match=said):
        model().fit(x=X, **options)  # type: ignore[arg-type]


def test_other_extents_are_refused_with_both(tmp_path: Path):
    model().fit(x=X, checkpoint=tmp_path)
    with pytest.raises(eb.EinbatchError, match="another extent: there `B` = 13, here `B` = 12"):
        model().fit(x=X[1:], resume=tmp_path)


def test_tensorboards_files(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.event_file_writer import EventFileWriter  # noqa: F401
    from tensorboardX.proto.event_pb2 import Event

    run, board = tmp_path / "run", tmp_path / "board"
    model().fit(x=X, checkpoint=run, tensorboard=board, progress=StopAt(4))
    result = model().fit(x=X, resume=run, tensorboard=board)
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(board.iterdir()):
        content = path.read_bytes()
        while content:  # a record: length, its checksum, an event, its checksum
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            content = content[12 + length + 4 :]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    assert sorted(found) == [
        *("holdout/loss", "holdout/size", "step/loss", "train/loss", "train/size")
    ]
    assert [step for step, _ in found["step/loss"]] == list(range(1, 10))
    losses = [entry["loss"] for entry in result.history]
    assert [value for _, value in found["train/loss"]] == pytest.approx(losses)


def test_without_its_package_tensorboard_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(eb.EinbatchError) as caught:
        model().fit(x=X, tensorboard=tmp_path)
    assert str(caught.value) == (
        "error[E0635]: TensorBoard's event files are written by the package tensorboardX,"
        " which is not installed\n"
        "  help: install it: `pip install 'einbatch[tensorboard]'`"
    )
