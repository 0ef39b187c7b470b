"""A program's paths stay below its folder, or below the data root; nothing but files is read."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.cli.main import main
from einbatch.data import load_source
from einbatch.diagnostics import EinbatchError

LIMIT = 1 << 20
SECRET = 1234.5


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder with `program/` in it, all kinds of things beside it, and a secret."""
    program = tmp_path / "program"
    for folder in (program / "data", tmp_path / "program-2", tmp_path / "other/deep"):
        folder.mkdir(parents=True)
    for path in (tmp_path, tmp_path / "program-2", tmp_path / "other/deep"):
        np.save(path / "secret.npy", np.array([SECRET]))
    np.save(program / "data/own.npy", np.array([1.0]))
    links = {
        "link.npy": tmp_path / "secret.npy",
        "relative.npy": Path("../secret.npy"),
        "up": tmp_path,
        "sibling": tmp_path / "program-2",
        "hop.npy": Path("link.npy"),
        "dangling.npy": tmp_path / "nowhere.npy",
        "inside.npy": Path("data/nothing.npy"),
        "loop.npy": Path("loop.npy"),
        "ping.npy": Path("pong.npy"),
        "pong.npy": Path("ping.npy"),
        "zero.npy": Path("/dev/zero"),
        "stdin.npy": Path("/dev/stdin"),
        "memory.npy": Path("/proc/self/mem"),
        "environ.csv": Path("/proc/self/environ"),
        "kernel.csv": Path("/sys/kernel/notes"),
        "folder.npy": Path("data"),
    }
    for name, target in links.items():
        (program / name).symlink_to(target)
    os.mkfifo(program / "pipe.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    (program / "to_pipe.npy").symlink_to("pipe.npy")
    with socket.socket(socket.AF_UNIX) as server, chdir(program):
        server.bind("socket.npy")
        yield tmp_path


ESCAPES: dict[str, Callable[[Path], tuple[str, str, str]]] = {
    "absolute": lambda home: (f"{home}/secret.npy", "E0602", "is an absolute path"),
    "absolute, own": lambda home: (f"{home}/program/data/own.npy", "E0602", "is an absolute path"),
    "two slashes": lambda home: (f"/{home}/secret.npy", "E0602", "is an absolute path"),
    "system": lambda _: ("/proc/self/environ.csv", "E0602", "is an absolute path"),
    "parent": lambda _: ("../secret.npy", "E0602", "by `..`"),
    "parent later": lambda _: ("data/../../secret.npy", "E0602", "by `..`"),
    "out and in": lambda _: ("../program/data/own.npy", "E0602", "by `..`"),
    "far up": lambda _: ("../" * 40 + "dev/zero.npy", "E0602", "by `..`"),
    "link": lambda _: ("link.npy", "E0602", "by a symbolic link"),
    "relative link": lambda _: ("relative.npy", "E0602", "by a symbolic link"),
    "linked folder": lambda _: ("up/secret.npy", "E0602", "by a symbolic link"),
    "link and parent": lambda _: ("sibling/../secret.npy", "E0602", "by a symbolic link"),
    "a longer name": lambda _: ("sibling/secret.npy", "E0602", "by a symbolic link"),
    "two links": lambda _: ("hop.npy", "E0602", "by a symbolic link"),
    "dangling outside": lambda _: ("dangling.npy", "E0602", "by a symbolic link"),
    "dangling inside": lambda _: ("inside.npy", "E0601", "no such file or directory"),
    "loop": lambda _: ("loop.npy", "E0601", "too many levels of symbolic links"),
    "two in a loop": lambda _: ("ping.npy", "E0601", "too many levels of symbolic links"),
    "pipe": lambda _: ("pipe.npy", "E0603", "is a pipe"),
    "link to a pipe": lambda _: ("to_pipe.npy", "E0603", "is a pipe"),
    "socket": lambda _: ("socket.npy", "E0603", "is a socket"),
    "folder": lambda _: ("folder.npy", "E0603", "is a folder"),
    "device": lambda _: ("zero.npy", "E0602", "by a symbolic link"),
    "stdin": lambda _: ("stdin.npy", "E0602", "by a symbolic link"),
    "memory": lambda _: ("memory.npy", "E0602", "by a symbolic link"),
    "environment": lambda _: ("environ.csv", "E0602", "by a symbolic link"),
    "kernel": lambda _: ("kernel.csv", "E0602", "by a symbolic link"),
    "nul": lambda _: ("data/own.npy\0.npy", "E0601", "its name is not one that a file can have"),
    "home": lambda _: ("~/secret.npy", "E0601", "no such file or directory"),
    "URL": lambda home: (f"file://{home}/secret.npy", "E0601", "no such file or directory"),
    "escaped": lambda _: ("%2e%2e/secret.npy", "E0601", "no such file or directory"),
    "backslash": lambda _: ("..\\secret.npy", "E0601", "no such file or directory"),
}


@pytest.mark.parametrize("case", ESCAPES)
def test_escapes(case: str, home: Path, refusal: Callable[..., str]) -> None:
    name, code, reason = ESCAPES[case](home)
    text = refusal(load_source, name, home / "program", "x", limit_bytes=LIMIT)
    assert text.startswith(f"error[{code}]: ")
    assert reason in text.split("\n")[0]


SYSTEM = ("system", "far up", "device", "memory", "environment", "kernel")


@pytest.mark.parametrize("case", SYSTEM)
def test_a_root_of_everything_leaves_the_system_closed(case: str, home: Path, refusal) -> None:
    name, _, _ = ESCAPES[case](home)
    text = refusal(load_source, name, home / "program", "x", limit_bytes=LIMIT, root=Path("/"))
    assert text.startswith("error[E0602]: ")
    assert text.endswith(
        "where the system itself is; a program reads only below its own folder and `/`\n"
        "  help: put the data beside the program, or bind it yourself with `--data NAME=FILE`"
    )


def test_the_data_root_widens_where_paths_may_point(home: Path, refusal) -> None:
    def load(name: str, root: Path | None) -> list[float]:
        found = load_source(name, home / "program", "x", limit_bytes=LIMIT, root=root)
        return np.asarray(found).tolist()

    other = home / "other"
    (home / "alias").symlink_to("other")
    for root in (other, other / "deep", home, home / "alias", home / "program/../other"):
        assert load("../other/deep/secret.npy", root) == [SECRET]
        assert load(f"{other}/deep/secret.npy", root) == [SECRET]
        assert load("data/own.npy", root) == [1]
    assert load("link.npy", home) == [SECRET]
    for name in ("../secret.npy", "link.npy", "up/secret.npy", f"{home}/secret.npy"):
        assert refusal(load, name, other).startswith("error[E0602]: ")
        assert f"below its own folder and `{other}`\n" in refusal(load, name, other)
    assert refusal(load, "../pipe.npy", home).startswith("error[E0603]: `../pipe.npy` is a pipe")


PROGRAM = 'batch b < B\ninput x[b] from "../other/deep/secret.npy"\nfor b: y[b] = 2*x[b]\n'


def test_from_the_command_line_and_from_python(
    home: Path, capsys: pytest.CaptureFixture[str], refusal
) -> None:
    path = home / "program/m.ein"
    path.write_text(PROGRAM)
    assert main(["run", str(path)]) == 1
    assert "leads out of the program's folder by `..`" in capsys.readouterr().err
    for verb in (["run"], ["plan"], ["export", "--to", "numpy"]):
        assert main([*verb, str(path), "--data-root", str(home / "other")]) == 0
    assert "2469." in capsys.readouterr().out
    values = eb.load(path, data_root=home / "other").forward({})
    assert values["y"].tolist() == [2 * SECRET]
    values = eb.parse(PROGRAM, folder=home / "program", data_root=str(home)).forward({})
    assert values["y"].tolist() == [2 * SECRET]
    with pytest.raises(EinbatchError):
        eb.load(path).forward({})


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("nowhere", "no such folder"),
        ("m.ein", "it is not a folder"),
    ],
)
def test_a_root_that_is_no_folder(root: str, reason: str, home: Path, refusal) -> None:
    path = home / "program/m.ein"
    path.write_text(PROGRAM)
    text = refusal(eb.load, path, data_root=str(home / "program" / root))
    assert text == (
        f"error[E0601]: the data root `{home}/program/{root}` cannot be read: {reason}\n"
        "  help: name the folder below which a program's own paths may point"
    )


