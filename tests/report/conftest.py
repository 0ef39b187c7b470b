"""Runs to report on, as `einbatch run --checkpoint` leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from einbatch.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent
DIGITS = ROOT / "programs" / "digits.ein"


def train(program: Path, folder: Path, *options: object) -> Path:
    """Trains a program from the command line, into the folder of a run."""
    words = ["run", program, "--checkpoint", folder, "--json", *options]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `digits.ein`, four epochs long; not to be changed."""
    return train(DIGITS, tmp_path_factory.mktemp("digits") / "run", "--epochs", 4)


@pytest.fixture
def copy(digits: Path, tmp_path: Path) -> Path:
    """The same run, to be damaged."""
    import shutil

    return Path(shutil.copytree(digits, tmp_path / "run"))


Report = Callable[..., str]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """The page that `einbatch report` writes of a run."""

    def call(folder: Path, *options: object) -> str:
        capsys.readouterr()
        assert main(["report", str(folder), *map(str, options)]) == 0
        return Path(capsys.readouterr().out.rstrip("\n")).read_text("utf-8")

    return call


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edits a run's `run.json`."""
    path = folder / "run.json"
    facts = json.loads(path.read_text("utf-8"))
    edit(facts)
    path.write_text(json.dumps(facts), "utf-8")
