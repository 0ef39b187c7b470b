"""Parameters to safetensors and back; what is not one is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.data import load_params, save
from einbatch.diagnostics import EinbatchError


def test_round_trip(tmp_path: Path) -> None:
    params = {
        "W0": np.arange(6.0).reshape(2, 3).T,
        "h̃": np.float32(3),
        "n": np.array([1, 2], ">i4"),
        "on": np.array([True]),
        "half": np.zeros((2, 0), np.float16),
        "list": [1.5, 2.5],
    }
    path = tmp_path / "m.safetensors"
    save(params, path)
    back = load_params(str(path))
    assert back.keys() == params.keys()
    for name, value in params.items():
        assert np.array_equal(back[name], value)
        assert back[name].shape == np.shape(value)
        assert back[name].dtype.kind == np.asarray(value).dtype.kind
        assert back[name].flags.writeable
    assert [item.name for item in tmp_path.iterdir()] == ["m.safetensors"]


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    save({"W": np.ones((2, 3), np.float32)}, tmp_path / "m.safetensors")
    content = (tmp_path / "m.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header["W"] == {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def test_what_cannot_be_saved(tmp_path: Path, refusal) -> None:
    path = tmp_path / "m.safetensors"
    assert refusal(save, {"W": np.array([None])}, path).startswith(
        "error[E0606]: `W` holds Python objects;"
    )
    assert refusal(save, {"W": np.array([1j])}, path).startswith(
        "error[E0606]: `W` holds complex numbers;"
    )
    assert refusal(save, {"__metadata__": np.zeros(1)}, path) == (
        f"error[E0609]: `{path}` cannot be written: safetensors keeps the name"
        " `__metadata__` for itself\n"
        "  help: give the parameter another name"
    )
    assert not path.exists()


HELP = "\n  help: name a file that `--save` or `einbatch.save` wrote"


def test_missing_or_special(tmp_path: Path, refusal) -> None:
    assert refusal(load_params, tmp_path / "no") == (
        f"error[E0601]: `{tmp_path}/no` cannot be read: no such file or directory" + HELP
    )
    assert refusal(load_params, "nul\0") == (
        "error[E0601]: `nul�` cannot be read: no file can have this name" + HELP
    )
    assert refusal(load_params, tmp_path) == (
        f"error[E0603]: `{tmp_path}` is not a regular file" + HELP
    )
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(load_params, tmp_path / "pipe")


def file_of(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(dtype: str = "F64", shape: object = (2,), end: int = 16) -> dict[str, object]:
    return {"W": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 100,
        file_of(tensor(), b"", 2**40),
        file_of(tensor(), b"1234"),
        file_of(tensor(shape=(2**40, 2**40)), bytes(16)),
        file_of(tensor(shape=(-1,)), bytes(16)),
        file_of(tensor(end=8), bytes(8)),
        file_of(tensor("F32"), bytes(16)),
        file_of(tensor("object"), bytes(16)),
        file_of([1]),
        file_of("W"),
    ],
)
def test_damaged(content: bytes, tmp_path: Path, refusal) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    text = refusal(load_params, path)
    assert text.startswith(
        f"error[E0607]: `{path}` is damaged: as safetensors it is not readable ("
    )
    assert text.endswith(
        "\n  help: write the file again, or fetch it again if it was copied from elsewhere"
    )
    assert text.count("\n") == 1


def test_other_floats(tmp_path: Path, refusal) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_of(tensor("BF16", (2,), 4), bytes(4)))
    assert refusal(load_params, path).startswith(
        f"error[E0606]: `W` in `{path}` holds values of type `BF16`;"
    )


@given(st.binary(max_size=40), st.integers(0, 90), st.integers(0, 40))
def test_any_damage_ends_in_arrays_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, drop: int
) -> None:
    good = file_of(tensor(), bytes(16))
    path = tmp_path_factory.getbasetemp() / "noise.safetensors"
    path.write_bytes(good[:place] + noise + good[place + drop :])
    try:
        load_params(path)
    except EinbatchError as error:
        assert error.diagnostics[0].code in {"E0606", "E0607", "E0642"}
