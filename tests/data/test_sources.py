"""References, paths and keys; what each refusal says."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from einbatch.data import load_all, load_source
from einbatch.data.sources import FORMATS, split_reference
from einbatch.diagnostics import EinbatchError, Source, Span, explain

LIMIT = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "program"
    (below / "data").mkdir(parents=True)
    np.savez(below / "data/f.npz", image=np.arange(6).reshape(2, 3), label=np.array([1, 0]))
    np.save(below / "one.npy", np.array([1.5, 2.5]))
    (below / "table.csv").write_text("a,b,c\n1,2,0.5\n3,4,1.5\n")
    np.savez(tmp_path / "outside.npz", image=np.zeros(1))
    return below


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("f.npz", ("f.npz", None)),
        ("f.npz:key", ("f.npz", "key")),
        ("f.NPZ:key", ("f.NPZ", "key")),
        ("a:b/f.npz", ("a:b/f.npz", None)),
        ("a.npz:b/f.csv:x", ("a.npz:b/f.csv", "x")),
        ("f.csv:x:y", ("f.csv", "x:y")),
        ("f.csv:a,b", ("f.csv", "a,b")),
        ("f.npz:", ("f.npz", "")),
        ("f.txt:key", ("f.txt:key", None)),
        ("", ("", None)),
    ],
)
def test_split_reference(reference: str, parts: tuple[str, str | None]) -> None:
    assert split_reference(reference) == parts


def test_reads_by_default_key_and_by_key(folder: Path) -> None:
    image = load_source("data/f.npz", folder, "image", limit_bytes=LIMIT)
    assert image.tolist() == [[0, 1, 2], [3, 4, 5]]
    label = load_source("data/f.npz:label", folder, "image", limit_bytes=LIMIT)
    assert label.tolist() == [1, 0]
    one = load_source("one.npy", folder, "anything", limit_bytes=LIMIT)
    assert one.tolist() == [1.5, 2.5]
    inside = load_source("data/../one.npy", folder, "x", limit_bytes=LIMIT)
    assert inside.tolist() == [1.5, 2.5]


def test_reads_columns(folder: Path) -> None:
    column = load_source("table.csv", folder, "b", limit_bytes=LIMIT)
    assert column.tolist() == [2, 4]
    assert column.dtype == np.int64
    axis = load_source("table.csv:b,a,c,b", folder, "x", limit_bytes=LIMIT)
    assert axis.dtype == np.float64
    assert axis.tolist() == [[2, 1, 0.5, 2], [4, 3, 1.5, 4]]


def test_names_are_found_by_their_nfkc_form(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", **{"W⁰": np.zeros(2), "y": np.ones(1)})
    assert load_source("f.npz", tmp_path, "W0", limit_bytes=LIMIT).shape == (2,)
    assert load_all(tmp_path / "f.npz", LIMIT).keys() == {"W0", "y"}


def test_load_all(folder: Path) -> None:
    assert load_all(folder / "one.npy", LIMIT)[""].tolist() == [1.5, 2.5]
    assert load_all(folder / "data/f.npz", LIMIT).keys() == {"image", "label"}
    table = load_all(folder / "table.csv", LIMIT)
    assert {name: column.tolist() for name, column in table.items()} == {
        "a": [1, 3],
        "b": [2, 4],
        "c": [0.5, 1.5],
    }


def test_load_all_of_some_names_leaves_the_others_unread(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", x=np.zeros(2), note=np.array(["text"]))
    assert load_all(tmp_path / "f.npz", LIMIT, only=("x", "missing")).keys() == {"x"}
    (tmp_path / "t.csv").write_text("x,note\n1,text\n")
    assert load_all(tmp_path / "t.csv", LIMIT, only={"x"})["x"].tolist() == [1]
    assert load_all(tmp_path / "t.csv", LIMIT, only=()) == {}


def test_two_names_of_one_form(tmp_path: Path, refusal) -> None:
    np.savez(tmp_path / "f.npz", **{"W⁰": np.zeros(2), "W0": np.ones(1)})
    assert load_source("f.npz", tmp_path, "W0", limit_bytes=LIMIT).shape == (1,)
    assert refusal(load_all, tmp_path / "f.npz", LIMIT) == (
        f"error[E0611]: `{tmp_path}/f.npz` has two arrays that are both named `W0`\n"
        "  help: names are compared in their NFKC form: give one of them another name"
    )


def test_missing_key_names_the_keys_there_are(folder: Path, refusal) -> None:
    def load(reference: str, key: str = "lable") -> str:
        return refusal(load_source, reference, folder, key, limit_bytes=LIMIT)

    assert load("data/f.npz") == (
        "error[E0611]: `data/f.npz` has no array `lable`; it has `image`, `label`\n"
        "  help: did you mean `label`?"
    )
    assert load("data/f.npz:zzz") == (
        "error[E0611]: `data/f.npz` has no array `zzz`; it has `image`, `label`\n"
        "  help: name one of them behind a colon: `data/f.npz:image`"
    )
    assert load("data/f.npz:image,label").startswith(
        "error[E0611]: `data/f.npz` has no array `image,label`;"
    )
    assert load("table.csv:a,d") == (
        "error[E0611]: `table.csv` has no column `d`; it has `a`, `b`, `c`\n"
        "  help: name one of them behind a colon: `table.csv:a`"
    )
    assert load("table.csv:").startswith("error[E0611]: `table.csv` has no column ``;")
    assert load("one.npy:x") == (
        "error[E0611]: `one.npy` holds one array without a name, so there is no `x` in it\n"
        "  help: write just `one.npy`"
    )


def test_empty_archive(tmp_path: Path, refusal) -> None:
    np.savez(tmp_path / "f.npz")
    assert refusal(load_source, "f.npz", tmp_path, "x", limit_bytes=LIMIT).startswith(
        "error[E0611]: `f.npz` has no array `x`; it has none\n"
    )
    assert load_all(tmp_path / "f.npz", LIMIT) == {}


def test_many_keys_are_cut(tmp_path: Path, refusal) -> None:
    np.savez(tmp_path / "f.npz", **{f"a{n:02}": np.zeros(1) for n in range(30)})
    text = refusal(load_source, "f.npz", tmp_path, "q", limit_bytes=LIMIT)
    assert "`a11` and 18 more\n" in text


def test_unknown_format(folder: Path, refusal) -> None:
    assert refusal(load_source, "f.xlsx", folder, "x", limit_bytes=LIMIT) == (
        "error[E0604]: `f.xlsx` ends in `.xlsx`, which is no data format that can be read\n"
        "  help: the formats are .npz, .npy, .csv, .tsv, .safetensors, .parquet, .arrow, .feather,"
        " .idx, .idx.gz, -ubyte, -ubyte.gz;"
        " a key is written behind the name, as in `f.npz:key`"
    )
    assert refusal(load_source, "data", None, "x", limit_bytes=LIMIT).startswith(
        "error[E0604]: `data` has no suffix, which is no data format"
    )
    assert {".npz", ".npy", ".csv"} <= FORMATS.keys()


OUTSIDE = (
    "; a program reads only below its own folder\n"
    "  help: put the data beside the program, or bind it yourself with `--data NAME=FILE`"
)


def test_absolute_path(folder: Path, refusal) -> None:
    path = f"{folder}/one.npy"
    assert refusal(load_source, path, folder, "x", limit_bytes=LIMIT) == (
        f"error[E0602]: `{path}` is an absolute path" + OUTSIDE
    )
    assert load_source(path, None, "x", limit_bytes=LIMIT).shape == (2,)


@pytest.mark.parametrize(
    "path", ["../outside.npz", "data/../../outside.npz", "./../program/../outside.npz"]
)
def test_parent_folders(path: str, folder: Path, refusal) -> None:
    assert refusal(load_source, path, folder, "image", limit_bytes=LIMIT) == (
        f"error[E0602]: `{path}` leads out of the program's folder by `..`" + OUTSIDE
    )


def test_symbolic_links(folder: Path, refusal) -> None:
    (folder / "link.npz").symlink_to(folder.parent / "outside.npz")
    (folder / "up").symlink_to(folder.parent)
    (folder / "sibling").symlink_to(folder.parent / "program-2")
    (folder.parent / "program-2").mkdir()
    for path in ("link.npz", "up/outside.npz", "sibling/f.npz", "data/../up/outside.npz"):
        assert refusal(load_source, path, folder, "image", limit_bytes=LIMIT) == (
            f"error[E0602]: `{path}` leads out of the program's folder by a symbolic link" + OUTSIDE
        )
    (folder / "inside.npz").symlink_to("data/f.npz")
    assert load_source("inside.npz", folder, "label", limit_bytes=LIMIT).shape == (2,)
    (folder.parent / "alias").symlink_to(folder)
    alias = folder.parent / "alias"
    assert load_source("one.npy", alias, "x", limit_bytes=LIMIT).shape == (2,)


def test_a_link_of_the_users_own_may_lead_anywhere(folder: Path) -> None:
    (folder / "link.npz").symlink_to(folder.parent / "outside.npz")
    path = str(folder / "link.npz")
    assert load_source(path, None, "image", limit_bytes=LIMIT).shape == (1,)


def test_a_link_that_points_at_itself(folder: Path, refusal) -> None:
    (folder / "loop.npz").symlink_to("loop.npz")
    assert refusal(load_source, "loop.npz", folder, "x", limit_bytes=LIMIT).startswith(
        "error[E0601]: `loop.npz` cannot be read: too many levels of symbolic links"
    )


def test_only_regular_files(folder: Path, refusal) -> None:
    (folder / "folder.npz").mkdir()
    os.mkfifo(folder / "pipe.npz")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.npz"))
        for name, what in (("folder", "a folder"), ("pipe", "a pipe"), ("socket", "a socket")):
            assert refusal(load_source, f"{name}.npz", folder, "x", limit_bytes=LIMIT) == (
                f"error[E0603]: `{name}.npz` is {what}, not a file of data\n"
                "  help: data is read from regular files only"
            )
    (folder / "zero.npz").symlink_to("/dev/zero")
    assert refusal(load_all, folder / "zero.npz", LIMIT).startswith(
        f"error[E0603]: `{folder}/zero.npz` is a device,"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.npz", "no such file or directory"),
        ("n" * 300 + ".npz", "file name too long"),
        ("nul\0.npz", "its name is not one that a file can have"),
        ("one.npy/f.npz", "not a directory"),
    ],
)
def test_unreadable(name: str, reason: str, folder: Path, refusal) -> None:
    text = refusal(load_source, name, folder, "x", limit_bytes=LIMIT)
    first, last = text.split("\n")
    assert first.startswith("error[E0601]: `")
    assert first.endswith(f"` cannot be read: {reason}") or len(name) > 200
    assert "\0" not in text
    assert last == (
        "  help: a path in a program starts at the program's folder, one in a command at yours"
    )


def test_an_error_shows_the_place_in_the_program(folder: Path) -> None:
    text = 'input x[b,i] from "no.npz"\n'
    span = Span(Source("m.ein", text), 18, 26)
    with pytest.raises(EinbatchError) as caught:
        load_source("no.npz", folder, "x", span, limit_bytes=LIMIT)
    assert str(caught.value) == (
        "error[E0601]: `no.npz` cannot be read: no such file or directory\n"
        "  --> m.ein:1:19\n"
        "   |\n"
        ' 1 | input x[b,i] from "no.npz"\n'
        "   |                   ^^^^^^^^\n"
        "  help: a path in a program starts at the program's folder, one in a command at yours"
    )


@pytest.mark.parametrize("number", [*range(601, 610), 710])
def test_every_code_has_its_page(number: int) -> None:
    assert explain(f"E0{number}").startswith(f"# E0{number}: ")
