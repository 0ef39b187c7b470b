"""The house keeps its rules: what imports what, and how long a module may be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "einbatch").rglob("*.py"))
HEAVY = ("numpy", "jax", "torch", "opt_einsum", "rich", "safetensors", "jinja2", "PIL")
LONGEST = 400
"""The most lines of a module; under 300 is what we aim at."""
LONGER = {"nodes.py": 450}
"""But for a mere list of what there is: the nodes of the tree."""


def imported(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after some code."""
    script = (
        f"{code}\nimport sys\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_einbatch_imports_nothing_heavy():
    assert not imported("import einbatch") & {*HEAVY, "lark"}


def test_importing_einbatch_beside_numpy_leaves_nothing_to_be_imported_later():
    code = (
        "import numpy, einbatch, sys\n"
        "before = set(sys.modules)\n"
        "model = einbatch.parse('param W = 1\\nloss = W^2\\nminimize loss\\ntrain sgd(lr=1)\\n')\n"
        "model.trainer().step()\n"
        "later = [name.split('.') for name in set(sys.modules) - before]\n"
        "print(*('.'.join(n) for n in later if n[0] not in sys.stdlib_module_names))\n"
    )
    assert not imported(code) & {"jax", "torch"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_the_compiler_up_to_differentiation_needs_no_arrays():
    code = (
        "from einbatch.syntax import parse, unparse\n"
        "from einbatch.elaborate import elaborate, erase, find_warnings\n"
        "from einbatch.autodiff import differentiate\n"
        "from einbatch.diagnostics import Source\n"
        "p = elaborate(parse(Source('t', 'param W = 1\\nloss = W^2\\nminimize loss\\n')))\n"
        "unparse(erase(differentiate(p)))\n"
    )
    assert not imported(code) & set(HEAVY)


def test_planning_needs_no_arrays_either():
    code = (
        "from einbatch.syntax import parse\n"
        "from einbatch.elaborate import elaborate\n"
        "from einbatch.diagnostics import Source\n"
        "from einbatch.plan import plan\n"
        "p = elaborate(parse(Source('t', 'index i < 3\\ny[i] = i*2\\n')))\n"
        "plan(p, {'i': 3}, dtype='float32', outputs=('y',))\n"
    )
    assert not imported(code) & set(HEAVY)


def test_computing_needs_no_other_backend():
    code = "import einbatch\neinbatch.parse('index i < 2\\ny = sum[i](i/2)\\n').forward({})\n"
    assert not imported(code) & {"jax", "torch"}


def test_the_grammar_is_the_one_place_of_syntax():
    assert [path.name for path in ROOT.glob("grammar/*.lark")] == ["ein.lark"]
    assert not list(ROOT.glob("einbatch/**/*.lark"))


@pytest.mark.parametrize("verb", ["check", "grad", "fmt --check"])
def test_verbs_that_compute_nothing_import_no_numpy(verb: str):
    words = [*verb.split(), "programs/digits.ein"]
    code = (
        "import contextlib, io\nfrom einbatch.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({words!r})\n"
    )
    assert not imported(code) & {"numpy", "jax", "torch"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short_and_say_what_they_are(path: Path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGER.get(path.name, LONGEST)
    assert lines[0].startswith('"""')


def test_the_layers_hold():
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("import-linter is not installed; `make lint` runs it")
    done = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
