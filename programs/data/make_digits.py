"""Writes digits.npz, the real 8×8 handwritten digits, from scikit-learn's copy of them.

Here, and beside the course: a program reads only what lies below its own folder.

    pip install scikit-learn
    python programs/data/make_digits.py

The file comes out the same, byte for byte, on every run with one zlib: the
members carry no time of their own.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingImports]

HERE = Path(__file__).resolve().parent


def main() -> None:
    digits = load_digits()
    image = digits.images  # [n, r, c], the grey values 0 … 16
    label = digits.target  # [n]
    assert image.shape == (1797, 8, 8)
    assert label.shape == (1797,)
    assert image.min() == 0
    assert image.max() == 16
    assert (image == np.floor(image)).all()
    for folder in (HERE, HERE.parent / "course" / "data"):
        path = folder / "digits.npz"
        np.savez_compressed(path, image=image.astype(np.uint8), label=label.astype(np.int64))


if __name__ == "__main__":
    main()
