"""What only a whole process shows: imports, Ctrl-C, a closed pipe."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DIGITS = ROOT / "programs" / "digits.ein"


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def loaded(code: str, *names: str) -> list[str]:
    found = python(f"{code}\nimport sys\nprint(*[n for n in {names!r} if n in sys.modules])")
    return found.splitlines()[-1].split()


HEAVY = ("numpy", "jax", "torch", "opt_einsum", "rich", "safetensors", "lark")


def test_importing_einbatch_imports_nothing_else():
    assert loaded("import einbatch", *HEAVY) == []


def test_using_einbatch_imports_no_other_backend():
    code = "import einbatch as eb; eb.parse('param c = 1\\nL = c^2\\nminimize L').value_and_grad"
    assert loaded(code, "jax", "torch", "rich") == []


def test_check_imports_no_numpy():
    code = f"from einbatch.cli.main import main; assert main(['check', {str(DIGITS)!r}]) == 0"
    assert loaded(code, *HEAVY) == ["lark"]


def test_help_imports_nothing():
    code = "from einbatch.cli.main import main; main(['--help'])"
    assert loaded(code, *HEAVY, "einbatch.syntax", "dataclasses") == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_after_a_whole_step_and_saves(tmp_path: Path):
    saved = tmp_path / "p.safetensors"
    arguments = ["run", str(DIGITS), "--epochs", "1000000", "--save", str(saved)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "einbatch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("epoch 1/1000000")
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped by Ctrl-C, after a whole step" in err
    assert "Traceback" not in err
    assert "holdout accuracy" in out
    assert saved.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_saves_a_checkpoint_and_ends_soon(
    tmp_path: Path, number: signal.Signals, code: int, reason: str
):
    run = tmp_path / "run"
    arguments = ["run", str(DIGITS), "--epochs", "1000000", "--checkpoint", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "einbatch", *arguments, "--checkpoint-every", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("epoch 1/1000000")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "after a whole step" in err
    last = json.loads((run / "log.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["event"], last["reason"]) == ("end", reason)
    assert (run / "checkpoints" / f"step-{last['step']:08}" / "manifest.json").exists()
    again = [sys.executable, "-m", "einbatch", "run", str(DIGITS), "--resume", str(run)]
    done = subprocess.run([*again, "--epochs", "2"], capture_output=True, text=True, cwd=ROOT)
    assert f"step {last['step']:,}, epochs done: " in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m einbatch grad {DIGITS} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("batch b")
