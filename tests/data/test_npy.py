"""Headers, hostile ones included: checked before anything is allocated."""

import io
import pickle
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.data import load_all
from einbatch.diagnostics import EinbatchError

LIMIT = 1 << 20


def npy(
    header: str | bytes, data: bytes = b"", version: int = 1, length: int | None = None
) -> bytes:
    text = header.encode("latin-1") if isinstance(header, str) else header
    size = len(text) if length is None else length
    return (
        b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little")
    ) + (text + data)


def header(descr: str = "'<f8'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    "dtype",
    ["?", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", "<u8", "<f2", ">f4", "<f8", ">f8"],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4), (2, 3, 4)])
def test_round_trip(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    for laid_out in (array, np.array(array, order="F")):
        np.save(tmp_path / "a.npy", laid_out)
        back = load_all(tmp_path / "a.npy", LIMIT)[""]
        assert back.dtype.isnative
        assert back.dtype.kind == array.dtype.kind
        assert back.shape == shape
        assert (back == array).all()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions(version: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(header(), np.array([1.0, 2.0]).tobytes(), version))
    assert load_all(path, LIMIT)[""].tolist() == [1, 2]


def test_headers_of_other_writers(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for text in (
        '{"shape":(2,),"fortran_order":False,"descr":"<f8"}',
        "{'fortran_order' : False , 'shape' : ( 2L , 1 ), 'descr' : '<f8'}   ",
    ):
        path.write_bytes(npy(text, np.array([1.0, 2.0]).tobytes()))
        assert load_all(path, LIMIT)[""].ravel().tolist() == [1, 2]


def test_truth_values_are_0_and_1(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(header("'|b1'"), b"\x00\x07"))
    assert load_all(path, LIMIT)[""].view(np.uint8).tolist() == [0, 1]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.array(["a"]), "text"),
        (np.array([b"a"]), "text"),
        (np.array([1j]), "complex numbers"),
        (np.array(["2020-01-01"], "datetime64[D]"), "dates"),
        (np.array([1], "timedelta64[s]"), "time differences"),
        (np.zeros(1, [("a", "f8"), ("b", "i4")]), "records"),
        (np.zeros(1, "V3"), "records"),
        (np.array([Bomb()], object), "Python objects"),
    ],
)
def test_other_values_than_numbers(array: np.ndarray, what: str, tmp_path: Path, refusal) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert refusal(load_all, tmp_path / "a.npy", LIMIT) == (
        f"error[E0606]: `{tmp_path}/a.npy` holds {what};"
        " only integers, floats and truth values can be read\n"
        "  help: save it as numbers, for example with `array.astype(numpy.float64)`"
    )


def test_a_bare_pickle_is_no_array(tmp_path: Path, refusal) -> None:
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Bomb()))
    assert "it does not begin as an .npy file does" in refusal(load_all, tmp_path / "a.npy", LIMIT)


SHAPE = "its shape is not one that an array can have"
THREE = "its header does not give one dtype, one order and one shape"

HOSTILE = {
    "empty": (b"", "it does not begin as an .npy file does"),
    "text": (b"<html>not found</html>", "it does not begin as an .npy file does"),
    "magic alone": (b"\x93NUMPY", "it does not begin as an .npy file does"),
    "version": (npy(header(), version=9), "its .npy version 9.0 is unknown"),
    "no length": (b"\x93NUMPY\x01\x00", THREE),
    "long header": (npy(header(), version=2, length=2**32 - 1), "claims to be 4,294,967,295"),
    "cut header": (npy(header(), length=200), "it ends inside its header"),
    "spaces": (npy("{'shape':(" + " " * 9000), THREE),
    "commas": (npy("{'shape':(" + "1," * 4900), THREE),
    "negative": (npy(header(shape="(-1,)")), THREE),
    "digits": (npy(header(shape=f"({'9' * 5000},)")), THREE),
    "junk": (npy(bytes(range(256)) * 8), THREE),
    "nested": (npy("(" * 9000), THREE),
    "code": (npy(header(shape="(__import__('os').abort(),)")), THREE),
    "two shapes": (npy("{'shape': (1,), " + header()[1:]), THREE),
    "no order": (npy("{'descr': '<f8', 'shape': (2,)}"), THREE),
    "axes": (npy(header(shape="(" + "1," * 40 + ")")), SHAPE),
    "zero times huge": (npy(header(shape="(0,281474976710656,281474976710656)")), SHAPE),
    "extent": (npy(header(shape=f"({2**60},)")), SHAPE),
    "cut data": (npy(header(), b"12345678"), "its header announces 16 bytes, and 8 follow"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(case: str, tmp_path: Path, refusal: Callable[..., str]) -> None:
    content, reason = HOSTILE[case]
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    tracemalloc.start()
    start = time.perf_counter()
    text = refusal(load_all, path, LIMIT)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert text.startswith(f"error[E0607]: `{path}` is damaged: ")
    assert reason in text
    assert text.endswith("fetch it again if it was copied from elsewhere")
    assert seconds < 1
    assert peak < 2 << 20


def test_too_large_for_the_allowance(tmp_path: Path, refusal) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(npy(header(shape="(1000000,1000000,8)")))
    text = refusal(load_all, path, LIMIT)
    assert text == (
        f"error[E0710]: `{path}` has the shape [1000000,1000000,8], which takes"
        " 64,000,000,000,000 bytes; the memory allowance leaves 1,048,576\n"
        "  help: allow more with EINBATCH_MEMORY, for example EINBATCH_MEMORY=8GiB, "
        "or cut the data to the part that is needed"
    )
    with pytest.raises(EinbatchError) as caught:
        load_all(path, LIMIT)
    assert caught.value.is_refusal


@given(st.binary(max_size=200), st.integers(0, 120), st.booleans())
def test_any_bytes_end_in_an_array_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, whole: bool
) -> None:
    stream = io.BytesIO()
    np.save(stream, np.arange(6.0).reshape(2, 3))
    good = stream.getvalue()
    path = tmp_path_factory.getbasetemp() / "noise.npy"
    path.write_bytes(noise if whole else good[:place] + noise + good[place + len(noise) :])
    try:
        array = load_all(path, LIMIT)[""]
    except EinbatchError as error:
        assert error.diagnostics[0].code in {"E0606", "E0607", "E0710"}
    else:
        assert array.nbytes <= LIMIT
