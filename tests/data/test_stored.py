"""Arrays that stay in their file are those that would be read, part by part."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from einbatch.data import Mapped, Stored, load_all, load_source
from einbatch.data.stored import SideBySide

LIMIT = 1 << 20
DTYPES = ["?", "i1", ">i2", "<i4", ">i8", "u1", "<u8", "<f2", ">f4", "<f8"]


def stored(path: Path, key: str = "x", limit: int = LIMIT) -> Stored:
    found = load_source(path.name, path.parent, key, limit_bytes=limit, keep_from=0)
    assert isinstance(found, Stored)
    return found


def check_same(found: Stored, array: np.ndarray) -> None:
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(np.asarray(found), array)
    assert np.asarray(found).dtype == found.dtype
    numbers = np.random.default_rng(0)
    for axis, extent in enumerate(array.shape):
        for order in (np.array([extent - 1, 0, 0]), numbers.permutation(extent), np.zeros(0, int)):
            part = found.take(order, axis)
            assert np.array_equal(part, np.take(array, order, axis))
            assert part.dtype == found.dtype
            assert part.flags.owndata or part.base is not None
            part[...] = 0  # its own: the file is as it was
    assert np.array_equal(np.asarray(found), array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_and_npz(dtype: str, order: str, tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 90, (5, 3, 2)).astype(dtype)
    laid_out = np.array(array, order=order)
    np.save(tmp_path / "a.npy", laid_out)
    np.savez(tmp_path / "a.npz", odd=np.zeros(3, "i1"), x=laid_out)
    check_same(stored(tmp_path / "a.npy"), array)
    check_same(stored(tmp_path / "a.npz"), array)


def test_a_scalar(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.float32(2.5))
    check_same(stored(tmp_path / "a.npy"), np.array(2.5, np.float32))


def test_truth_values_are_0_and_1(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([False, True]))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-1] + b"\x07")
    found = stored(tmp_path / "a.npy")
    assert found.take(np.array([1, 0]), 0).view(np.uint8).tolist() == [1, 0]


def test_what_is_small_or_packed_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(10))
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(10))
    for name, most in (("a.npy", 80), ("a.npz", 0)):
        found = load_source(name, tmp_path, "x", limit_bytes=LIMIT, keep_from=most)
        assert isinstance(found, np.ndarray)


def test_what_stays_needs_no_allowance(tmp_path: Path, refusal) -> None:
    np.save(tmp_path / "a.npy", np.arange(10.0))
    found = stored(tmp_path / "a.npy", limit=79)
    assert found.take(np.array([7]), 0).tolist() == [7]
    assert refusal(np.asarray, found).startswith(
        "error[E0710]: `a.npy` has the shape [10], which takes 80 bytes;"
        " the memory allowance leaves 79\n"
    )
    np.savez(tmp_path / "a.npz", x=np.zeros(10), y=np.zeros(10))
    assert len(load_all(tmp_path / "a.npz", 1, keep_from=0)) == 2


def test_a_file_that_becomes_shorter(tmp_path: Path, refusal) -> None:
    np.save(tmp_path / "a.npy", np.arange(100_000.0))
    found = stored(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", 1000)
    assert refusal(found.take, np.array([90_000]), 0) == (
        "error[E0607]: `a.npy` is damaged: it has become shorter while it was read\n"
        "  help: write the file again, or fetch it again if it was copied from elsewhere"
    )


def test_a_header_that_claims_more_than_the_file_has(tmp_path: Path, refusal) -> None:
    np.save(tmp_path / "a.npy", np.arange(10.0))
    os.truncate(tmp_path / "a.npy", 150)
    text = refusal(load_source, "a.npy", tmp_path, "x", limit_bytes=LIMIT, keep_from=0)
    assert "its header announces 80 bytes, and 22 follow" in text


def test_a_member_that_ends_behind_its_archive(tmp_path: Path, refusal) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(100.0))
    content = (tmp_path / "a.npz").read_bytes()
    place = content.rindex(b"PK\x01\x02")
    claimed = (10_000).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content[: place + 20] + claimed * 2 + content[place + 28 :])
    text = refusal(load_source, "a.npz", tmp_path, "x", limit_bytes=LIMIT, keep_from=0)
    assert text.startswith("error[E0607]: `x` in `a.npz` is damaged: ")


def test_more_bytes_than_the_array_has(tmp_path: Path, refusal) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(4))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content.getvalue() + b"more")
    text = refusal(load_source, "a.npz", tmp_path, "x", limit_bytes=LIMIT, keep_from=0)
    assert "damaged: more bytes follow than its array has" in text


@pytest.mark.parametrize("is_hole", [True, False])
def test_pages_are_given_back(is_hole: bool, tmp_path: Path) -> None:
    rows, most = 32_768, 64 << 20
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (rows, 1024)}
        )
        if is_hole:
            file.truncate(file.tell() + rows * 4096)
        else:  # what was just written lies in large pieces in the system's memory
            for _ in range(0, rows, 1024):
                file.write(bytes(1024 * 4096))
    found = stored(tmp_path / "a.npy")
    before = mapped_bytes()
    for order in np.random.default_rng(0).permutation(rows).reshape(-1, 512):
        assert not found.take(order, 0).any()
        assert mapped_bytes() - before < most
    assert not np.asarray(stored(tmp_path / "a.npy", limit=1 << 30)).any()
    assert mapped_bytes() - before < most


def mapped_bytes() -> int:
    """The pages of mapped files that this process has in memory."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        pytest.skip("only Linux tells")
    return 1024 * int(status.split("RssFile:")[1].split()[0])


def test_an_array_of_the_callers_that_is_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(12).reshape(6, 2))
    for mode in ("r", "r+", "c"):
        array = np.load(tmp_path / "a.npy", mmap_mode=mode)
        if mode == "c":
            array[0, 0] = 100  # in memory alone: giving pages back would lose it
        found = Mapped.of(array[::2], "`x`", LIMIT)
        assert found is not None
        assert found.take(np.array([2, 0]), 0).tolist() == [[8, 9], [100 if mode == "c" else 0, 1]]
        assert array[0, 0] == (100 if mode == "c" else 0)
    assert Mapped.of(np.arange(3), "`x`", LIMIT) is None


def test_columns_side_by_side(refusal) -> None:
    found = SideBySide([np.arange(4), np.array([0.5, 1, 2, 3])], "`t`", 64)
    check_same(found, np.array([[0, 0.5], [1, 1], [2, 2], [3, 3]]))
    assert "[4,2], which takes 64 bytes" in refusal(
        np.asarray, SideBySide([np.arange(4), np.arange(4)], "`t`", 63)
    )
