"""Codes of data, resources and commands: a program, the command, and its exact message.

The first line of each `tests/runs/<CODE>_<slug>.ein` is the command, with variables of
the environment in front. `pytest tests/test_runs.py --update-golden` writes the
messages anew; read the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from einbatch.cli.main import main

FOLDER = Path(__file__).parent / "runs"
PROGRAMS = sorted(FOLDER.glob("*.ein"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_message(
    path: Path,
    update_golden: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(FOLDER)
    words = path.read_text("utf-8").splitlines()[0].removeprefix("# ").split()
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("="))
    code = main([path.name if word == "FILE" else word for word in words])
    said = capsys.readouterr().err
    golden = path.with_suffix(".txt")
    if update_golden:
        golden.write_text(said, encoding="utf-8")
    assert code == (3 if path.name.startswith("E07") else 1)
    assert path.name[:5] in said
    assert said == golden.read_text("utf-8")


def test_every_message_belongs_to_a_program() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in PROGRAMS}
