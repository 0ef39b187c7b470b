"""Arrays of safetensors files, as data: by name, in place, and never more than is there."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from einbatch.data import Stored, load_all, load_source

LIMIT = 1 << 20


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: object = "F32", shape: object = (2,), place: object = (0, 8)) -> dict:
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": place}}


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u8", "f2", "f4", "f8"])
def test_reads_what_safetensors_writes(dtype: str, tmp_path: Path) -> None:
    arrays = {
        "x": np.arange(6).reshape(3, 2).astype(dtype),
        "W⁰": np.ones((), dtype),
        "none": np.zeros((0, 3), dtype),
    }
    path = tmp_path / "f.safetensors"
    save_file(arrays, path, metadata={"made": "by a test"})
    back = load_all(path, LIMIT)
    assert back.keys() == {"x", "W0", "none"}
    assert np.array_equal(np.asarray(back["x"]), arrays["x"])
    assert back["x"].dtype == dtype
    stays = load_source("f.safetensors", tmp_path, "x", limit_bytes=LIMIT, keep_from=0)
    assert isinstance(stays, Stored)
    assert np.array_equal(stays.take(np.array([2, 0]), 0), arrays["x"][[2, 0]])
    assert np.array_equal(np.asarray(stays), arrays["x"])


THREE = "its header does not give a dtype, a shape and a place"
HOSTILE = {
    "empty": (b"", "it does not begin as a safetensors file does"),
    "short": (b"1234", "it does not begin as a safetensors file does"),
    "length": (struct.pack("<Q", 2**63) + b"{}", "it does not begin as a safetensors file"),
    "long": (struct.pack("<Q", 5 << 20) + bytes(5 << 20), "claims to be 5,242,880 bytes long"),
    "text": (raw(b"hello"), "its header is no JSON (Expecting value"),
    "nested": (raw(b"[" * 100_000), "its header is no JSON ("),
    "latin": (raw(b'{"\xff": 1}'), "its header is no JSON ("),
    "list": (raw([1]), "its header is no JSON object"),
    "twice": (raw(b'{"x": 1, "x": 2}'), "its header is no JSON (a name stands in it twice)"),
    "no entry": (raw({"x": 3}), THREE),
    "no dtype": (raw(entry(dtype=4)), THREE),
    "negative": (raw(entry(shape=(-2,)), bytes(8)), THREE),
    "float": (raw(entry(shape=(2.0,)), bytes(8)), THREE),
    "truth": (raw(entry(shape=(True,)), bytes(8)), THREE),
    "place": (raw(entry(place=(0,)), bytes(8)), THREE),
    "endless": (raw(entry(shape=(2**70,)), bytes(8)), THREE),
    "other size": (raw(entry(place=(0, 4)), bytes(8)), "its shape takes 8 bytes, its place 4"),
    "backwards": (raw(entry(place=(8, 0)), bytes(8)), "its shape takes 8 bytes, its place -8"),
    "cut": (raw(entry(), bytes(4)), "its header announces 8 bytes, and 4 follow"),
    "outside": (raw(entry(place=(800, 808)), bytes(8)), "announces 8 bytes, and -792 follow"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(case: str, tmp_path: Path, refusal) -> None:
    content, reason = HOSTILE[case]
    path = tmp_path / "f.safetensors"
    path.write_bytes(content)
    text = refusal(load_all, path, LIMIT)
    assert text.startswith("error[E0607]: ")
    assert f"`{path}` is damaged: " in text
    assert reason in text


def test_other_values_than_numbers(tmp_path: Path, refusal) -> None:
    (tmp_path / "f.safetensors").write_bytes(raw(entry("BF16", (4,)), bytes(8)))
    assert refusal(load_source, "f.safetensors", tmp_path, "x", limit_bytes=LIMIT).startswith(
        "error[E0606]: `x` in `f.safetensors` holds values of type `BF16`; only integers"
    )


def test_the_limit_is_for_all_arrays_together(tmp_path: Path, refusal) -> None:
    path = tmp_path / "f.safetensors"
    save_file({"x": np.zeros(10), "y": np.zeros(10)}, path)
    assert len(load_all(path, 160)) == 2
    assert "[10], which takes 80 bytes; the memory allowance leaves 79" in (
        refusal(load_all, path, 159)
    )
