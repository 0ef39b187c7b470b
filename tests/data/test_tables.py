"""Parquet and Arrow: what pyarrow writes comes back, in memory and spooled to a file."""

import builtins
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from einbatch.data import Stored, Vocabulary, load_all, load_source

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

LIMIT = 1 << 20
N = 500
NAMES = ("t.parquet", "plain.parquet", "t.feather", "plain.feather", "file.arrow", "stream.arrow")


def table() -> pa.Table:
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(N, 3)).astype("f4")
    labels = np.array(["cat", "ape", "bee"])[numbers.integers(0, 3, N)]
    return pa.table(
        {
            "x": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 3),
            "image": pa.FixedSizeListArray.from_arrays(
                pa.FixedSizeListArray.from_arrays(pa.array(np.arange(4 * N, dtype="u1")), 2), 2
            ),
            "n": np.arange(N),
            "half": x[:, 0].astype("f2"),
            "ok": np.arange(N) % 3 == 0,
            "label": labels,
            "coded": pa.array(labels).dictionary_encode(),
            "numbers": pa.array(np.arange(N) % 5).dictionary_encode(),
            "day": pa.array(np.arange(N, dtype="i4"), pa.date32()),
            "lists": pa.array([[1.0]] * N),
        }
    )


def write(made: pa.Table, folder: Path, name: str) -> Path:
    path = folder / name
    if name == "t.parquet":
        parquet.write_table(made, path, row_group_size=77, compression="zstd")
    elif name == "plain.parquet":
        parquet.write_table(made, path, compression=None, use_dictionary=False)
    elif name.endswith("feather"):
        feather.write_feather(made, path, "lz4" if name[0] == "t" else "uncompressed")
    else:
        new = pa.ipc.new_file if name[0] == "f" else pa.ipc.new_stream
        with new(path, made.schema) as writer:
            writer.write_table(made, max_chunksize=77)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep_from", [0, 1 << 40])
def test_every_kind_of_column(name: str, keep_from: int, tmp_path: Path) -> None:
    made = table()
    write(made, tmp_path, name)

    def load(key: str, classes: Vocabulary | None = None) -> np.ndarray | Stored:
        return load_source(
            f"{name}:{key}",
            tmp_path,
            "",
            limit_bytes=LIMIT,
            keep_from=keep_from,
            classes=classes,
        )

    order = np.array([N - 1, 0, 78, 0])
    for key in ("x", "image", "n", "half", "ok", "numbers"):
        column = made[key].combine_chunks()
        if key == "numbers":
            column = column.dictionary_decode()
        wanted = np.array(column.to_pylist())
        found = load(key)
        assert isinstance(found, Stored) == (keep_from == 0)
        assert np.array_equal(np.asarray(found), wanted)
        assert np.array_equal(found.take(order, 0), wanted[order])
    assert load("x").dtype == np.float32
    assert load("image").shape == (N, 2, 2)
    assert load("ok").dtype == bool
    wanted = np.stack([made["n"].to_numpy(), made["half"].to_numpy()], -1)
    both = load("n,half")
    assert both.shape == (N, 2)
    assert np.array_equal(np.asarray(both), wanted)
    assert np.array_equal(both.take(order, 0), wanted[order])
    for key in ("label", "coded"):
        vocabulary = Vocabulary()
        codes = np.asarray(load(key, vocabulary))
        assert vocabulary.names == ("ape", "bee", "cat")
        assert np.array_equal(np.array(vocabulary.names)[codes], made["label"].to_pylist())


