"""Every error code has a program that shows it, the exact message beside it, and a page.

`pytest tests/test_errors.py --update-golden` writes the messages anew; read the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from einbatch.diagnostics import EinbatchError, codes, explain
from einbatch.syntax import parse, read_source

FOLDER = Path(__file__).parent / "errors"
PROGRAMS = sorted(FOLDER.glob("*.ein"))

NO_FILE = {"E0104", "E0105"}
"""Codes about a file that is missing or too large: `tests/syntax/test_read_source.py` has them."""


def message(path: Path) -> str:
    """What the program is told, under the file's own name."""
    with pytest.raises(EinbatchError) as caught:
        check(path)
    assert path.name[:5] in [item.code for item in caught.value.diagnostics]
    return str(caught.value) + "\n"


def check(path: Path) -> None:
    """Read a program as far as its code's stage."""
    source = read_source(path, path.name)
    if path.name.startswith("E01"):
        parse(source)
    else:
        from einbatch.model.front import read_program

        read_program(source)


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


def test_every_syntax_code_has_a_program_and_a_page():
    shown = {path.name[:5] for path in PROGRAMS if path.name.startswith("E01")}
    paged = {code for code in codes() if code.startswith("E01")}
    assert shown | NO_FILE == paged
    for code in paged:
        assert explain(code).startswith(f"# {code}: ")
