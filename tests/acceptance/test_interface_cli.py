"""The command line as a stranger meets it: terminals, streams that end, seeds, exported modules."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import einbatch as eb

pty = pytest.importorskip("pty")
PROGRAM = """\
batch b < B
index i < 3, ŷ < 2
let rate = 0.5
input x[b,i] from "data.npz"
input t[b] in ŷ from "data.npz"
param W[ŷ,i] ~ normal(0, 1)
param U[ŷ] ~ normal(0, 1)
for b,ŷ,i: s[b,ŷ] += W[ŷ,i]*x[b,i]
for b,ŷ: s[b,ŷ] += U[ŷ]
for b,ŷ: P[b,ŷ] = softmax[ŷ](s[b,ŷ])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
report accuracy = mean[b]([argmax[ŷ](s[b,ŷ]) = t[b]])
train sgd(lr=rate, momentum=0.9), batch=4, epochs=2, holdout=0.25, seed=3
"""
EINBATCH = [sys.executable, "-m", "einbatch"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    x = np.random.default_rng(0).normal(size=(12, 3))
    np.savez(tmp_path / "data.npz", x=x, t=(x[:, 0] > 0).astype(int), extra=np.ones(3))
    np.save(tmp_path / "W.npy", np.zeros((2, 3)))
    (tmp_path / "p.ein").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def einbatch(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EINBATCH, *arguments], capture_output=True, text=True, check=False, **options
    )


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = command.replace("einbatch", " ".join(EINBATCH), 1)
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


class Shown(NamedTuple):
    code: int
    text: str


def on_a_terminal(*arguments: str, interrupt: bytes = b"") -> Shown:
    """Runs it on a pseudo-terminal; Ctrl-C is typed once `interrupt` has been shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [*EINBATCH, *arguments])
    shown, typed, end = b"", not interrupt, time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        shown += piece
        if not typed and interrupt in shown:
            os.write(terminal, b"\x03")
            typed = True
    if time.monotonic() >= end:
        os.kill(pid, signal.SIGKILL)  # it would wait for somebody to read on
    return Shown(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode())


def test_a_bar_on_a_terminal(folder: Path):
    code, text = on_a_terminal("run", "p.ein", "--epochs", "300")
    assert code == 0
    assert "━" in text
    assert "ex/s" in text
    assert "accuracy" in text
    assert "epoch 1/" not in text
    assert "holdout accuracy  " in text.splitlines()[-1]


def test_ctrl_c_on_a_terminal_saves(folder: Path):
    arguments = ("run", "p.ein", "--epochs", "1000000", "--save", "p.safetensors")
    code, text = on_a_terminal(*arguments, interrupt=b"accuracy")
    assert code == 130
    assert text.splitlines()[-1] == "stopped by Ctrl-C, after a whole step"
    assert "Traceback" not in text
    assert eb.load_params("p.safetensors").keys() == {"W", "U"}


def test_params_start_from_the_seed_of_the_train_line(folder: Path):
    found = {}
    for name, flags in {
        "evaluated": ["--no-train"],
        "trained": ["--epochs", "0"],
        "bound": ["--epochs", "0", "--data", "W=W.npy"],
        "seeded": ["--no-train", "--seed", "3"],
        "other": ["--no-train", "--seed", "4"],
    }.items():
        assert einbatch("run", "p.ein", "--out", "o.npz", *flags).returncode == 0
        with np.load("o.npz") as values:
            found[name] = values["U"]
    wanted = eb.load("p.ein").init(3)["U"]
    same = {name for name, value in found.items() if np.array_equal(value, wanted)}
    assert same == {"evaluated", "trained", "bound", "seeded"}


def test_what_run_does_fit_does(folder: Path):
    assert einbatch("run", "p.ein", "--save", "p.safetensors", "--epochs", "3").returncode == 0
    params, result = eb.load_params("p.safetensors"), eb.load("p.ein").fit(epochs=3)
    assert all(np.array_equal(params[name], result.params[name]) for name in params)
    shown = einbatch("run", "p.ein", "--json", "--epochs", "3")
    assert shown.stderr == ""
    assert json.loads(shown.stdout)["history"] == result.history


def test_an_exported_module_needs_numpy_alone(folder: Path):
    done = einbatch("export", "p.ein", "--to", "numpy", "--dtype", "float64", "-o", "module.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (folder / "use.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, *rest):\n"
        "        assert name.split('.')[0] != 'einbatch'\n"
        "sys.meta_path.insert(0, Block())\n"
        "import numpy as np, module\n"
        "start = dict(np.load('start.npz'))\n"
        "owned = [start['W'], start['U'], np.zeros((2, 3)), np.zeros(2)]\n"
        "step = module.bind(*owned)\n"
        "for k in range(3):\n"
        "    rows = slice(4*k, 4*k + 4)\n"
        "    out = step(start['x'][rows], start['t'][rows])\n"
        "np.savez('end.npz', W=owned[0], U=owned[1], loss=np.mean(out[0]))\n"
    )
    model = eb.load("p.ein", dtype="float64")
    with np.load("data.npz") as data:
        x, t = data["x"], data["t"]
    np.savez("start.npz", x=x, t=t, **model.init(3))
    subprocess.run([sys.executable, "use.py"], check=True)
    trainer = model.trainer(seed=3)
    losses = [trainer.step(x=x[k : k + 4], t=t[k : k + 4]) for k in (0, 4, 8)]
    with np.load("end.npz") as end:
        assert all(np.array_equal(end[name], trainer.params[name]) for name in ("W", "U"))
        assert end["loss"] == pytest.approx(losses[-1], rel=1e-12)


def test_a_reader_who_goes_ends_the_training_and_it_is_saved(folder: Path):
    done = shell("einbatch run p.ein --epochs 1000000 --save p.safetensors | head -1")
    assert done.stdout.startswith("epoch 1/1000000")
    assert done.stderr == ""
    assert eb.load_params("p.safetensors").keys() == {"W", "U"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("verb", ["run", "run --json", "grad", "check", "plan", "run --no-train"])
def test_a_closed_or_a_full_output_is_no_traceback(folder: Path, verb: str):
    for end, code in ((">&-", 0), ("2>&-", 0), ("> /dev/full", 3)):
        done = shell(f"einbatch {verb} p.ein {end}")
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), end


def test_letters_that_the_output_cannot_show_are_escaped(folder: Path):
    done = shell("einbatch grad p.ein", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"for b,\u0177" in done.stdout
    Path("w.ein").write_text("ŷ = = 1\n", encoding="utf-8")
    done = shell("einbatch check w.ein", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert r"1 | \u0177 = = 1" in done.stderr


@pytest.mark.parametrize("option", ["--save", "--out"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none/x", "there is no such folder"),
        (".", "it is there already and is not a regular file"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(
    folder: Path, option: str, path: str, reason: str
):
    done = einbatch("run", "p.ein", "--epochs", "1000000", option, path, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error[E0609]: `{path}` cannot be written: {reason}\n")
