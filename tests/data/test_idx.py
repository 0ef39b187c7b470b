"""MNIST's idx files, plain and packed; what is damaged is refused before it is allocated."""

import gzip
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from einbatch.data import Stored, load_all, load_source
from einbatch.data.idx import TYPES

LIMIT = 1 << 20
MNIST = Path(__file__).parents[3] / "shared/data/mnist"


def idx(code: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes((0, 0, code, len(shape))) + np.array(shape, ">u4").tobytes() + content


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0), (2, 3, 4)])
def test_every_type(code: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 100, shape).astype(TYPES[code])
    content = idx(code, shape, array.tobytes())
    (tmp_path / "a-idx3-ubyte").write_bytes(content)
    (tmp_path / "a.idx").write_bytes(content)
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(content))
    (tmp_path / "a-ubyte.GZ").write_bytes(gzip.compress(content))
    for name in ("a-idx3-ubyte", "a.idx", "a.idx.gz", "a-ubyte.GZ"):
        back = load_all(tmp_path / name, LIMIT)[""]
        assert back.dtype.isnative
        assert back.dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(np.asarray(back), array)


def test_a_large_one_stays_in_its_file_unless_it_is_packed(tmp_path: Path) -> None:
    array = np.arange(12, dtype=">i4").reshape(6, 2)
    content = idx(0x0C, (6, 2), array.tobytes())
    (tmp_path / "a.idx").write_bytes(content)
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(content))
    stays = load_source("a.idx", tmp_path, "x", limit_bytes=LIMIT, keep_from=47)
    assert isinstance(stays, Stored)
    assert np.array_equal(stays.take(np.array([5, 0, 5]), 0), array[[5, 0, 5]])
    for name, most in (("a.idx", 48), ("a.idx.gz", 0)):
        read = load_source(name, tmp_path, "x", limit_bytes=LIMIT, keep_from=most)
        assert isinstance(read, np.ndarray)
        assert np.array_equal(read, array)


HOSTILE = {
    "empty": (b"", "it does not begin as an idx file does"),
    "text": (b"<html>not found</html>", "it does not begin as an idx file does"),
    "type": (idx(0x0A, (1,), b"1"), "its type 0x0a is none of idx"),
    "cut header": (idx(8, (1, 1), b"")[:9], "it ends inside its header"),
    "cut data": (idx(8, (3,), b"12"), "its header announces 3 bytes, and 2 follow"),
    "more data": (idx(8, (3,), b"1234"), "more bytes follow than its array has"),
    "axes": (idx(8, (1,) * 40, b"1"), "its shape is not one that an array can have"),
    "zero times huge": (idx(8, (0, *[2**32 - 1] * 9), b""), "its shape is not one"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("packed", [False, True])
def test_hostile_files(
    case: str, packed: bool, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    content, reason = HOSTILE[case]
    path = tmp_path / ("a.idx.gz" if packed else "a.idx")
    path.write_bytes(gzip.compress(content) if packed else content)
    text = refusal(load_all, path, LIMIT)
    assert text.startswith(f"error[E0607]: `{path}` is damaged: ")
    if packed and case == "cut data":
        reason = "it ends after 2 of its array's 3 bytes"
    assert reason in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no gzip", "as a gzip file it is not readable (Not a gzipped file"),
        (gzip.compress(idx(8, (3,), b"123"))[:-4], "(Compressed file ended before"),
        (gzip.compress(idx(8, (3,), b"123"))[:-8] + bytes(8), "(CRC check failed"),
    ],
)
def test_damaged_gzip(content: bytes, reason: str, tmp_path: Path, refusal) -> None:
    (tmp_path / "a.idx.gz").write_bytes(content)
    text = refusal(load_all, tmp_path / "a.idx.gz", LIMIT)
    assert text.startswith(f"error[E0607]: `{tmp_path}/a.idx.gz` is damaged: ")
    assert reason in text


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
def test_what_a_header_claims_is_not_allocated(name: str, tmp_path: Path, refusal) -> None:
    content = idx(8, (2**20, 512), b"1234")
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    tracemalloc.start()
    start = time.perf_counter()
    assert "`E0710`" not in refusal(load_all, path, 1 << 40)
    assert time.perf_counter() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert refusal(load_all, path, LIMIT).startswith(
        f"error[E0710]: `{path}` has the shape [1048576,512], which takes 536,870,912 bytes"
    )


@pytest.mark.skipif(not MNIST.is_dir(), reason="the files of MNIST are not here")
def test_the_files_of_mnist() -> None:
    images = load_all(MNIST / "t10k-images-idx3-ubyte.gz", 1 << 30)[""]
    labels = load_all(MNIST / "t10k-labels-idx1-ubyte.gz", 1 << 30)[""]
    assert images.shape == (10000, 28, 28)
    assert np.bincount(np.asarray(labels)).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
