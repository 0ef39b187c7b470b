"""What keeps the house: its layers, its late imports, the size of its rooms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 420
HEAVY = ("numpy", "jax", "torch", "rich", "opt_einsum", "safetensors")


def imported(program: str) -> set[str]:
    """The heavy modules that a program has imported when it ends."""
    shown = f"import sys\n{program}\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


def test_import_einbatch_imports_nothing_heavy() -> None:
    assert imported("import einbatch") == set()


def test_check_imports_no_numpy() -> None:
    program = "from einbatch.cli.main import main\nmain(['check', 'programs/digits.ein'])"
    assert imported(program) == set()


def test_running_imports_neither_jax_nor_torch() -> None:
    program = (
        "import einbatch\n"
        "model = einbatch.parse('index i < 2\\ny = sum[i](i/2)')\n"
        "model.forward({})"
    )
    assert imported(program) & {"jax", "torch"} == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob("einbatch/**/*.py")), ids=lambda p: p.stem)
def test_a_module_is_a_room(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_the_grammar_is_the_one_place_of_syntax() -> None:
    assert [path.name for path in ROOT.glob("grammar/*.lark")] == ["ein.lark"]
    assert not list(ROOT.glob("einbatch/**/*.lark"))
