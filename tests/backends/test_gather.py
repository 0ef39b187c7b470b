"""Examples taken by their numbers: as NumPy takes them, whatever the array is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einbatch.backends.numpy.gather import Gather

DRAWS = np.random.default_rng(0)
ARRAYS = {
    "matrix": DRAWS.normal(size=(9, 5)).astype(np.float32),
    "large": DRAWS.normal(size=(300, 4000)),
    "labels": DRAWS.integers(0, 9, 9),
    "bytes": DRAWS.integers(0, 255, (9, 3, 2), np.uint8),
    "strided": DRAWS.normal(size=(9, 10))[:, ::2],
    "other byte order": DRAWS.normal(size=(9, 2)).astype(">f8"),
    "not aligned": np.frombuffer(bytes(1 + 9 * 8), np.uint8)[1:].view(np.float64),
    "nothing in them": np.ones((9, 0)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_examples_on_the_first_axis(name: str):
    array = ARRAYS[name]
    take = Gather(array, 4, 0)
    for order in (np.array([8, 0, 0, 3]), np.arange(8)[::2]):
        np.testing.assert_array_equal(take(order), array[order])


@pytest.mark.parametrize("axis", [1, 2])
def test_examples_on_another_axis(axis: int):
    array = DRAWS.normal(size=(3, 7, 6))
    order = np.array([5, 1, 1])
    np.testing.assert_array_equal(Gather(array, 3, axis)(order), np.take(array, order, axis))


def test_no_examples():
    assert Gather(np.ones((3, 2)), 0, 0)(np.zeros(0, np.int64)).shape == (0, 2)


def test_an_array_that_stays_in_its_file(tmp_path: Path):
    np.save(tmp_path / "x.npy", ARRAYS["matrix"])
    array = np.load(tmp_path / "x.npy", mmap_mode="r")
    order = np.array([2, 2, 7])
    np.testing.assert_array_equal(Gather(array, 3, 0)(order), ARRAYS["matrix"][order])