def test_a_root_that_is_no_path(refusal) -> None:
    assert refusal(eb.parse, PROGRAM, data_root=5).startswith(
        "error[E0601]: the data root `5` cannot be read: its name is not one that a folder can have"
    )


def test_a_path_of_the_users_own_may_be_anywhere_but_is_of_a_file(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "program/m.ein"
    path.write_text(PROGRAM)
    for name in (f"{home}/secret.npy", f"{home}/program/link.npy", f"{home}/program/up/secret.npy"):
        assert main(["run", str(path), "--data", f"x={name}"]) == 0
        assert "2469." in capsys.readouterr().out
    for name, what in (("pipe", "a pipe"), ("socket", "a socket"), ("zero", "a device")):
        assert main(["run", str(path), "--data", f"x={home}/program/{name}.npy"]) == 1
        assert f"is {what}, not a file of data" in capsys.readouterr().err


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch, refusal
) -> None:
    """What is looked at is not yet what is opened: it is looked at once more."""
    own = home / "program/data/own.npy"
    status = own.stat()
    pipe = home / "program/pipe.npy"
    monkeypatch.setattr(Path, "stat", lambda *_, **__: status)
    assert refusal(load_source, "pipe.npy", pipe.parent, "x", limit_bytes=LIMIT).startswith(
        "error[E0603]: `pipe.npy` is a pipe"
    )
