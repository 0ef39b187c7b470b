"""Where the grammar's text is found: beside the installed package, or in a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

FILE = "ein.lark"


def grammar_text() -> str:
    """The text of `ein.lark`: from the package where it was installed, else from the checkout."""
    packaged = files("einbatch") / "grammar" / FILE
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "grammar" / FILE).read_text(encoding="utf-8")
