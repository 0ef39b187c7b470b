"""`docs/backward.md` shows what is printed."""

import re
from pathlib import Path

import pytest

from tests.autodiff.derived import backward

PAGE = Path(__file__).parent.parent.parent / "docs" / "backward.md"
PAIR = re.compile(r"^```ein\n(.*?)^```\n+^```backward *(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAIRS = PAIR.findall(PAGE.read_text("utf-8"))


def test_the_page_has_its_examples():
    assert len(PAIRS) == PAGE.read_text("utf-8").count("```ein") >= 6


@pytest.mark.parametrize(("model", "wrt", "printed"), PAIRS, ids=range(len(PAIRS)))
def test_an_example_is_what_is_printed(model: str, wrt: str, printed: str):
    lines = printed.splitlines()
    assert lines[0].endswith(".grad[b] = 1")
    assert backward(model, *wrt.split()) == lines[1:]
