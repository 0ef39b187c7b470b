"""Which examples a minibatch holds: shuffled anew in each epoch, the same for the same seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from einbatch.data.draws import generator


def minibatch_order(n: int, batch: int, seed: int, epoch: int) -> list[NDArray[np.intp]]:
    """The examples 0 … n−1 in an order of this epoch's own, `batch` at a time.

    The last minibatch is shorter where `batch` does not divide `n`. The order
    depends on `seed` and `epoch` alone, so an epoch can be run by itself.
    """
    if batch < 1:
        raise ValueError(f"a minibatch of {batch} examples")
    order = generator(seed, "shuffle", epoch).permutation(n).astype(np.intp, copy=False)
    return [order[start : start + batch] for start in range(0, n, batch)]


def split_holdout(n: int, part: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The examples to train on and the examples to hold out, each in ascending order.

    The held-out ones are drawn without replacement: a number `part` of them, or, below
    1, that part of `n`, rounded, but never all, and at least one where part > 0 and
    n > 1. ValueError where that number leaves none to train on.
    """
    if part < 0 or (part > 1 and part != int(part)):
        raise ValueError(f"a holdout of {part}, which is no part and no number of examples")
    count = int(part)
    if count >= max(n, 1):
        raise ValueError(f"a holdout of {count}, which leaves none of {n} examples")
    if part < 1:
        count = min(max(round(n * part), int(part > 0)), max(n - 1, 0))
    order = generator(seed, "holdout").permutation(n).astype(np.intp, copy=False)
    return np.sort(order[count:]), np.sort(order[:count])
