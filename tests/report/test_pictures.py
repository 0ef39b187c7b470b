"""Which parameters are drawn, and how."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import einbatch as eb
from einbatch.report.pictures import LARGEST, MOST, draw_weights, picture_axes

ROOT = Path(__file__).resolve().parent.parent.parent
HEAD = "batch b < B\n"


@pytest.mark.parametrize(
    ("file", "axes"),
    [
        ("digits", {"W0": (1, 2)}),
        ("course/cnn", {"K0": (1, 2), "K1": (2, 3), "W": (2, 3)}),
        ("course/resnet", {"K": (3, 4), "L": (3, 4), "M": (2, 3), "N": (2, 3)}),
        ("course/rnn", {}),
        ("course/transformer", {}),
        ("course/attention", {}),
        ("course/language_model", {}),
    ],
)
def test_the_programs(file: str, axes: dict[str, tuple[int, int]]) -> None:
    assert picture_axes(eb.load(ROOT / "programs" / f"{file}.ein").program) == axes


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        # channels last, and channels first: the two axes that span more
        ("input x[b,r,c,k]\nindex r, c < 9, k < 3\nparam W[j,k,r,c] = 0\nindex j < 2\n"
         "loss[b] += W[j,k,r,c]*x[b,r,c,k]", {"W": (2, 3)}),
        ("input x[b,k,r,c]\nindex r, c < 9, k < 3\nparam W[r,c,k] = 0\n"
         "loss[b] += W[r,c,k]*x[b,k,r,c]", {"W": (0, 1)}),
        # one of the two only; a flat input; labels
        ("input x[b,r,c]\nindex r, c < 9\nparam W[j,r] = 0\nindex j < 2\n"
         "loss[b] += W[j,r]*x[b,r,c]", {}),
        ("input x[b,i]\nindex i < 9\nparam W[j,i] = 0\nindex j < 2\nloss[b] += W[j,i]*x[b,i]", {}),
        ("input x[b,r,c] in k\nindex r, c < 9, k < 2\nparam W[r,c,k] = 0\n"
         "loss[b] += W[r,c,x[b,r,c]]", {}),
        # across before down
        ("input x[b,r,c]\nindex r, c < 9\nparam W[c,r] = 0\nloss[b] += W[c,r]*x[b,r,c]",
         {"W": (1, 0)}),
    ],
)  # fmt: skip
def test_the_rule(text: str, axes: dict[str, tuple[int, int]]) -> None:
    assert picture_axes(eb.parse(f"{HEAD}{text}\nminimize loss\n").program) == axes


def pixels(source: str) -> np.ndarray:
    content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def album_of(values: np.ndarray) -> object:
    j, r, c = values.shape
    program = eb.parse(
        f"{HEAD}index j < {j}, r < {r}, c < {c}\ninput x[b,r,c]\nparam W[j,r,c] = 0\n"
        "loss[b] += W[j,r,c]*x[b,r,c]\nminimize loss\n"
    ).program
    (album,) = draw_weights(program, {"W": values})
    return album


def test_pictures_show_the_weights() -> None:
    values = np.array([[[0, 1], [-1, 0.5], [0, 0]], [[0, 0], [0, 0], [0, -2]]])
    album = album_of(values)
    assert (album.axes, album.count, album.scale) == ("W[j,r,c]", 2, "2")
    first, second = album.pictures
    assert first.description == "W[0,·,·], 3 × 2, from −1 to 1"
    image = pixels(first.source)
    assert image.shape == (3, 2, 3)
    assert image[0, 0].tolist() == [247, 247, 247]  # nought
    assert image[0, 1].tolist() == [212, 136, 145]  # half way to the scale's end
    assert image[1, 0].tolist() == [140, 174, 210]
    assert pixels(second.source)[2, 1].tolist() == [33, 102, 172]


def test_weights_that_are_no_numbers_are_drawn_too() -> None:
    album = album_of(np.array([[[np.nan, np.inf], [-np.inf, 1.0]]]))
    assert pixels(album.pictures[0].source).tolist() == [
        [[247, 247, 247], [178, 24, 43]],
        [[33, 102, 172], [178, 24, 43]],
    ]
    assert album_of(np.zeros((1, 2, 2))).scale == "1"


def test_many_and_large_pictures_are_bounded() -> None:
    album = album_of(np.ones((MOST + 9, 2, 2)))
    assert (len(album.pictures), album.count) == (MOST, MOST + 9)
    large = album_of(np.ones((1, 3, 2 * LARGEST)))
    assert pixels(large.pictures[0].source).shape[1] == LARGEST


def test_arrays_that_do_not_fit_are_left_out() -> None:
    program = eb.load(ROOT / "programs" / "digits.ein").program
    assert draw_weights(program, {"W0": np.ones((8, 8)), "C0": np.ones(3)}) == []
