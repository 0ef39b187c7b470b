"""Short forms of what `tests/endurance` does at length, each in a few seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endurance import stops

ROOT = Path(__file__).parent.parent.parent


def run(module: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.endurance.{module}", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stopped_trainings_come_to_the_same_bits():
    assert stops.run(2, seed=0) == 14


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_and_so_they_do_in_the_loop_nest(optimizer: str):
    stops.check(optimizer, (3, 8), 2, backend="loops")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_trainings_lose_nothing():
    assert "nothing lost" in run("kills", "20")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_updates_leave_nothing_behind():
    assert run("leaks", "2000").startswith("2000 updates leave ")


def test_deterministic_trainings_are_the_same_at_any_number_of_threads():
    found = {run("threads", OPENBLAS_NUM_THREADS=str(n)).split()[0] for n in (1, 2, 4)}
    assert len(found) == 1
