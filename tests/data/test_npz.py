"""Archives: members, limits, damage; and writing them."""

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.data import load_all, load_source, save_npz
from einbatch.diagnostics import EinbatchError

LIMIT = 1 << 20


def member(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name + ".npy", content)
    return path


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(write, tmp_path: Path) -> None:
    write(tmp_path / "f.npz", x=np.arange(6).reshape(2, 3), y=np.float32(0.5))
    arrays = load_all(tmp_path / "f.npz", LIMIT)
    assert arrays["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["y"].shape == ()
    assert arrays["y"].dtype == np.float32


def test_an_array_of_objects_is_named(tmp_path: Path, refusal) -> None:
    archive(tmp_path / "f.npz", x=member(np.array([None])), y=member(np.zeros(1)))
    assert refusal(load_source, "f.npz", tmp_path, "x", limit_bytes=LIMIT) == (
        "error[E0606]: `x` in `f.npz` holds Python objects;"
        " only integers, floats and truth values can be read\n"
        "  help: save it as numbers, for example with `array.astype(numpy.float64)`"
    )
    assert load_source("f.npz", tmp_path, "y", limit_bytes=LIMIT).shape == (1,)


def test_the_limit_is_for_all_arrays_together(tmp_path: Path, refusal) -> None:
    path = archive(tmp_path / "f.npz", x=member(np.zeros(10)), y=member(np.zeros(10)))
    assert len(load_all(path, 160)) == 2
    assert refusal(load_all, path, 159) == (
        f"error[E0710]: `y` in `{path}` has the shape [10], which takes 80 bytes;"
        " the memory allowance leaves 79\n"
        "  help: allow more with EINBATCH_MEMORY, for example EINBATCH_MEMORY=8GiB, "
        "or cut the data to the part that is needed"
    )


def test_zip_bomb(tmp_path: Path, refusal) -> None:
    path = archive(tmp_path / "f.npz", x=member(np.zeros(20_000_000, np.uint8)))
    assert path.stat().st_size < 30_000
    start = time.perf_counter()
    text = refusal(load_all, path, LIMIT)
    assert text.startswith(f"error[E0710]: `x` in `{path}` has the shape [20000000]")
    assert time.perf_counter() - start < 0.5


def test_a_header_that_announces_more_than_the_member_has(tmp_path: Path, refusal) -> None:
    content = member(np.zeros(4)).replace(b"(4,), ", b"(999,)")
    path = archive(tmp_path / "f.npz", x=content)
    assert f"`x` in `{path}` is damaged: its header announces 7,992 bytes, and 32 follow" in (
        refusal(load_all, path, LIMIT)
    )


def test_more_bytes_than_the_array_has(tmp_path: Path, refusal) -> None:
    path = archive(tmp_path / "f.npz", x=member(np.zeros(4)) + b"more")
    assert "damaged: more bytes follow than its array has" in refusal(load_all, path, LIMIT)


def test_a_checksum_that_is_wrong(tmp_path: Path, refusal) -> None:
    np.savez(tmp_path / "f.npz", x=np.full(4, 7.25))
    content = bytearray((tmp_path / "f.npz").read_bytes())
    content[content.index(np.float64(7.25).tobytes())] ^= 1
    (tmp_path / "f.npz").write_bytes(content)
    text = refusal(load_all, tmp_path / "f.npz", LIMIT)
    assert "damaged: as a zip archive it is not readable (Bad CRC-32 for file 'x.npy')" in text


def test_not_a_zip(tmp_path: Path, refusal) -> None:
    (tmp_path / "f.npz").write_bytes(b"PK")
    assert refusal(load_all, tmp_path / "f.npz", LIMIT) == (
        f"error[E0607]: `{tmp_path}/f.npz` is damaged:"
        " as a zip archive it is not readable (File is not a zip file)\n"
        "  help: write the file again, or fetch it again if it was copied from elsewhere"
    )


def test_other_members_are_left_alone(tmp_path: Path) -> None:
    path = archive(tmp_path / "f.npz", x=member(np.zeros(4)))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("README.txt", "hello")
        file.writestr("../../evil.npy", member(np.ones(1)))
    assert load_all(path, LIMIT).keys() == {"x", "../../evil"}
    assert not (tmp_path.parent.parent / "evil.npy").exists()


def test_save_npz(tmp_path: Path) -> None:
    arrays = {
        "W.grad": np.arange(6.0).reshape(2, 3).T,
        "h̃": np.float32(1),
        "file": np.array([True, False]),
        "n": [1, 2],
        "big": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 3)),
    }
    save_npz(tmp_path / "out.npz", arrays)
    with np.load(tmp_path / "out.npz") as file:
        assert set(file.files) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(file[name], array)
    assert load_all(tmp_path / "out.npz", LIMIT)["W.grad"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert [item.name for item in tmp_path.iterdir()] == ["out.npz"]


def test_save_npz_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", {"x": np.ones(3)})
    save_npz(tmp_path / "b.npz", {"x": np.ones(3)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_save_npz_of_objects(tmp_path: Path, refusal) -> None:
    (tmp_path / "out.npz").write_text("old")
    arrays = {"x": np.zeros(2), "y": np.array([None])}
    assert refusal(save_npz, tmp_path / "out.npz", arrays).startswith(
        "error[E0606]: `y` holds Python objects;"
    )
    assert (tmp_path / "out.npz").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@given(st.binary(min_size=1, max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_any_damage_ends_in_arrays_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, drop: int
) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(6.0).reshape(2, 3))
    good = stream.getvalue()
    path = tmp_path_factory.getbasetemp() / "noise.npz"
    path.write_bytes(good[:place] + noise + good[place + drop :])
    try:
        arrays = load_all(path, LIMIT)
    except EinbatchError as error:
        assert error.diagnostics[0].code in {"E0606", "E0607", "E0710"}
    else:
        assert sum(array.nbytes for array in arrays.values()) <= LIMIT
