"""The wheel, installed by itself: it has all that it needs, the grammar above all."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, folder: Path) -> str:
    """Runs a command away from the checkout and gives what it prints."""
    unset = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend that is installed: no index is asked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "from hatchling.build import build_wheel; build_wheel({!r})"
    run(sys.executable, "-c", build.format(str(folder)), folder=ROOT)
    (built,) = folder.glob("einbatch-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that has the wheel, and the dependencies from this one.

    A link to each installed package stands in for a download. The checkout
    itself, which an editable install would bring in, stays out.
    """
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    (here,) = {Path(__import__(name).__file__).parent.parent for name in ("numpy", "lark")}
    for item in here.iterdir():
        if "einbatch" not in item.name and item.suffix != ".pth" and item.name != "__pycache__":
            (site / item.name).symlink_to(item)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return home / "bin/python"


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {"einbatch/grammar/ein.lark", "einbatch/py.typed"} <= names
    pages = {f"einbatch/diagnostics/pages/{page.name}" for page in PAGES.glob("*.md")}
    assert pages
    assert pages <= names
    assert f"einbatch/syntax/ein.{sys.implementation.cache_tag}.tables" in names
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "einbatch").rglob("*.py")}
    assert modules <= names
    parts = {
        f"einbatch/report/page/{path.name}" for path in (ROOT / "einbatch/report/page").iterdir()
    }
    assert {Path(part).suffix for part in parts} == {".html", ".css", ".js"}
    assert parts <= names
    assert tops == {"einbatch", next(top for top in tops if top.endswith(".dist-info"))}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


PAGES = ROOT / "einbatch/diagnostics/pages"


def test_the_installed_package_parses(python: Path, tmp_path: Path) -> None:
    program = """
import einbatch
from pathlib import Path
from einbatch import parse
assert Path(einbatch.__file__).is_relative_to({home!r}), einbatch.__file__
parse("h = 2")
print("parsed")
"""
    home = str(python.parent.parent)
    assert run(python, "-I", "-c", program.format(home=home), folder=tmp_path) == "parsed\n"


def test_the_installed_package_explains(python: Path, tmp_path: Path) -> None:
    program = "from einbatch.diagnostics import explain; print(explain('E0203'))"
    assert run(python, "-I", "-c", program, folder=tmp_path).startswith("# E0203: ")


def test_the_installed_command_answers(python: Path, tmp_path: Path) -> None:
    program = "import sys; sys.argv = ['einbatch', '--help']\nfrom einbatch.cli.main import main\n"
    printed = run(python, "-I", "-c", program + "sys.exit(main())", folder=tmp_path)
    assert "explain" in printed