@pytest.mark.parametrize("name", NAMES)
def test_what_no_tensor_holds(name: str, tmp_path: Path, refusal) -> None:
    write(table(), tmp_path, name)

    def text(key: str) -> str:
        return refusal(load_source, name, tmp_path, key, limit_bytes=LIMIT)

    for key, what in (
        ("day", "values of type `date32[day]`"),
        ("lists", "lists of no fixed size"),
    ):
        assert text(key) == (
            f"error[E0606]: `{key}` in `{name}` holds {what};"
            " only integers, floats and truth values can be read\n"
            "  help: save it as numbers, for example with `array.astype(numpy.float64)`"
        )
    assert text("label") == (
        f"error[E0606]: `label` in `{name}` holds text;"
        " only integers, floats and truth values can be read\n"
        "  help: texts become classes where the input is declared `in` an index"
    )
    assert text("nothing").startswith(f"error[E0611]: `{name}` has no column `nothing`; it has `x`")


@pytest.mark.parametrize("name", NAMES)
def test_missing_values(name: str, tmp_path: Path, refusal) -> None:
    lists = pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float64(), 2))
    write(pa.table({"n": [5, None], "v": lists}), tmp_path, name)
    assert refusal(load_source, name, tmp_path, "n", limit_bytes=LIMIT) == (
        f"error[E0608]: `{name}`, row 2, column `n`: the value is missing\n"
        "  help: a column has a value in every row: fill the missing ones,"
        " or leave their rows out"
    )
    assert "row 2, column `v`: a value of its list is missing" in (
        refusal(load_source, name, tmp_path, "v", limit_bytes=LIMIT)
    )


@pytest.mark.parametrize("name", NAMES)
def test_limits(name: str, tmp_path: Path, refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(table().select(["n", "label"]), tmp_path, name)
    assert len(load_all(path, 4000, only=["n"])) == 1
    assert "takes more than 4,000 bytes from row 500 on; the memory allowance leaves 3,999" in (
        refusal(load_all, path, 3999, only=["n"])
    )
    assert "the labels in" in refusal(
        load_all, path, 4000, only=["label"], classes={"label": Vocabulary()}
    )
    usage = type("usage", (), {"free": 4000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert "; the temporary folder has room for 2,000\n" in (
        refusal(load_all, path, LIMIT, only=["n"], keep_from=0)
    )


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_odd_tables(name: str, tmp_path: Path, refusal) -> None:
    schema = pa.schema({"n": pa.int64(), "s": pa.string(), "a,b": pa.bool_(), "": pa.int8()})
    path = write(schema.empty_table(), tmp_path, name)
    arrays = load_all(path, LIMIT, classes={"s": Vocabulary()})
    assert {key: array.shape for key, array in arrays.items()} == {
        "n": (0,),
        "s": (0,),
        "a,b": (0,),
        "": (0,),
    }
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    path = write(twice, tmp_path, "stream.arrow")
    assert "damaged: two of its columns are named `n`" in refusal(load_all, path, LIMIT)


def test_not_such_a_file(tmp_path: Path, refusal) -> None:
    for name in ("a.parquet", "a.arrow", "a.feather"):
        for content in (b"", b"<html>not found</html>", b"PAR1", b"ARROW1", b"FEA1" * 9):
            (tmp_path / name).write_bytes(content)
            text = refusal(load_all, tmp_path / name, LIMIT)
            assert text.startswith(f"error[E0607]: `{tmp_path}/{name}` is damaged: ")


def test_without_pyarrow(tmp_path: Path, refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    write(table(), tmp_path, "t.parquet")

    def absent(name: str, *rest: object) -> object:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return builtins.__import__(name)

    monkeypatch.setattr("einbatch.data.tables.import_module", absent)
    assert refusal(load_source, "t.parquet", tmp_path, "n", limit_bytes=LIMIT) == (
        "error[E0610]: `t.parquet` is read by pyarrow, which is not installed\n"
        "  help: install it: `pip install 'einbatch[data]'`"
    )


def test_other_formats_import_no_pyarrow(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    code = (
        "import sys; from pathlib import Path; from einbatch.data import load_all\n"
        f"load_all(Path({str(tmp_path / 'a.npy')!r}), 1 << 20)\n"
        "sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
