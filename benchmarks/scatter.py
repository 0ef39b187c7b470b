"""Ways to add rows up where integers point, as the gradient of an embedding does.

`flat` is what plans do: `np.add.at` at flat positions, which are computed anew here.
`rows` gives `np.add.at` whole rows; `segments` sorts, and adds neighbours up by
`np.add.reduceat`; `one-hot` multiplies by a matrix of zeros and ones; `torch` is
`index_add_`. All have to give the same sums first.

`flat` is the fastest of NumPy's (since NumPy 1.25, which has a loop of its own for one
axis), but for tables of a few dozen rows, where `one-hot` gains some tenths of a
millisecond. So plans always take `flat`; the exit code is 1 where it takes more than
four times as long as the fastest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Add = Callable[[Floats, Integers, Floats], object]
SIZES = ((50_000, 4_096, 128), (50_000, 65_536, 16), (1_000, 4_096, 64), (30, 4_096, 128))
SIZES += ((1_000, 100_000, 1), (10, 1_000, 1))
"""Rows of the table, rows to add, columns."""
ROUNDS = 9
LARGEST = 10**8
"""A matrix of zeros and ones with more elements is not tried."""


def flat(table: Floats, places: Integers, rows: Floats) -> object:
    width = table.shape[1]
    positions = (places[:, None] * width + np.arange(width)).reshape(-1)
    np.add.at(table.reshape(-1), positions, rows.reshape(-1))


def rows(table: Floats, places: Integers, rows: Floats) -> object:
    np.add.at(table, places, rows)


def segments(table: Floats, places: Integers, rows: Floats) -> object:
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    table[ordered[first]] += np.add.reduceat(rows[order], first, 0)


def one_hot(table: Floats, places: Integers, rows: Floats) -> object:
    matrix = np.zeros((table.shape[0], len(places)), np.float32)
    matrix[places, np.arange(len(places))] = 1
    np.add(table, matrix @ rows, table)


WAYS: dict[str, Add] = {"flat": flat, "rows": rows, "segments": segments, "one-hot": one_hot}


def by_torch() -> Add | None:
    """`index_add_`; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None

    def add(table: Floats, places: Integers, rows: Floats) -> object:
        arrays = (torch.from_numpy(array) for array in (table, places, rows))
        own, at, items = arrays
        return own.index_add_(0, at, items)

    return add


def milliseconds(add: Add, table: Floats, places: Integers, rows: Floats) -> float:
    """The fastest of a few rounds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        add(table, places, rows)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def main() -> int:
    """Measures and prints; 1 where plans had better choose another way."""
    torch, slower = by_torch(), 0
    ways = WAYS if torch is None else {**WAYS, "torch": torch}
    print(f"{'table, added, columns':>26} {' '.join(f'{name:>9}' for name in ways)}  (ms)")
    for height, count, width in SIZES:
        draws = np.random.default_rng(0)
        places = draws.integers(0, height, count)
        items = draws.normal(size=(count, width)).astype(np.float32)
        wanted = np.zeros((height, width), np.float32)
        rows(wanted, places, items)
        found: dict[str, float] = {}
        for name, add in ways.items():
            if name == "one-hot" and height * count > LARGEST:
                continue
            table = np.zeros_like(wanted)
            add(table, places, items)
            assert np.allclose(table, wanted, rtol=1e-4, atol=1e-4), name
            found[name] = milliseconds(add, table, places, items)
        shown = " ".join(f"{found[n]:9.3f}" if n in found else f"{'–':>9}" for n in ways)
        print(f"{f'{height:,}, {count:,}, {width}':>26} {shown}")
        slower |= found["flat"] > 4 * min(found[name] for name in WAYS if name in found)
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
