"""The puzzles: one statement each, or nearly; loops and NumPy's own functions agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.syntax import nodes
from tests.test_programs import expectations

PUZZLES = Path(__file__).parent.parent.parent / "programs" / "puzzles"
FILES = sorted(PUZZLES.glob("*.ein"))
v = np.array([3, 1, 4, 1, 5])
table = np.array([[1, 2, 3], [4, 5, 6]])


def compress() -> np.ndarray:
    kept = np.compress([1, 0, 1, 0, 1], [3, 7, 1, 8, 5])
    return np.pad(kept, (0, 2))


def sequence_mask() -> np.ndarray:
    values = np.array([[1, 2, 3, 4], [4, 5, 6, 7], [7, 8, 9, 10]])
    return np.where(np.arange(4) < np.array([[1], [4], [0]]), values, 0)


def scatter_add() -> np.ndarray:
    total = np.zeros(4)
    np.add.at(total, [0, 1, 0, 3], [1, 2, 3, 4])
    return total


ANSWERS: dict[str, Callable[[], object]] = {
    "ones": lambda: np.ones(5),
    "sum": lambda: np.sum(v),
    "outer": lambda: np.outer([1, 2, 3], [4, 5, -6]),
    "diag": lambda: np.diag(np.arange(1, 10).reshape(3, 3)),
    "eye": lambda: np.eye(4),
    "triu": lambda: np.triu(np.ones((4, 4))),
    "cumsum": lambda: np.cumsum(v),
    "diff": lambda: np.diff(v, prepend=0),
    "vstack": lambda: np.vstack([[1, 2, 3], [4, 5, 6]]),
    "roll": lambda: np.roll(v, -1),
    "flip": lambda: np.flip(v),
    "compress": compress,
    "pad_to": lambda: np.pad([3, 1, 4], (0, 2)),
    "sequence_mask": sequence_mask,
    "bincount": lambda: np.bincount([2, 4, 2, 0, 4, 2], minlength=5),
    "scatter_add": scatter_add,
    "flatten": table.flatten,
    "linspace": lambda: np.linspace(-1, 2, 5),
    "heaviside": lambda: np.heaviside([-3, 0, 4, 0], [7, 8, 9, 6]),
    "repeat": lambda: np.tile([3, 1, 4], (2, 1)),
    "bucketize": lambda: np.digitize([-1, 0, 9, 3.5], [0, 2, 5]),
}


@pytest.mark.parametrize("backend", ["loops", "numpy"])
@pytest.mark.parametrize("name", ANSWERS)
def test_puzzle(name: str, backend: str):
    path = PUZZLES / f"{name}.ein"
    model = eb.load(path, dtype="float64", backend=backend)
    y = model.forward()["y"]
    np.testing.assert_allclose(y, ANSWERS[name](), rtol=1e-14)
    expected = expectations(path)
    assert len(expected) == path.read_text("utf-8").count("# expect") > 0
    for item in expected:
        assert item.holds_of(float(y[item.element]), 1e-12), item
    assert model.warnings == []


def test_every_puzzle_has_an_answer():
    assert {path.stem for path in FILES} == ANSWERS.keys()
    assert len(ANSWERS) == 21


@pytest.mark.parametrize("name", ANSWERS)
def test_each_is_one_statement_or_two(name: str):
    """Only `compress` takes a second one, for the places."""
    tree = eb.load(PUZZLES / f"{name}.ein").tree
    loops = [s for s in tree.statements if isinstance(s, nodes.For | nodes.Assign | nodes.Scan)]
    assert len(loops) == (2 if name == "compress" else 1)
