"""Every error code has a program that shows it, the exact message beside it, and a page.

`pytest tests/test_errors.py --update-golden` writes the messages anew; read the diff.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import Diagnostic, EinbatchError, Source, codes, explain
from einbatch.elaborate import find_warnings
from einbatch.syntax import parse, read_source

FOLDER = Path(__file__).parent / "errors"
PACKAGE = Path(__file__).parent.parent / "einbatch"
PROGRAMS = sorted(FOLDER.glob("*.ein"))

NO_FILE = {"E0104", "E0105", "E0210", "E0501"}
"""Codes that no file alone shows: of a file that is missing or too large
(`tests/syntax/test_read_source.py`), of constants set from outside and of what no
program can hold (`tests/elaborate`)."""
STAGES = ("E01", "E02", "E03", "E04", "E05", "W04")
"""The codes of a program itself; those of data, resources and commands have tests of their own."""


def message(path: Path) -> str:
    """What the program is told, under the file's own name."""
    with pytest.raises(EinbatchError) as caught:
        check(path)
    assert path.name[:5] in [item.code for item in caught.value.diagnostics]
    return str(caught.value) + "\n"


def check(path: Path) -> None:
    """Read a program as far as its code's stage; raises its warnings, too."""
    source = read_source(path, path.name)
    if path.name.startswith("E01"):
        parse(source)
        return
    from einbatch.model.front import read_program

    program = read_program(source).program
    if path.name.startswith("E05"):
        differentiate(program)
    raise EinbatchError(find_warnings(program))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_message(path: Path, update_golden: bool):
    golden = path.with_suffix(".txt")
    said = message(path)
    if update_golden:
        golden.write_text(said, encoding="utf-8")
    assert golden.exists(), f"{golden.name} is missing: run with --update-golden and read it"
    assert said == golden.read_text(encoding="utf-8")


def test_every_message_belongs_to_a_program():
    orphans = {path.stem for path in FOLDER.glob("*.txt")} - {path.stem for path in PROGRAMS}
    assert not orphans
    assert len(PROGRAMS) >= 50


def test_every_code_of_a_program_has_a_program_and_a_page():
    shown = {path.name[:5] for path in PROGRAMS if path.name.startswith(STAGES)}
    paged = {code for code in codes() if code.startswith(STAGES)}
    assert shown | NO_FILE == paged
    for code in codes():
        assert explain(code).startswith(f"# {code}: ")


def test_every_code_in_use_has_a_page_and_every_page_a_use():
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    used = {code for text in texts for code in re.findall(r"\b[EW]\d{4}\b", text)}
    assert used == set(codes())


@pytest.mark.parametrize("code", [c for c in codes() if c.startswith(STAGES[1:]) and c != "E0412"])
def test_the_first_example_of_a_page_shows_its_code(code: str):
    lines = explain(code).split("\n\n")
    example = next((part for part in lines if part.startswith("    ")), None)
    if code in NO_FILE or code == "E0504":  # its example would be too long to read
        return
    assert example is not None
    program = diagnostics_of(textwrap.dedent(example) + "\n")
    assert {item.code for item in program} == {code}


def diagnostics_of(text: str) -> list[Diagnostic]:
    """Everything that is said about a program, its derivative included."""
    from einbatch.model.front import read_program

    try:
        program = read_program(Source("page.ein", text)).program
        warnings = find_warnings(program)
        if not warnings:
            differentiate(program)
    except EinbatchError as error:
        return list(error.diagnostics)
    return warnings
