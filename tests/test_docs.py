"""The examples of README and of the language reference run, and say what they show."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import einbatch as eb
from einbatch.cli.main import main

ROOT = Path(__file__).parent.parent
TRAINING = ROOT / "docs" / "training.md"
PAGES = (ROOT / "README.md", ROOT / "grammar" / "README.md", TRAINING)
FENCE = re.compile(r"^```([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in FENCE.findall(page.read_text("utf-8")) if name == language]


def numbered(language: str) -> list[object]:
    return [
        pytest.param(text, id=f"{page.parent.name}-{number}")
        for page in PAGES
        for number, text in enumerate(blocks(page, language))
    ]


@pytest.mark.parametrize("text", numbered("ein"))
def test_program_is_right(text: str) -> None:
    model = eb.parse(text)
    if model.program.objective is not None:
        assert eb.parse(str(model.backward))


@pytest.mark.parametrize("text", numbered("python"))
def test_python_runs(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(text, "README.md", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_derived_statements_are_derived(page: Path) -> None:
    """Each `ein-derived` block is part of what the `ein` block before it derives."""
    program = ""
    for language, text in FENCE.findall(page.read_text("utf-8")):
        if language == "ein":
            program = text
        elif language == "ein-derived":
            assert text in str(eb.parse(program).backward)


def test_commands_of_a_training_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The `sh` blocks of the page on training, one after the other."""
    shutil.copytree(ROOT / "programs", tmp_path / "programs")
    monkeypatch.chdir(tmp_path)
    lines = [line for text in blocks(TRAINING, "sh") for line in text.splitlines()]
    for line in lines:
        name, *words = line.split()
        assert name == "einbatch"
        assert main(words) == 0, line
    assert len(lines) >= 10
    assert (tmp_path / "runs" / "digits" / "report.html").exists()
    for step in re.findall(r"step-\d+", TRAINING.read_text("utf-8")):
        assert (tmp_path / "runs" / "digits" / "checkpoints" / step).is_dir()
    capsys.readouterr()


def test_error_of_the_readme_is_the_real_one() -> None:
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse("index i < 3\ninput x[i] = [1, 2]\n")
    shown = next(text for text in blocks_indented(PAGES[0]) if text.startswith("error["))
    assert str(caught.value).replace("<text>", "bad.ein") == shown


def blocks_indented(page: Path) -> list[str]:
    """Blocks of `text` inside a list, without their indentation."""
    found = re.findall(r"^  ```text\n(.*?)^  ```$", page.read_text("utf-8"), re.M | re.S)
    return ["\n".join(line[2:] for line in text.rstrip("\n").split("\n")) for text in found]


def test_there_are_examples() -> None:
    count = sum(len(blocks(page, language)) for page in PAGES for language in ("ein", "python"))
    assert count >= 12
